// The operations that the core sends. They never change but for their variables, so that a server that runs trusted
// documents alone can list them.

const pair = `
  access
  refresh
  accessExpiresIn
  user {
    id
    username
    email
    firstName
    lastName
    isStaff
    isSuperuser
    permissions
    roles {
      name
    }
  }`;

/** The operations that `createAuth` sends, by name: for the list of a server that runs trusted documents alone. */
export const documents = {
  LatchkeySignIn: `mutation LatchkeySignIn($username: String!, $password: String!, $delivery: TokenDelivery!) {
  tokenObtain(username: $username, password: $password, delivery: $delivery) {${pair}
  }
}`,
  LatchkeyRefresh: `mutation LatchkeyRefresh($refresh: String, $delivery: TokenDelivery!) {
  tokenRefresh(refresh: $refresh, delivery: $delivery) {${pair}
  }
}`,
  LatchkeySignOut: `mutation LatchkeySignOut($refresh: String) {
  tokenRevoke(refresh: $refresh)
}`,
  LatchkeyChangePassword: `mutation LatchkeyChangePassword($current: String!, $new: String!) {
  passwordChange(current: $current, new: $new) {
    tokens {${pair.replaceAll('\n', '\n  ')}
    }
    errors {
      code
      field
      message
    }
  }
}`,
} as const;
