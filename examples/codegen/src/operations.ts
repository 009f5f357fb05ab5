import { graphql } from './gql/index.js';

export const SignIn = graphql(`
  mutation SignIn($username: String!, $password: String!) {
    tokenObtain(username: $username, password: $password) { access refresh accessExpiresAt }
  }
`);

export const Me = graphql(`
  query Me {
    protected
    me { id username lastLogin roles { name } }
  }
`);
