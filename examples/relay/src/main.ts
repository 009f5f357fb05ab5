// Signs in and lists all users, two a page.
import { createEnvironment } from './environment.js';
import { signIn } from './signIn.js';
import { loadUsers } from './users.js';

async function main() {
  const { LATCHKEY_URL: url = 'http://127.0.0.1:8000/graphql', LATCHKEY_USERNAME: username = 'admin' } = process.env;
  let access: string | null = null;
  const environment = createEnvironment(url, () => access);
  ({ access } = await signIn(environment, username, process.env.LATCHKEY_PASSWORD ?? ''));

  let users = await loadUsers(environment, 2);
  while (users.pageInfo.hasNextPage) users = await loadUsers(environment, 2, users.pageInfo.endCursor);
  console.log(users.edges.map(({ node }) => node.username).join(' '));
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
