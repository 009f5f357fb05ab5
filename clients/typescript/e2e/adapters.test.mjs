// The real clients, with the adapters, and a real server.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { Client, fetchExchange } from 'urql';
import { GraphQLClient } from 'graphql-request';

import { createAuth } from '@latchkey/client';
import { createAuthLink } from '@latchkey/client/apollo';
import { createFetch } from '@latchkey/client/fetch';
import { authExchange } from '@latchkey/client/urql';
import { folder } from '../../../e2e/latchkey.mjs';
import { front, password, username } from './front.mjs';

// Each client as a function that sends an operation and returns its data, or throws.
const clients = {
  'Apollo Client'(auth) {
    const link = ApolloLink.from([createAuthLink(auth), new HttpLink({ uri: auth.url })]);
    const client = new ApolloClient({ link, cache: new InMemoryCache() });
    return async (text) => {
      const document = gql(text);
      const sent = text.startsWith('mutation')
        ? client.mutate({ mutation: document })
        : client.query({ query: document, fetchPolicy: 'no-cache' });
      return (await sent).data;
    };
  },
  urql(auth) {
    const client = new Client({
      url: auth.url,
      exchanges: [authExchange(auth), fetchExchange],
      preferGetMethod: false,
    });
    return async (text) => {
      const sent = text.startsWith('mutation') ? client.mutation(text, {}) : client.query(text, {});
      const { data, error } = await sent.toPromise();
      if (error) throw error;
      return data;
    };
  },
  'graphql-request'(auth) {
    const client = new GraphQLClient(auth.url, { fetch: createFetch(auth) });
    return (text) => client.request(text);
  },
  fetch(auth) {
    const send = createFetch(auth);
    return async (query) => {
      const response = await send(auth.url, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ query, operationName: query.match(/^\w+ (\w+)/)[1] }),
      });
      const { data, errors } = await response.json();
      if (errors) throw Object.assign(new Error(errors[0].message), { errors });
      return data;
    };
  },
};

/** signedIn signs in to a session whose clocks stand still: its token is good for it, until the server refuses it. */
async function signedIn(t, latchkey) {
  const auth = createAuth({ url: latchkey.url, storage: 'memory', environment: { monotonic: () => 0, wall: () => 0 } });
  t.after(() => auth.close());
  await auth.signIn(username, password);
  const told = [];
  auth.subscribe(({ status, reason }) => told.push(reason ?? status));
  return { auth, told };
}

/** expired is the same with a token that has expired; from now on tokens live long. */
async function expired(t) {
  const latchkey = await front(t, { LATCHKEY_ACCESS_TOKEN_LIFETIME: '1s' });
  const session = await signedIn(t, latchkey);
  const access = await session.auth.getAccessToken();
  for (;;) {
    const { errors } = await latchkey.direct('{ protected }', access);
    if (errors?.[0].extensions.reason === 'EXPIRED') break;
  }
  await latchkey.restart({ LATCHKEY_ACCESS_TOKEN_LIFETIME: '1h' });
  return { ...session, latchkey };
}

const queries = Array.from({ length: 20 }, (_, i) => `query Q${i} { __typename protected me { username } }`);
const answer = { __typename: 'Query', protected: 'This view is protected' };

for (const [name, make] of Object.entries(clients)) {
  test(`${name}: 20 parallel queries on an expired token cause exactly one refresh`, async (t) => {
    const { auth, latchkey, told } = await expired(t);
    const send = make(auth);
    for (const data of await Promise.all(queries.map(send))) {
      assert.deepEqual({ ...data, me: data.me.username }, { ...answer, me: username });
    }
    assert.equal(latchkey.refused(), 20);
    assert.equal(latchkey.count('LatchkeyRefresh'), 1);
    assert.equal(latchkey.requests.length, 1 + 20 + 1 + 20);
    assert.deepEqual(told, ['signedIn']);
  });

  test(`${name}: a refused mutation is sent again, and one of which a part has run is not`, async (t) => {
    const { auth, latchkey } = await expired(t);
    const send = make(auth);
    const obtain = `tokenObtain(username: "${username}", password: "${password}") { refreshExpiresAt }`;
    await assert.rejects(send(`mutation Both { ${obtain} sessionsRevokeAll }`));
    assert.equal(latchkey.count('Both'), 1);
    assert.equal(latchkey.count('LatchkeyRefresh'), 0);
    assert.deepEqual(await send('mutation Others { sessionsRevokeAll }'), { sessionsRevokeAll: 1 });
    assert.equal(latchkey.count('Others'), 2);
  });

  test(`${name}: a session that was ended is over, and the application is told once`, async (t) => {
    const latchkey = await front(t);
    const { auth, told } = await signedIn(t, latchkey);
    const send = make(auth);
    await send(queries[0]);
    await latchkey.direct('mutation { sessionsRevokeAll(exceptCurrent: false) }', await auth.getAccessToken());
    for (const { status } of await Promise.allSettled(queries.map(send))) assert.equal(status, 'rejected');
    assert.deepEqual(told, ['REVOKED']);
    assert.equal(latchkey.count('LatchkeyRefresh'), 1);
    await assert.rejects(send(queries[0]));
    assert.deepEqual(await send('query Public { __typename }'), { __typename: 'Query' });
  });

  test(`${name}: a server that is away while a token is refreshed costs time and nothing else`, async (t) => {
    const { auth, latchkey, told } = await expired(t);
    const send = make(auth);
    const access = await auth.getAccessToken();
    await latchkey.stop();
    const renewed = auth.renew(access);
    while (latchkey.count('LatchkeyRefresh') === 0) await new Promise(setImmediate);
    await latchkey.start();
    // Where the start took longer than it is tried for, the next request goes on.
    assert.notEqual(await renewed.catch(() => auth.renew(access)), null);
    assert.equal((await send(queries[0])).protected, answer.protected);
    assert.deepEqual(told, ['signedIn']);
  });

  test(`${name}: what is wrong with an operation comes through`, async (t) => {
    const latchkey = await front(t);
    const { auth } = await signedIn(t, latchkey);
    await assert.rejects(make(auth)('mutation None { sessionRevoke(id: "none") }'), (error) => {
      const { code } = (error.errors ?? error.graphQLErrors ?? error.response?.errors)[0].extensions;
      return code === 'NOT_FOUND';
    });
    assert.equal(latchkey.count('None'), 1);
  });
}

test('a server that trusts what the command of the README writes runs the operations of the package, and no other', async (t) => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [, command] = readme.match(/^```sh\n(.*?)^```$/ms);
  const trusted = join(folder(), 'trusted');
  mkdirSync(trusted);
  const cwd = fileURLToPath(new URL('..', import.meta.url)); // there the package is found by its own name
  execFileSync('bash', ['-euc', command.replace('>trusted/', `>${trusted}/`)], { cwd });

  const latchkey = await front(t, { LATCHKEY_TRUSTED_DOCUMENTS: trusted });
  const { auth } = await signedIn(t, latchkey);
  assert.equal((await auth.refresh()).user.username, username);
  assert.deepEqual(await auth.changePassword(password, `${password} staple`), []);
  await assert.rejects(clients.fetch(auth)('query Other { me { id } }'), /not one of the trusted documents/);
  await auth.signOut();
  assert.deepEqual(latchkey.requests.map(({ operationName }) => operationName), [
    'LatchkeySignIn',
    'LatchkeyRefresh',
    'LatchkeyChangePassword',
    'Other',
    'LatchkeySignOut',
  ]);
});
