// examples/react-apollo in a real browser: what its user sees while tokens expire, tabs refresh, sessions end elsewhere
// and the server goes away.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';

import { devices } from 'playwright-core';

import { front, password, username } from '../clients/typescript/e2e/front.mjs';
import { launch } from './browser.mjs';
import { folder, install } from './latchkey.mjs';

const example = new URL('../examples/react-apollo/', import.meta.url).pathname;
const axe = join(example, 'node_modules/axe-core/axe.min.js');
/** A folder for pictures of the page, where they are wanted. */
const screenshots = process.env.SCREENSHOTS;
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

let browser;
let files;
before(async () => {
  files = build();
  browser = await launch();
});
after(() => browser?.close());

/** build compiles the example, as strictly as its tsconfig.json says, and returns what is to be served, by path. */
function build(env = {}) {
  const out = folder();
  const options = { cwd: example, env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'inherit'] };
  execFileSync('npm', ['run', 'build', '--', '--outDir', out, '--emptyOutDir'], options);
  const paths = readdirSync(out, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const built = Object.fromEntries(
    paths.map(({ parentPath, name }) => {
      const file = join(parentPath, name);
      return [file.slice(out.length), readFileSync(file)];
    }),
  );
  return { ...built, '/': built['/index.html'] };
}

/** setUp serves Latchkey and, on the same origin, the example. */
async function setUp(t, { settings, csp = policy } = {}) {
  const latchkey = await front(t, settings);
  Object.assign(latchkey.files, files);
  latchkey.headers = { 'Content-Security-Policy': csp };
  return latchkey;
}

/** device is a browser of its own, with its own cookies; it collects the faults that no network is the cause of. */
async function device(t, options) {
  const context = await browser.newContext(options);
  t.after(() => context.close());
  context.setDefaultTimeout(60_000);
  const faults = [];
  context.on('console', (message) => {
    const isFault = ['error', 'warning'].includes(message.type());
    if (isFault && !message.text().startsWith('Failed to load resource')) faults.push(message.text());
  });
  context.on('weberror', (fault) => faults.push(String(fault.error())));
  await context.addInitScript(noteWhatIsSeen);
  return { context, faults };
}

/** noteWhatIsSeen runs in the page: it keeps the headings and alerts that were ever there, each once. */
function noteWhatIsSeen() {
  window.seen = new Set();
  new MutationObserver(() => {
    for (const { textContent } of document.querySelectorAll('h1, [role=alert]')) window.seen.add(textContent);
  }).observe(document, { childList: true, subtree: true, characterData: true });
}

/** AppPage does what a person does with the page, by what a person sees. */
class AppPage {
  static async open(context, address) {
    const page = new AppPage(await context.newPage());
    await page.page.goto(address);
    return page;
  }

  constructor(page) {
    this.page = page;
    this.sessions = page.getByRole('region', { name: 'Sessions' }).getByRole('listitem');
    this.alert = page.getByRole('alert');
    this.trying = page.getByText('The server cannot be reached. Trying again…');
  }

  async signIn(secret = password, name = username) {
    await this.page.getByLabel('Username').fill(name);
    await this.page.getByLabel('Password').fill(secret);
    await this.page.getByRole('button', { name: 'Sign in' }).click();
  }

  async changePassword(current, replacement) {
    await this.page.getByLabel('Current password').fill(current);
    await this.page.getByLabel('New password').fill(replacement);
    await this.page.getByRole('button', { name: 'Change password' }).click();
  }

  /** end ends the session of a row. */
  end(row) {
    return row.getByRole('button', { name: 'End this one' }).click();
  }

  /** row is that of the session to which an access token belongs. */
  row(access) {
    const { sid } = JSON.parse(Buffer.from(access.split('.')[1], 'base64url'));
    return this.sessions.filter({ has: this.page.locator(`[id="${sid}"]`) });
  }

  other() {
    return this.sessions.filter({ hasNot: this.page.locator('.badge') });
  }

  current() {
    return this.sessions.filter({ has: this.page.locator('.badge') });
  }

  signOut() {
    return this.page.getByRole('button', { name: 'Sign out' }).click();
  }

  waitForAccount() {
    return this.page.getByText('This view is protected').waitFor();
  }

  waitForForm() {
    return this.page.getByLabel('Username').waitFor();
  }

  waitForSessions(count) {
    return this.page.waitForFunction((n) => document.querySelectorAll('.sessions li').length === n, count);
  }

  /** focused is the text or the name of what has the focus. */
  focused() {
    return this.page.evaluate(() => document.activeElement.textContent || document.activeElement.name);
  }

  /** seen is what headings and alerts there were since the page was loaded. */
  async seen() {
    return new Set(await this.page.evaluate(() => [...window.seen]));
  }
}

/** signedIn serves the example and signs in to it, in one tab and then others of the same browser. */
async function signedIn(t, { tabs = 1, ...options } = {}) {
  const latchkey = await setUp(t, options);
  const { context, faults } = await device(t);
  const pages = [await AppPage.open(context, latchkey.origin)];
  await pages[0].signIn();
  await pages[0].waitForAccount();
  while (pages.length < tabs) {
    pages.push(await AppPage.open(context, latchkey.origin));
    await pages.at(-1).waitForAccount();
  }
  return { latchkey, context, faults, pages, page: pages[0] };
}

/** elsewhere signs in on another device. */
async function elsewhere(t, latchkey, options) {
  const { context, faults } = await device(t, options);
  const page = await AppPage.open(context, latchkey.origin);
  await page.signIn();
  await page.waitForAccount();
  return { page, faults };
}

const obtain = `mutation { tokenObtain(username: "${username}", password: "${password}") { access } }`;
const ended = 'Your session was ended, perhaps from another device. Sign in to go on.';

test('react-apollo: whoever signs in sees the protected field and who they are, and a reload keeps it so', async (t) => {
  const latchkey = await setUp(t);
  const { context, faults } = await device(t);
  const app = await AppPage.open(context, latchkey.origin);
  const { page } = app;
  await app.waitForForm();
  assert.equal(await app.focused(), 'username');
  await app.signIn('not the password');
  await app.alert.getByText('Wrong username or password.').waitFor();
  assert.equal(await app.focused(), 'password');
  assert.equal(await page.getByLabel('Username').inputValue(), username);
  await app.signIn();
  await app.waitForAccount();
  assert.equal(await app.focused(), 'Your account');
  await page.getByRole('definition').getByText(username, { exact: true }).waitFor();
  for (const row of ['Chrome on Linux', 'current', '127.0.0.1']) await app.sessions.getByText(row).waitFor();

  await page.reload();
  await app.waitForAccount();
  assert.deepEqual(await app.seen(), new Set(['Your account']));
  const stores = () => [document.cookie, localStorage.length, sessionStorage.length];
  assert.deepEqual(await page.evaluate(stores), ['', 0, 0]);
  const [cookie, ...others] = await context.cookies();
  assert.deepEqual([cookie.httpOnly, cookie.sameSite, others], [true, 'Strict', []]);
  assert.deepEqual(faults, [], 'the Content-Security-Policy is kept to');
});

test('react-apollo: tokens that live for 3 s are renewed under use in two tabs, and the server may restart', async (t) => {
  const { latchkey, pages, faults } = await signedIn(t, {
    tabs: 2,
    settings: { LATCHKEY_ACCESS_TOKEN_LIFETIME: '3s' },
  });
  const given = () => latchkey.answers.map(({ data }) => data?.tokenRefresh?.access).filter(Boolean);
  /** use goes on until so many tokens have been taken: another device signs in, and one tab ends its session. */
  const use = async (tokens) => {
    for (let turn = 0; given().length < tokens; turn++) {
      const { data } = await latchkey.direct(obtain);
      const row = pages[turn % 2].row(data.tokenObtain.access);
      await pages[turn % 2].end(row);
      await row.waitFor({ state: 'detached' });
    }
  };
  await use(given().length + 2);
  await latchkey.restart();
  await use(given().length + 2);

  for (const page of pages) {
    const seen = await page.seen();
    seen.delete('Sign in'); // before the first sign-in
    assert.deepEqual(seen, new Set(['Your account']));
  }
  assert.deepEqual(await pages[1].seen(), new Set(['Your account']));
  assert.equal(new Set(given()).size, given().length, 'none was asked for twice');
  assert.equal(latchkey.count('LatchkeySignIn'), 1);
  assert.deepEqual(faults, []);
});

test('react-apollo: two tabs that refresh at once take one refresh', async (t) => {
  const { latchkey, context, pages, faults } = await signedIn(t, { tabs: 2 });
  let goOn;
  const bothAsk = new Promise((resolve) => (goOn = resolve));
  await context.route('**/graphql', async (route) => {
    if (route.request().postDataJSON().operationName === 'LatchkeyRefresh') await bothAsk;
    await route.continue();
  });
  const before = latchkey.count('LatchkeyRefresh');
  await Promise.all(pages.map(({ page }) => page.reload()));
  await pages[0].page.waitForFunction(async () => {
    const { held, pending } = await navigator.locks.query();
    return held.length === 1 && pending.length === 1;
  });
  goOn();
  await Promise.all(pages.map((page) => page.waitForAccount()));
  assert.equal(latchkey.count('LatchkeyRefresh'), before + 1);
  for (const page of pages) assert.deepEqual(await page.seen(), new Set(['Your account']));
  assert.deepEqual(faults, []);
});

test('react-apollo: a session that another device ends is over in all tabs, which say why', async (t) => {
  const { latchkey, context, pages, faults } = await signedIn(t, { tabs: 2 });
  const other = await elsewhere(t, latchkey);
  await other.page.waitForSessions(2);
  await other.page.end(other.page.other());
  await other.page.page.getByText('The session of Chrome on Linux has ended.').waitFor();
  assert.equal(await other.page.focused(), 'Sessions');
  await other.page.waitForSessions(1);
  for (const page of pages) {
    await page.alert.getByText(ended).waitFor();
    await page.waitForForm();
  }
  assert.deepEqual(await pages[1].seen(), new Set(['Your account', 'Sign in', ended]));
  assert.deepEqual(await context.cookies(), []);
  await pages[0].signIn();
  for (const page of pages) await page.waitForAccount();
  assert.deepEqual([...faults, ...other.faults], []);
});

test('react-apollo: a session that is ended from another tab is over in both, which say why', async (t) => {
  const { pages, faults } = await signedIn(t, { tabs: 2 });
  await pages[1].end(pages[1].current());
  for (const page of pages) await page.alert.getByText(ended).waitFor();
  assert.deepEqual(await pages[1].seen(), new Set(['Your account', 'Sign in', ended]));
  assert.deepEqual(faults, []);
});

test('react-apollo: a new password ends the other sessions, and this one goes on', async (t) => {
  const { latchkey, pages, page: app, faults } = await signedIn(t, { tabs: 2 });
  const other = await elsewhere(t, latchkey);
  const replacement = `${password} staple`;
  await app.changePassword('not the password', replacement);
  await app.alert.waitFor();
  assert.equal(await app.focused(), 'current');
  await app.changePassword(password, 'short');
  await app.page.getByLabel('New password').and(app.page.locator('[aria-invalid=true]')).waitFor();
  assert.equal(await app.focused(), 'new');
  await app.changePassword(password, replacement);
  await app.page.getByText('Your password has changed. All other sessions have ended.').waitFor();
  assert.equal(await app.alert.count(), 0);
  await app.waitForSessions(1);
  await other.page.alert.getByText(ended).waitFor();
  await pages[1].waitForSessions(1);
  assert.deepEqual(await pages[1].seen(), new Set(['Your account']));
  await other.page.signIn(); // the password of before
  await other.page.alert.getByText('Wrong username or password.').waitFor();
  await other.page.signIn(replacement);
  await other.page.waitForAccount();
  await app.waitForSessions(2);
  assert.deepEqual([...faults, ...other.faults], []);
});

test('react-apollo: signing out is that of all tabs, and so is the sign-in of another user', async (t) => {
  const { latchkey, context, pages, faults } = await signedIn(t, { tabs: 2 });
  await pages[0].signOut();
  for (const page of pages) await page.page.getByText('You have signed out.').waitFor();
  while ((await context.cookies()).length > 0) await latchkey.direct('{ __typename }');
  await pages[1].page.reload();
  await pages[1].waitForForm();
  assert.deepEqual(await pages[1].seen(), new Set(['Sign in']));

  const { data } = await latchkey.direct(obtain);
  const bob = `mutation { userCreate(input: { username: "bob", password: "${password}" }) { errors { code } } }`;
  await latchkey.direct(bob, data.tokenObtain.access);
  await pages[1].signIn(password, 'bob');
  for (const page of pages) {
    await page.waitForAccount();
    await page.page.getByRole('definition').getByText('bob', { exact: true }).waitFor();
    assert.equal(await page.sessions.count(), 1);
    assert.equal(await page.page.getByText(username, { exact: true }).count(), 0);
  }
  assert.deepEqual(faults, []);
});

test('react-apollo: while the server is away the page says so, and goes on afterwards', async (t) => {
  const { latchkey, pages, faults } = await signedIn(t, {
    tabs: 2,
    settings: { LATCHKEY_ACCESS_TOKEN_LIFETIME: '3s' },
  });
  const [app, reloaded] = pages;
  await latchkey.stop();
  await reloaded.page.reload();
  await reloaded.trying.waitFor();
  await app.trying.waitFor();
  // Longer than the package waits for a refresh.
  for (const before = latchkey.count('LatchkeyRefresh'); latchkey.count('LatchkeyRefresh') < before + 6; ) {
    await app.page.evaluate(() => new Promise(requestAnimationFrame));
  }
  await app.page.getByText('This view is protected').waitFor();
  assert.deepEqual(await app.seen(), new Set(['Sign in', 'Your account']), 'no error');
  await app.changePassword(password, `${password} staple`);
  await app.alert.getByText('The server cannot be reached. Please try again.').waitFor();
  await latchkey.start();
  for (const page of pages) {
    await page.waitForAccount();
    await page.trying.waitFor({ state: 'detached' });
  }
  assert.deepEqual(await reloaded.seen(), new Set(['Your account']));
  assert.deepEqual(faults, []);
});

test('react-apollo: without a network the page says so, and goes on afterwards', async (t) => {
  const { context, page: app, faults } = await signedIn(t);
  await context.setOffline(true);
  await app.trying.waitFor();
  await context.setOffline(false);
  await app.trying.waitFor({ state: 'detached' });
  await app.waitForAccount();
  assert.deepEqual(await app.seen(), new Set(['Sign in', 'Your account']));
  assert.deepEqual(faults, []);
});

test('react-apollo: a sign-out that the server was not told of can be repeated', async (t) => {
  const { latchkey, context, page: app, faults } = await signedIn(t);
  await latchkey.stop();
  await app.signOut();
  await app.alert.getByText('your session goes on there').waitFor();
  assert.equal((await context.cookies()).length, 1);
  await latchkey.start();
  await app.page.getByRole('button', { name: 'Try again to sign out' }).click();
  await app.alert.waitFor({ state: 'detached' });
  while ((await context.cookies()).length > 0) await latchkey.direct('{ __typename }');
  await app.page.reload();
  await app.waitForForm();
  assert.deepEqual(faults, []);
});

for (const [name, options] of Object.entries({
  light: { colorScheme: 'light', viewport: { width: 860, height: 1010 } },
  dark: { colorScheme: 'dark', viewport: { width: 860, height: 1010 } },
  narrow: { colorScheme: 'light', viewport: { width: 390, height: 844 } },
})) {
  test(`react-apollo: axe finds nothing serious in the page: ${name}`, async (t) => {
    const latchkey = await setUp(t, { csp: '' }); // the real policy lets no script in from outside
    const { context, faults } = await device(t, options);
    await context.addInitScript({ path: axe });
    const app = await AppPage.open(context, latchkey.origin);
    const found = [];
    await app.waitForForm();
    await check('signed out');
    await app.signIn('not the password');
    await app.alert.waitFor();
    await check('refused');
    await app.signIn();
    await app.waitForAccount();
    await elsewhere(t, latchkey, devices['iPhone 15']);
    const { data } = await latchkey.direct(obtain);
    const who = 'firstName: "Ada", lastName: "Lovelace", email: "ada@example.org"';
    await latchkey.direct(`mutation { userUpdate(id: 1, input: { ${who} }) { errors { code } } }`, data.tokenObtain.access);
    await app.waitForSessions(3);
    await app.sessions.getByText('Safari on iOS').waitFor();
    await app.page.getByText('Ada Lovelace').waitFor();
    if (screenshots) await app.page.screenshot({ path: join(screenshots, `react-apollo-${name}.png`) });
    await check('signed in');
    await app.changePassword('not the password', 'short');
    await app.alert.first().waitFor();
    await check('password refused');
    await latchkey.stop();
    await app.trying.waitFor();
    await check('trying again');
    assert.deepEqual(found, []);
    assert.deepEqual(faults, []);

    async function check(what) {
      const { violations, passes } = await app.page.evaluate(() => axe.run());
      assert.ok(passes.length > 10, 'axe looked at the page');
      for (const { id, impact, nodes } of violations) {
        if (['serious', 'critical'].includes(impact)) found.push(`${what}: ${id} at ${nodes[0].html}`);
      }
      const sideways = await app.page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      if (sideways) found.push(`${what}: something is out of sight sideways`);
    }
  });
}

test('react-apollo: a page of another origin', async (t) => {
  const latchkey = await front(t);
  const pageServer = await setUp(t, { csp: policy.replace("connect-src 'self'", `connect-src ${latchkey.origin}`) });
  Object.assign(pageServer.files, build({ VITE_LATCHKEY_URL: latchkey.url }));
  await latchkey.restart({ LATCHKEY_ALLOWED_ORIGINS: pageServer.origin });
  const { context, faults } = await device(t);
  const app = await AppPage.open(context, pageServer.origin);
  await app.signIn();
  await app.waitForAccount();
  await app.page.reload();
  await app.waitForAccount();
  await app.end(app.current());
  await app.alert.getByText(ended).waitFor();
  assert.deepEqual(await context.cookies(), []);
  assert.equal(pageServer.requests.length, 0);
  assert.deepEqual(faults, []);
});

test('react-apollo: run starts the server and the page, and ends both', async (t) => {
  const { env } = install();
  // The settings of these tests are none of the server.
  const surroundings = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('LATCHKEY_')));
  const address = `127.0.0.1:${await freePort()}`;
  const running = spawn(join(example, 'run'), {
    env: { ...surroundings, ...env, LATCHKEY_ADDR: address },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => running.kill());
  const [[, url]] = await Promise.all([
    waitForLine(running.stdout, /Local: +(http\S+)/),
    waitForLine(running.stderr, /"msg":"listening"/),
  ]);
  const { context, faults } = await device(t);
  const app = await AppPage.open(context, url);
  await app.signIn();
  await app.waitForAccount();
  await app.page.reload();
  await app.waitForAccount();
  assert.deepEqual(faults, []);
  running.kill();
  await once(running, 'close');
  await assert.rejects(fetch(`http://${address}/healthz`), 'Latchkey has ended, too');
});

async function waitForLine(stream, pattern) {
  const read = [];
  for await (const line of createInterface({ input: stream })) {
    read.push(stripVTControlCharacters(line));
    const match = read.at(-1).match(pattern);
    if (!match) continue;
    stream.resume();
    return match;
  }
  throw new Error(`it ended before it said ${pattern}:\n${read.join('\n')}`);
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
