import { authorizationHeaders, PLACEHOLDER } from './headers.js';

// openingTabs are the calls that a newcomer makes first, in their order. Whoever has signed in through the pane runs all
// but the first as they are.
export const openingTabs = [
  {
    query: `# Type the password into Variables.
# The key on the left does the same,
# and keeps the tokens.

mutation SignIn(
  $username: String!
  $password: String!
) {
  tokenObtain(
    username: $username
    password: $password
  ) {
    access
    refresh
    accessExpiresIn
    user {
      username
    }
  }
}
`,
    variables: json({ username: 'admin', password: '' }),
    headers: '',
  },
  {
    query: `# Needs the access token in Headers:
# the key on the left puts it there.

query Protected {
  protected
}
`,
    headers: authorizationHeaders,
  },
  {
    query: `# Needs the refresh token in Variables:
# null stands for that of the cookie.
# It is good for one call.

mutation Refresh($refresh: String) {
  tokenRefresh(refresh: $refresh) {
    access
    refresh
    accessExpiresIn
  }
}
`,
    variables: json({ refresh: null }),
    headers: '',
  },
  {
    query: `# Needs the access token in Headers:
# the key on the left puts it there.

query Me {
  me {
    username
    email
    isSuperuser
    roles {
      name
    }
    permissions
  }
}
`,
    headers: authorizationHeaders,
  },
  {
    query: `# Needs a token of either kind
# in Variables.

mutation Verify($token: String!) {
  tokenVerify(token: $token) {
    tokenType
    issuedAt
    expiresAt
    user {
      username
    }
  }
}
`,
    variables: json({ token: PLACEHOLDER }),
    headers: '',
  },
];

function json(value) {
  return JSON.stringify(value, null, 2);
}
