// The refresh token in a cookie, in a real browser: what pages of the server's own origin, of an allowed one and of a
// foreign one can do with it. The front end is the one in docs/browser.md.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { launch, launchProfile } from './browser.mjs';
import { certificate, folder, password, servePages, serveTLS, start, username } from './latchkey.mjs';

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

const guide = readFileSync(new URL('../docs/browser.md', import.meta.url), 'utf8');
const frontEnd = guide.match(/```js\n(.*?)```/s)[1];

// load opens a page and gives it the front end, as `app`.
async function load(page, address, endpoint = '/graphql') {
  await page.goto(address);
  await install(page, endpoint);
}

async function install(page, endpoint = '/graphql') {
  const code = frontEnd.replace("'/graphql'", JSON.stringify(endpoint)).replaceAll(/^export /gm, '');
  await page.evaluate(`window.app = (() => { ${code}; return { signIn, refresh, call, signOut }; })(); null`);
}

const signIn = (page) => page.evaluate(([u, p]) => app.signIn(u, p), [username, password]);
const refresh = (page) => page.evaluate(() => app.refresh());
const whoAmI = async (page) => (await page.evaluate(() => app.call('{ me { username } }'))).data.me?.username;

async function newContext(t, options) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(20_000);
  t.after(() => context.close());
  return context;
}

// newProfile returns the context of a browser that takes third-party cookies.
async function newProfile(t) {
  const profile = folder();
  const context = await launchProfile(profile, { ignoreHTTPSErrors: true });
  t.after(() => context.close());
  return context;
}

async function theCookie(context) {
  const cookies = await context.cookies();
  assert.ok(cookies.length <= 1, JSON.stringify(cookies));
  return cookies[0];
}

// The main job of a front end, from signing in to signing out.
async function signsInAndOut(page, context, reinstall) {
  await signIn(page);
  assert.equal(await whoAmI(page), username);
  const first = await theCookie(context);
  assert.equal(await page.evaluate(() => document.cookie), '');

  await page.reload();
  await reinstall();
  assert.equal(await refresh(page), true, 'the session outlives the page');
  assert.equal(await whoAmI(page), username);
  const second = await theCookie(context);
  assert.notEqual(second.value, first.value);

  await page.evaluate(() => app.signOut());
  assert.equal(await theCookie(context), undefined);
  assert.equal(await whoAmI(page), undefined);
  assert.equal(await refresh(page), false);
  return second;
}

for (const host of ['localhost', '127.0.0.1']) {
  test(`on plain http the server's own page at ${host} signs in, reloads and signs out`, async (t) => {
    const port = await start(t);
    const context = await newContext(t);
    const page = await context.newPage();
    await load(page, `http://${host}:${port}/`);
    const { name, domain, path, httpOnly, secure, sameSite } = await signsInAndOut(page, context, () => install(page));
    assert.deepEqual(
      { name, domain, path, httpOnly, secure, sameSite },
      { name: 'latchkey-refresh', domain: host, path: '/', httpOnly: true, secure: false, sameSite: 'Strict' },
    );
  });
}

test('an allowed page on another port signs in, reloads and signs out', async (t) => {
  const pages = await servePages(t);
  const port = await start(t, { LATCHKEY_ALLOWED_ORIGINS: `http://localhost:${pages}` });
  const endpoint = `http://localhost:${port}/graphql`;
  const context = await newContext(t);
  const page = await context.newPage();
  await load(page, `http://localhost:${pages}/`, endpoint);
  await signsInAndOut(page, context, () => install(page, endpoint));
});

test('to the browser localhost and 127.0.0.1 are two sites, and the page is told so', async (t) => {
  const pages = await servePages(t);
  const port = await start(t, { LATCHKEY_ALLOWED_ORIGINS: `http://localhost:${pages}` });
  const context = await newContext(t);
  const page = await context.newPage();
  await load(page, `http://localhost:${pages}/`, `http://127.0.0.1:${port}/graphql`);
  await assert.rejects(signIn(page), /Name both with the same host/);
});

test('a new tab goes on with the session, and signing out ends it in both', async (t) => {
  const port = await start(t);
  const context = await newContext(t);
  const [one, other] = [await context.newPage(), await context.newPage()];
  await load(one, `http://localhost:${port}/`);
  await load(other, `http://localhost:${port}/`);
  await signIn(one);
  assert.equal(await whoAmI(other), username);
  assert.deepEqual(await Promise.all([refresh(one), refresh(other)]), [true, true], 'two refreshes at once');
  assert.equal(await whoAmI(one), username);
  await other.evaluate(() => app.signOut());
  assert.equal(await whoAmI(one), undefined);
});

// What a foreign page sends: with a preflight, without one, and as a form.
const attempts = {
  async fetch(page, endpoint, query) {
    return page.evaluate(([url, query]) => fetch(url, {
      method: 'POST', credentials: 'include', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ query }),
    }).then((r) => r.text(), (e) => e.name), [endpoint, query]);
  },
  async 'simple request'(page, endpoint, query) {
    return page.evaluate(([url, query]) => fetch(url, {
      method: 'POST', mode: 'no-cors', credentials: 'include', body: JSON.stringify({ query }),
    }).then((r) => r.text(), (e) => e.name), [endpoint, query]);
  },
  async beacon(page, endpoint, query) {
    const [request] = await Promise.all([
      page.waitForEvent('requestfailed', (request) => request.url() === endpoint),
      page.evaluate(([url, query]) => navigator.sendBeacon(url, JSON.stringify({ query })), [endpoint, query]),
    ]);
    assert.match(request.failure().errorText, /NotSameOrigin/); // Cross-Origin-Resource-Policy keeps even the answer away
    return '';
  },
  async form(page, endpoint, query) {
    const [text] = await Promise.all([
      page.waitForResponse(endpoint).then((r) => r.text()),
      page.evaluate(([url, query]) => {
        const form = Object.assign(document.createElement('form'), { method: 'post', action: url, enctype: 'text/plain' });
        const field = Object.assign(document.createElement('input'), { name: JSON.stringify({ query }).slice(0, -1) + ',"x":"', value: '"}' });
        form.append(field);
        document.body.append(form);
        form.submit();
      }, [endpoint, query]),
    ]);
    assert.match(text, /Content-Type/);
    return '';
  },
};

for (const [host, relation] of [['localhost', 'same site'], ['evil.localhost', 'another site']]) {
  test(`a foreign page of ${relation} can neither use the cookie nor set it`, async (t) => {
    const pages = await servePages(t);
    const port = await start(t, { LATCHKEY_ALLOWED_ORIGINS: 'http://localhost:1', LATCHKEY_COOKIE_SAMESITE: 'None' });
    const context = await newContext(t);
    const [own, foreign] = [await context.newPage(), await context.newPage()];
    await load(own, `http://localhost:${port}/`);
    const obtain = `mutation { tokenObtain(username: "${username}", password: "${password}", delivery: COOKIE) { access } }`;
    const endpoint = `http://localhost:${port}/graphql`;

    for (const [name, attempt] of Object.entries(attempts)) {
      await foreign.goto(`http://${host}:${pages}/`);
      assert.doesNotMatch(await attempt(foreign, endpoint, obtain), /access/, name);
      assert.equal(await theCookie(context), undefined, `${name} signs the browser in`);
    }
    await signIn(own);
    const before = await theCookie(context);
    for (const [name, attempt] of Object.entries(attempts)) {
      for (const query of ['mutation { tokenRefresh { access } }', 'mutation { tokenRevoke }', obtain]) {
        await foreign.goto(`http://${host}:${pages}/`);
        assert.doesNotMatch(await attempt(foreign, endpoint, query), /access|true/, name);
        assert.deepEqual(await theCookie(context), before, `${name} changes the cookie`);
      }
    }
    assert.equal(await whoAmI(own), username);
    assert.equal(await refresh(own), true);
  });
}

test('a frame without an origin can do nothing, either', async (t) => {
  const port = await start(t);
  const context = await newContext(t);
  const page = await context.newPage();
  await load(page, `http://localhost:${port}/`);
  await signIn(page);
  const before = await theCookie(context);
  const pages = await servePages(t);
  await page.goto(`http://localhost:${pages}/`);
  await page.evaluate(() => {
    const frame = Object.assign(document.createElement('iframe'), { srcdoc: '<p>sandboxed', sandbox: 'allow-scripts' });
    document.body.append(frame);
    return new Promise((done) => frame.addEventListener('load', done));
  });
  const answer = await attempts.fetch(page.frames()[1], `http://localhost:${port}/graphql`, 'mutation { tokenRefresh { access } }');
  assert.equal(answer, 'TypeError');
  assert.deepEqual(await theCookie(context), before);
});

// serveHTTPS serves Latchkey at auth.example.localhost, for the pages of one other host; returns both origins.
async function serveHTTPS(t, host, settings) {
  const tls = certificate();
  const allowed = `https://${host}:${await servePages(t, tls)}`;
  const port = await start(t, { LATCHKEY_TRUSTED_PROXIES: '127.0.0.1', LATCHKEY_ALLOWED_ORIGINS: allowed, ...settings });
  return { allowed, own: `https://auth.example.localhost:${await serveTLS(t, tls, port)}` };
}

function assertSecure(cookie, sameSite) {
  const { name, domain, path, httpOnly, secure } = cookie;
  assert.deepEqual(
    { name, domain, path, httpOnly, secure, sameSite: cookie.sameSite },
    { name: '__Host-latchkey-refresh', domain: 'auth.example.localhost', path: '/', httpOnly: true, secure: true, sameSite },
  );
}

test('over HTTPS the cookie has the prefix, for the own page and an allowed one of the same site', async (t) => {
  const { allowed, own } = await serveHTTPS(t, 'app.example.localhost');
  const context = await newContext(t, { ignoreHTTPSErrors: true });
  const page = await context.newPage();
  await load(page, `${own}/`);
  assertSecure(await signsInAndOut(page, context, () => install(page)), 'Strict');
  await load(page, `${allowed}/`, `${own}/graphql`);
  assertSecure(await signsInAndOut(page, context, () => install(page, `${own}/graphql`)), 'Strict');
});

test('an allowed page of another site has the cookie with SameSite=None, while the browser takes it', async (t) => {
  const { allowed, own } = await serveHTTPS(t, 'app.other.localhost', { LATCHKEY_COOKIE_SAMESITE: 'None' });
  const context = await newProfile(t);
  const page = await context.newPage();
  await load(page, `${allowed}/`, `${own}/graphql`);
  assertSecure(await signsInAndOut(page, context, () => install(page, `${own}/graphql`)), 'None');
});

test('with SameSite=Strict an allowed page of another site does not have it, and is told so', async (t) => {
  const { allowed, own } = await serveHTTPS(t, 'app.other.localhost');
  const context = await newProfile(t);
  const page = await context.newPage();
  await load(page, `${allowed}/`, `${own}/graphql`);
  await assert.rejects(signIn(page), /the page is of another site than the server/);
  assert.equal(await theCookie(context), undefined);
  assert.equal(await refresh(page), false);
});
