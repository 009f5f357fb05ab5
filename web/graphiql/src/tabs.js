// authorizationHeaders is what the headers editor of a new tab holds.
export const authorizationHeaders = json({ Authorization: 'Bearer PASTE_ACCESS_TOKEN_HERE' });

// openingTabs are the calls that a newcomer makes first, in their order.
export const openingTabs = [
  {
    query: `# Needs the password in Variables, below.
# The answer has the tokens that the other tabs need.

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
    query: `# Needs the access token in Headers, below.

query Protected {
  protected
}
`,
    headers: authorizationHeaders,
  },
  {
    query: `# Needs the refresh token in Variables, below.
# It is good for one call: the answer has the next.

mutation Refresh($refresh: String!) {
  tokenRefresh(refresh: $refresh) {
    access
    refresh
    accessExpiresIn
  }
}
`,
    variables: json({ refresh: '' }),
    headers: '',
  },
  {
    query: `# Needs the access token in Headers, below.

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
];

function json(value) {
  return JSON.stringify(value, null, 2);
}
