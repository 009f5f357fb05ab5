import { authorizationHeaders, PLACEHOLDER } from './headers.js';

// openingTabs are the calls that a newcomer makes first, in their order. Whoever has signed in through the pane runs all
// but the first as they are.
export const openingTabs = [
  {
    query: `# Put the password into
# Variables, or use the
# key on the left.

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
    query: `# Needs an access token:
# the key on the left
# puts it into Headers.

query Protected {
  protected
}
`,
    headers: authorizationHeaders,
  },
  {
    query: `# Put a refresh token
# into Variables. null:
# that of the cookie.

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
    query: `# Needs an access token:
# the key on the left
# puts it into Headers.

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
    query: `# Put a token of either
# kind into Variables.

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
