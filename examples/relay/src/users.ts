import { fetchQuery, graphql } from 'relay-runtime';
import type { Environment } from 'relay-runtime';
import type { usersQuery, usersQuery$data } from './__generated__/usersQuery.graphql';

const query = graphql`
  query usersQuery($first: Int!, $after: String) {
    users(first: $first, after: $after) @connection(key: "users_users") {
      edges { node { id username lastLogin } }
      pageInfo { hasNextPage endCursor }
    }
  }
`;

export type Users = NonNullable<usersQuery$data['users']>;

/** loadUsers asks for one more page of users, and returns all that the store has by then. */
export async function loadUsers(environment: Environment, first: number, after?: string | null): Promise<Users> {
  const data = await fetchQuery<usersQuery>(environment, query, { first, after: after ?? null }).toPromise();
  if (!data?.users) throw new Error('no permission to read users');
  return data.users;
}
