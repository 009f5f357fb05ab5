// Signs in, asks who that is, and reads what goes wrong without a token, all of it typed.
import { GraphQLClient } from 'graphql-request';
import { failuresOf, mayRefresh } from './errors.js';
import { Me, SignIn } from './operations.js';

const { LATCHKEY_URL: url = 'http://127.0.0.1:8000/graphql', LATCHKEY_USERNAME: username = 'admin' } = process.env;
const password = process.env.LATCHKEY_PASSWORD;
if (!password) throw new Error('LATCHKEY_PASSWORD is not set');

const anonymous = new GraphQLClient(url);
const { tokenObtain } = await anonymous.request(SignIn, { username, password });

const client = new GraphQLClient(url, { headers: { Authorization: `Bearer ${tokenObtain.access}` } });
const { me } = await client.request(Me);
console.log(`signed in as ${me?.username} until ${tokenObtain.accessExpiresAt}`);

try {
  await anonymous.request(Me);
} catch (error) {
  for (const failure of failuresOf(error)) console.log(`${failure.code}: ${mayRefresh(failure) ? 'refresh' : 'sign in'}`);
}
