// The refresh token in the cookie, in tabs of a real browser, and a real server.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { build } from 'esbuild';

import { launch } from '../../../e2e/browser.mjs';
import { snippets } from '../test/readme.mjs';
import { front, password, username } from './front.mjs';

const root = new URL('..', import.meta.url).pathname;

async function bundle(contents) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root, loader: 'ts' },
    bundle: true,
    format: 'esm',
    target: 'es2022',
    define: { 'process.env.NODE_ENV': '"production"' },
    write: false,
  });
  return outputFiles[0].text;
}

let browser;
let app;
before(async () => {
  browser = await launch();
  app = await bundle(`
    import { createAuth } from '@latchkey/client';
    import { createFetch } from '@latchkey/client/fetch';
    const auth = createAuth({ url: '/graphql', storage: 'cookie' });
    const authFetch = createFetch(auth);
    const told = [];
    auth.subscribe(({ status, user, reason }) => told.push(user?.username ?? reason));
    async function call(query) {
      const headers = { 'Content-Type': 'application/json' };
      return (await authFetch('/graphql', { method: 'POST', headers, body: JSON.stringify({ query }) })).json();
    }
    Object.assign(window, { auth, told, call });
  `);
});
after(() => browser?.close());

/** setUp serves Latchkey and the application, and opens a number of tabs of one browser. */
async function setUp(t, { tabs = 2, settings } = {}) {
  const latchkey = await front(t, settings);
  latchkey.files['/page'] = '<!doctype html><title>a page</title><script type="module" src="/app.js"></script>';
  latchkey.files['/app.js'] = app;
  const context = await browser.newContext();
  t.after(() => context.close());
  context.setDefaultTimeout(20_000);
  const pages = [];
  for (let i = 0; i < tabs; i++) {
    pages.push(await context.newPage());
    await load(pages[i], latchkey);
  }
  return { latchkey, context, pages };
}

async function load(page, latchkey) {
  await page.goto(`${latchkey.origin}/page`);
  await page.waitForFunction(() => window.auth);
}

const signIn = (page, name = username) => page.evaluate(([u, p]) => auth.signIn(u, p), [name, password]);
const told = (page) => page.evaluate(() => window.told);
const waitUntilTold = (page, what) => page.waitForFunction((w) => window.told.at(-1) === w, what);

test('the session outlives a reload, and no script can read what keeps it', async (t) => {
  const {
    latchkey,
    context,
    pages: [page],
  } = await setUp(t, { tabs: 1 });
  assert.equal(await page.evaluate(async () => (await auth.restore()).reason), 'NO_SESSION');
  await signIn(page);
  await load(page, latchkey);
  assert.equal(await page.evaluate(async () => (await auth.restore()).user.username), username);
  assert.equal((await page.evaluate(() => call('{ protected }'))).data.protected, 'This view is protected');
  const seen = await page.evaluate(() => [document.cookie, localStorage.length, sessionStorage.length]);
  assert.deepEqual(seen, ['', 0, 0]);
  await page.evaluate(() => auth.signOut());
  assert.deepEqual(await context.cookies(), []);
  await load(page, latchkey);
  assert.equal(await page.evaluate(async () => (await auth.restore()).reason), 'NO_SESSION');
});

test('tabs that refresh at once take one refresh for each need', async (t) => {
  const { latchkey, pages } = await setUp(t, { tabs: 3 });
  await signIn(pages[0]);
  for (const page of pages) await waitUntilTold(page, username);
  let access = await pages[0].evaluate(() => auth.getAccessToken());
  for (let round = 1; round <= 50; round++) {
    const renew = (page) => page.evaluate((refused) => Promise.all([1, 2, 3].map(() => auth.renew(refused))), access);
    const renewed = new Set((await Promise.all(pages.map(renew))).flat());
    assert.equal(renewed.size, 1, 'all tabs go on with the same token');
    assert.ok(!renewed.has(access) && !renewed.has(null));
    [access] = renewed;
    assert.equal(latchkey.count('LatchkeyRefresh'), round);
  }
});

test('new tabs restore the session at once, and take one refresh', async (t) => {
  const { latchkey, pages } = await setUp(t, { tabs: 4 });
  const [first, ...others] = pages;
  await signIn(first);
  await first.close();
  for (const page of others) await load(page, latchkey);
  const states = await Promise.all(
    others.map((page) => page.evaluate(async () => (await auth.restore()).user?.username)),
  );
  assert.deepEqual(states, [username, username, username]);
  assert.equal(latchkey.count('LatchkeyRefresh'), 1);
});

test('under use, tokens that live for a second are renewed in time, and the server may restart', async (t) => {
  const { latchkey, pages } = await setUp(t, { settings: { LATCHKEY_ACCESS_TOKEN_LIFETIME: '1s' } });
  await signIn(pages[0]);
  const using = pages.map((page) =>
    page.evaluate(async () => {
      while (!window.enough) {
        const token = await auth.getAccessToken().catch((error) => {
          if (error.code !== 'NETWORK_ERROR') throw error; // the start took longer than it is tried for
        });
        if (token === null) return auth.getState().reason;
        await new Promise((done) => setTimeout(done, 10));
      }
      return auth.getState().status;
    }),
  );
  const refreshed = async (times) => {
    while (latchkey.answers.filter(({ data }) => data?.tokenRefresh).length < times) await pages[0].evaluate(() => 0);
  };
  await refreshed(2);
  await latchkey.restart();
  await refreshed(4);
  for (const page of pages) await page.evaluate(() => (window.enough = true));
  assert.deepEqual(await Promise.all(using), ['signedIn', 'signedIn']);
  for (const page of pages) assert.deepEqual(new Set(await told(page)), new Set([username]));
  const succeeded = latchkey.answers
    .filter(({ data }) => data?.tokenRefresh)
    .map(({ data }) => data.tokenRefresh.access);
  assert.equal(new Set(succeeded).size, succeeded.length, 'none was asked for twice');
});

test('signing out in one tab signs out of the other, without a request of it', async (t) => {
  const {
    latchkey,
    pages: [one, other],
  } = await setUp(t);
  await signIn(one);
  await waitUntilTold(other, username);
  await one.evaluate(() => auth.signOut());
  await waitUntilTold(other, 'SIGNED_OUT');
  assert.equal(await other.evaluate(() => auth.getAccessToken()), null);
  assert.deepEqual(await told(one), [username, 'SIGNED_OUT']);
  assert.deepEqual(
    latchkey.requests.map(({ operationName }) => operationName),
    ['LatchkeySignIn', 'LatchkeySignOut'],
  );
});

test('a session that was ended is over in both tabs, and each is told once, with the reason', async (t) => {
  const {
    latchkey,
    context,
    pages: [one, other],
  } = await setUp(t);
  await signIn(one);
  await waitUntilTold(other, username);
  const access = await one.evaluate(() => auth.getAccessToken());
  await latchkey.direct('mutation { sessionsRevokeAll(exceptCurrent: false) }', access);
  await Promise.all(
    [one, other, one].map((page) => page.evaluate(() => Promise.all([call('{ protected }'), call('{ me { id } }')]))),
  );
  for (const page of [one, other]) {
    await waitUntilTold(page, 'REVOKED');
    assert.deepEqual(await told(page), [username, 'REVOKED']);
  }
  assert.deepEqual(await context.cookies(), []);
});

test('the sign-in of another user is that of all tabs', async (t) => {
  const {
    latchkey,
    pages: [one, other],
  } = await setUp(t);
  await signIn(one);
  await waitUntilTold(other, username);
  const access = await one.evaluate(() => auth.getAccessToken());
  const bob = `mutation { userCreate(input: { username: "bob", password: "${password}" }) { errors { code } } }`;
  assert.deepEqual((await latchkey.direct(bob, access)).data.userCreate.errors, []);
  await signIn(one, 'bob');
  await waitUntilTold(other, 'bob');
  assert.equal((await other.evaluate(() => call('{ me { username } }'))).data.me.username, 'bob');
  assert.equal(await other.evaluate((refused) => auth.renew(refused), access), null);
});

test('a new password goes on in both tabs', async (t) => {
  const {
    latchkey,
    pages: [one, other],
  } = await setUp(t);
  await signIn(one);
  await waitUntilTold(other, username);
  const replacement = `${password} staple`;
  assert.deepEqual(await one.evaluate(([p, n]) => auth.changePassword(p, n), [password, replacement]), []);
  for (const page of [one, other]) {
    assert.equal((await page.evaluate(() => call('{ me { username } }'))).data.me.username, username);
    await page.evaluate(() => auth.refresh());
  }
  assert.deepEqual(new Set((await Promise.all([told(one), told(other)])).flat()), new Set([username]));
  assert.equal(latchkey.refused(), 0);
});

test('the programs of the README run', async (t) => {
  const {
    latchkey,
    pages: [page],
  } = await setUp(t, { tabs: 1 });
  const load = async (heading, more) => {
    const { code } = snippets.find((snippet) => snippet.heading === heading);
    latchkey.files[`/${encodeURIComponent(heading)}.js`] = await bundle(
      code.replace('https://auth.example.org', latchkey.origin) + more,
    );
    return `/${encodeURIComponent(heading)}.js`;
  };
  const lines = [];
  page.on('console', (message) => message.type() === 'log' && lines.push(message.text()));
  await page.evaluate((path) => import(path), await load('Signing in', ''));
  assert.deepEqual(lines, [`signed in as ${username}`, 'signed out: SIGNED_OUT']);

  await signIn(page);
  const query = JSON.stringify('{ me { username } }');
  const credentials = `${JSON.stringify(username)}, ${JSON.stringify(password)}`;
  const ask = {
    'Apollo Client 4': `
      import { gql } from '@apollo/client';
      export default async () => (await client.query({ query: gql(${query}) })).data.me.username;`,
    'urql 5': `
      export default async () => (await client.query(${query}, {}).toPromise()).data.me.username;`,
    'fetch, graphql-request and others': `
      export default async () => {
        await auth.signIn(${credentials});
        return (await client.request(${query})).me.username;
      };`,
    Types: `
      export default async () => {
        if ((await submit('nobody', 'wrong')) !== 'Wrong username or password.') return 'no message';
        return (await submit(${credentials})) ?? auth.getState().user.username;
      };`,
  };
  for (const [heading, code] of Object.entries(ask)) {
    const path = await load(heading, code);
    assert.equal(await page.evaluate(async (p) => (await import(p)).default(), path), username, heading);
  }
});
