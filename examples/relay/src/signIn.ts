import { commitMutation, graphql } from 'relay-runtime';
import type { Environment } from 'relay-runtime';
import type { signInMutation, signInMutation$data } from './__generated__/signInMutation.graphql';

const mutation = graphql`
  mutation signInMutation($username: String!, $password: String!) {
    tokenObtain(username: $username, password: $password) { access accessExpiresIn user { id username } }
  }
`;

type Tokens = signInMutation$data['tokenObtain'];

/** signIn returns the tokens, or fails with the message of the server. */
export function signIn(environment: Environment, username: string, password: string): Promise<Tokens> {
  return new Promise((resolve, reject) => {
    commitMutation<signInMutation>(environment, {
      mutation,
      variables: { username, password },
      onCompleted: ({ tokenObtain }, errors) => (errors ? reject(new Error(errors[0]?.message)) : resolve(tokenObtain)),
      onError: reject,
    });
  });
}
