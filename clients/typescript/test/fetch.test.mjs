import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createAuth } from '@latchkey/client';
import { createFetch } from '@latchkey/client/fetch';
import { accessToken, World } from './world.mjs';

const [first, second] = [accessToken('id of ada', 1), accessToken('id of ada', 2)];
const endpoint = 'https://auth.example/graphql';

/** setUp gives a fetch of a tab that is signed in; the answers come from `answer`, and what was sent is in `sent`. */
async function setUp(answer, options) {
  const world = new World();
  const auth = world.tab();
  await auth.signIn('ada', 'right');
  const sent = [];
  const fetch = createFetch(auth, {
    ...options,
    fetch: async (input, init) => {
      const request = new Request(input, init);
      const { method, url, headers } = request;
      sent.push({ method, url, access: headers.get('Authorization'), body: await request.text() });
      return answer(sent.length);
    },
  });
  return { ...world, auth, sent, fetch };
}

const post = (query, more) => ({
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ query }),
  ...more,
});
const refused = (data = null) =>
  Response.json({
    data,
    errors: [{ message: '', path: ['a'], extensions: { code: 'UNAUTHENTICATED', reason: 'EXPIRED' } }],
  });
const whole = () => Response.json({ data: { a: 'ok' } });
const once = (number) => (number === 1 ? refused({ a: null }) : whole());

test('the token is sent along, and a refused query is sent again as it was', async () => {
  const { fetch, sent, server } = await setUp(once);
  const response = await fetch(endpoint, post('{ a }'));
  assert.deepEqual(await response.json(), { data: { a: 'ok' } });
  const body = '{"query":"{ a }"}';
  assert.deepEqual(sent, [
    { method: 'POST', url: endpoint, access: `Bearer ${first}`, body },
    { method: 'POST', url: endpoint, access: `Bearer ${second}`, body },
  ]);
  assert.equal(server.count('LatchkeyRefresh'), 1);
});

test('it is sent again once, and the answer can be read', async () => {
  const { fetch, sent } = await setUp(() => refused());
  const response = await fetch(endpoint, post('{ a }'));
  assert.equal((await response.json()).errors[0].extensions.code, 'UNAUTHENTICATED');
  assert.equal(sent.length, 2);
});

test('twenty at once refresh once', async () => {
  const { fetch, server } = await setUp((number) => (number <= 20 ? refused() : whole()));
  const answers = await Promise.all(
    Array.from({ length: 20 }, async () => (await fetch(endpoint, post('{ a }'))).json()),
  );
  for (const { data } of answers) assert.deepEqual(data, { a: 'ok' });
  assert.equal(server.count('LatchkeyRefresh'), 1);
});

test('a mutation is sent again only where nothing of it has run', async () => {
  for (const [query, times] of [
    ['mutation { a }', 2],
    ['mutation { b a }', 1],
    ['mutation { ...F }', 1],
  ]) {
    const { fetch, sent } = await setUp((number) => (number === 1 ? refused() : whole()));
    await fetch(endpoint, post(query));
    assert.equal(sent.length, times, query);
  }
});

test('of a body that is not known only the answer counts', async () => {
  for (const [data, times] of [
    [null, 1],
    [{ a: null }, 2],
    [{ a: null, b: 1 }, 1],
  ]) {
    const { fetch, sent } = await setUp((number) => (number === 1 ? refused(data) : whole()));
    const form = new FormData();
    form.append('operations', '{}');
    await fetch(endpoint, { method: 'POST', body: form });
    assert.equal(sent.length, times, JSON.stringify(data));
  }
});

test('a GET is a query', async () => {
  const { fetch, sent } = await setUp((number) => (number === 1 ? refused() : whole()));
  await fetch(`${endpoint}?query={a}`);
  assert.equal(sent.length, 2);
});

test('the status 401 of another API is a refusal, whatever was asked for', async () => {
  const answer = (number) => (number === 1 ? new Response('no', { status: 401 }) : new Response('done'));
  const { fetch, sent } = await setUp(answer, { origins: ['https://api.example'] });
  const response = await fetch(new Request('https://api.example/orders', { method: 'POST', body: 'an order' }));
  assert.equal(await response.text(), 'done');
  assert.deepEqual(
    sent.map(({ access, body }) => [access, body]),
    [
      [`Bearer ${first}`, 'an order'],
      [`Bearer ${second}`, 'an order'],
    ],
  );
});

test('other statuses and other JSON are passed on', async () => {
  const answers = [
    new Response('forbidden', { status: 403 }),
    Response.json(['"UNAUTHENTICATED"', 'UNAUTHENTICATED']),
    Response.json({ errors: 'UNAUTHENTICATED' }),
    new Response('', { headers: { 'Content-Type': 'application/json' } }),
  ];
  for (const answer of answers) {
    const { fetch, sent } = await setUp(() => answer);
    assert.equal(await fetch(endpoint, post('{ a }')), answer);
    assert.equal(sent.length, 1);
  }
});

test('no other origin gets the token', async () => {
  const { fetch, sent } = await setUp(() => new Response('', { status: 401 }), { origins: ['https://api.example'] });
  const others = [
    'https://evil.example/graphql',
    'http://auth.example/graphql',
    'https://auth.example:8443/graphql',
    'https://api.example.evil/',
  ];
  for (const url of others) await fetch(url, post('{ a }'));
  assert.deepEqual(
    sent.map(({ access }) => access),
    [null, null, null, null],
  );
});

test('a header of the caller is left alone', async () => {
  const { fetch, sent } = await setUp(() => new Response('', { status: 401 }));
  await fetch(endpoint, { headers: { authorization: 'Basic x' } });
  assert.deepEqual(
    sent.map(({ access }) => access),
    ['Basic x'],
  );
});

test('signed out, a request goes without a token and is not repeated', async () => {
  const { fetch, sent, auth } = await setUp(() => refused());
  await auth.signOut();
  await fetch(endpoint, post('{ a }'));
  assert.deepEqual(
    sent.map(({ access }) => access),
    [null],
  );
});

test('a session that is over gives the refusal itself', async () => {
  const { fetch, sent, server, auth } = await setUp(() => refused());
  server.sessions.clear();
  const response = await fetch(endpoint, post('{ a }'));
  assert.equal((await response.json()).errors.length, 1);
  assert.equal(sent.length, 1);
  assert.equal(auth.getState().reason, 'REVOKED');
});

test('an abort ends the wait for a refresh', async () => {
  const { fetch, server } = await setUp(() => refused());
  server.hold();
  const stop = new AbortController();
  const answer = fetch(endpoint, post('{ a }', { signal: stop.signal }));
  await new Promise(setImmediate);
  stop.abort();
  await assert.rejects(answer, { name: 'AbortError' });
});

test('a page with a path for an address can be loaded where there is no location', () => {
  const auth = createAuth({ url: '/graphql', storage: 'cookie' });
  assert.equal(typeof createFetch(auth), 'function');
  auth.close();
});
