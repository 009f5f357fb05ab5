// GraphiQL in a real browser: signing in through its pane, and what each field needs.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { parse } from 'graphql';

import { GraphiQLPage, launch, load, open } from './browser.mjs';
import { password, start, username } from './latchkey.mjs';
import { screenshots } from './settings.mjs';

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

// serve starts a server and opens the page.
async function serve(t, { settings, prepare, options } = {}) {
  const port = await start(t, settings);
  const address = `http://127.0.0.1:${port}/`;
  return { address, ...(await open(t, browser, address, prepare, options)) };
}

// call makes a request without the page.
async function call(address, query, { variables, token } = {}) {
  const response = await fetch(`${address}graphql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ query, variables }),
  });
  return response.json();
}

async function obtain(address, name = username) {
  const query = 'mutation ($u: String!, $p: String!) { tokenObtain(username: $u, password: $p) { access } }';
  const { data } = await call(address, query, { variables: { u: name, p: password } });
  return data.tokenObtain.access;
}

// SignInPane does what a person does with the pane.
class SignInPane {
  constructor(page) {
    this.page = page;
    this.region = page.getByRole('region', { name: /^Sign(ed)? in/ });
    this.alert = this.region.getByRole('alert').filter({ hasText: /./ });
  }

  async show() {
    const button = this.page.getByRole('button', { name: 'Show Sign in' });
    if (await button.isVisible()) await button.click();
  }

  async send(name, secret) {
    await this.page.getByLabel('Username').fill(name);
    await this.page.getByLabel('Password').fill(secret);
    await this.region.getByRole('button', { name: 'Sign in' }).click();
  }

  async signIn(name = username) {
    await this.show();
    await this.send(name, password);
    await this.waitForUser(name);
  }

  async signOut() {
    await this.region.getByRole('button', { name: 'Sign out' }).click();
    await this.waitForForm();
  }

  waitForUser(name = username) {
    return this.page.getByRole('heading', { name: `Signed in as ${name}` }).waitFor();
  }

  waitForForm() {
    return this.page.getByLabel('Password').waitFor();
  }

  claim(name) {
    return this.region.getByRole('row').filter({ has: this.page.getByRole('rowheader', { name, exact: true }) }).getByRole('cell');
  }
}

// isRefresh picks the requests that the page makes by itself.
const isRefresh = (request) => request.postData()?.includes('PaneRefresh');

async function renewed(response) {
  const { data } = await response.json();
  return data.tokenRefresh.access;
}

function claimsOf(token) {
  return JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
}

test('whoever signs in through the pane runs the opening tabs as they are', async (t) => {
  const { page, requests, faults, address } = await serve(t);
  const [graphiql, pane] = [new GraphiQLPage(page), new SignInPane(page)];
  await pane.signIn(); // the pane is open at the first visit
  assert.equal(await page.evaluate(() => document.activeElement.textContent), `Signed in as ${username}`);

  await graphiql.pressTool('Headers');
  for (const [tab, field] of [['Protected', 'protected'], ['Me', 'me'], ['Refresh', 'tokenRefresh'], ['Verify', 'tokenVerify']]) {
    await graphiql.selectTab(tab);
    await graphiql.waitForText(graphiql.tool, 'Bearer eyJ');
    const { request, answer } = await graphiql.run();
    assert.match(request.headers().authorization, /^Bearer eyJ/, tab);
    assert.equal(answer.errors, undefined, `${tab}: ${JSON.stringify(answer.errors)}`);
    assert.ok(answer.data[field], tab);
  }

  const sent = (await graphiql.run()).request.headers().authorization.replace('Bearer ', '');
  const claims = claimsOf(sent);
  assert.equal(await pane.claim('sid').innerText(), claims.sid);
  assert.equal(await pane.claim('user_id').innerText(), claims.user_id);
  assert.equal(await pane.claim('alg').innerText(), 'ES256');
  const expires = pane.claim('exp').locator('time');
  assert.equal(Date.parse(await expires.getAttribute('datetime')), claims.exp * 1000);
  assert.match(await expires.innerText(), new RegExp(String(new Date(claims.exp * 1000).getFullYear())));
  assert.match(await page.getByRole('timer').innerText(), /^[45]:\d\d$/);

  const foreign = requests.filter((url) => !url.startsWith('data:') && !url.startsWith(address));
  assert.deepEqual(foreign, []);
  assert.deepEqual(faults, []);
});

test('an Authorization header that was typed wins over the session', async (t) => {
  const { page } = await serve(t);
  const [graphiql, pane] = [new GraphiQLPage(page), new SignInPane(page)];
  await pane.signIn();
  await graphiql.selectTab('Protected');
  await graphiql.pressTool('Headers');

  const cases = [
    ['{"Authorization": "Bearer typed"}', /^Bearer typed$/, 'MALFORMED'],
    ['{"authorization": "Basic eDp5"}', /^Basic eDp5$/, undefined],
    ['{"Authorization": ""}', undefined, undefined],
    ['{"X-Other": "1"}', /^Bearer eyJ/],
    ['', /^Bearer eyJ/],
  ];
  for (const [typed, sent, reason] of cases) {
    await graphiql.fill(graphiql.tool, typed);
    const { request, answer } = await graphiql.run();
    const header = request.headers().authorization;
    if (sent) assert.match(header, sent);
    else assert.equal(header, undefined, typed);
    if (String(sent).includes('eyJ')) assert.equal(answer.data.protected, 'This view is protected', typed);
    else assert.equal(answer.errors[0].extensions.reason, reason, typed);
  }

  await graphiql.fill(graphiql.tool, '{"Authorization": "Bearer typed"}');
  const refresh = page.waitForResponse((response) => isRefresh(response.request()));
  await page.getByRole('button', { name: 'Refresh now' }).click();
  await refresh;
  await graphiql.waitForText(graphiql.tool, '"Bearer typed"');
});

test('a refusal is said, and the password is gone from the form', async (t) => {
  const { page, faults } = await serve(t);
  const pane = new SignInPane(page);
  await pane.waitForForm();
  const secret = page.getByLabel('Password');
  assert.equal(await secret.getAttribute('autocomplete'), 'current-password');
  assert.equal(await page.getByLabel('Username').getAttribute('autocomplete'), 'username');

  await pane.send(username, 'not the password');
  await pane.alert.getByText('No active account found with the given credentials.').waitFor();
  assert.equal(await secret.inputValue(), '');
  assert.ok(await secret.evaluate((field) => field === document.activeElement));

  const tooMany = { errors: [{ message: 'Too many tries', extensions: { code: 'RATE_LIMITED', retryAfter: 42 } }], data: null };
  await page.route('**/graphql', (route) => route.fulfill({ json: tooMany }));
  await pane.send(username, password);
  await pane.alert.getByText('Too many tries. Try again in 42 seconds.').waitFor();
  assert.deepEqual(faults, []);

  await page.unroute('**/graphql');
  await page.route('**/graphql', (route) => route.abort());
  await pane.send(username, password);
  await pane.alert.getByText('The server cannot be reached. Is it running?').waitFor();

  await page.unroute('**/graphql');
  await pane.send(username, password);
  await pane.waitForUser();
  assert.equal(await pane.alert.count(), 0);
});

test('an access token of three seconds is refreshed before its end, once for two tabs', async (t) => {
  const { page, address } = await serve(t, { settings: { LATCHKEY_ACCESS_TOKEN_LIFETIME: '3s' } });
  const pane = new SignInPane(page);
  await pane.signIn();
  const other = await page.context().newPage();
  await load(other, address);
  await new SignInPane(other).waitForUser();

  const refreshes = [];
  page.context().on('response', (response) => isRefresh(response.request()) && refreshes.push(response));
  while (refreshes.length < 4) await page.context().waitForEvent('response', (response) => isRefresh(response.request()));
  const made = (await Promise.all(refreshes.map(renewed))).map((token) => claimsOf(token).iat);
  for (let i = 1; i < made.length; i++) {
    assert.ok(made[i] - made[i - 1] >= 1, `refreshed at ${made}: more than once for one token`);
  }

  for (const tab of [page, other]) {
    const graphiql = new GraphiQLPage(tab);
    await tab.bringToFront();
    await graphiql.selectTab('Protected');
    const { request } = await graphiql.run();
    const sent = request.headers().authorization.replace('Bearer ', '');
    assert.ok(claimsOf(sent).iat >= made[0], 'a token from before the refreshes');
    // On a slow machine it may have ended on its way: then the page asks once more, and nobody sees that.
    await graphiql.waitForText(graphiql.result, 'This view is protected');
    await graphiql.pressTool('Headers');
    await graphiql.waitForText(graphiql.tool, 'Bearer eyJ');
  }
});

test('a refresh that fails for want of the server is said, tried again, and signs nobody out', async (t) => {
  const { page } = await serve(t);
  const pane = new SignInPane(page);
  await pane.signIn();
  const before = await pane.claim('jti').innerText();
  await page.route('**/graphql', (route) => (isRefresh(route.request()) ? route.abort() : route.continue()));
  await page.getByRole('button', { name: 'Refresh now' }).click();
  await pane.alert.getByText('The server cannot be reached. Is it running?').waitFor();

  await page.unroute('**/graphql');
  await pane.alert.waitFor({ state: 'detached' });
  await pane.waitForUser();
  assert.notEqual(await pane.claim('jti').innerText(), before);
});

test('a reload goes on with the session, and signing out ends it in all tabs and on the server', async (t) => {
  const { page, address, faults } = await serve(t);
  const [graphiql, pane] = [new GraphiQLPage(page), new SignInPane(page)];
  await pane.signIn();
  await load(page, address);
  await pane.waitForUser();
  await graphiql.selectTab('Protected');
  const { request, answer } = await graphiql.run();
  assert.equal(answer.data.protected, 'This view is protected');
  const token = request.headers().authorization.replace('Bearer ', '');

  const other = await page.context().newPage();
  await load(other, address);
  const otherPane = new SignInPane(other);
  await otherPane.waitForUser();
  await new GraphiQLPage(other).operation.locator('.view-lines').click();
  await pane.signOut();
  await otherPane.waitForForm();
  assert.ok(await other.evaluate(() => document.activeElement.closest('.graphiql-query-editor')), 'the focus stays where it was');
  assert.equal(await otherPane.alert.count(), 0, 'the user knows');
  assert.deepEqual(await page.context().cookies(), []);
  const refused = await call(address, '{ protected }', { token });
  assert.equal(refused.errors[0].extensions.reason, 'REVOKED');

  await graphiql.pressTool('Headers');
  await graphiql.waitForText(graphiql.tool, 'Bearer PASTE_ACCESS_TOKEN_HERE');
  const anonymous = await graphiql.run();
  assert.equal(anonymous.request.headers().authorization, undefined);

  await load(page, address);
  await pane.waitForForm();
  assert.deepEqual(faults, []);
});

test('a session that was ended elsewhere is over, and the pane says why', async (t) => {
  const { page, address } = await serve(t);
  const [graphiql, pane] = [new GraphiQLPage(page), new SignInPane(page)];
  await pane.signIn();
  await call(address, 'mutation { sessionsRevokeAll(exceptCurrent: false) }', { token: await obtain(address) });

  await graphiql.selectTab('Protected');
  const { answer } = await graphiql.run();
  assert.equal(answer.errors[0].extensions.reason, 'REVOKED');
  await pane.alert.getByText('(REVOKED)').waitFor();
  await pane.waitForForm();
});

test('after a change of the password in the editor the page goes on with the new session', async (t) => {
  const { page } = await serve(t);
  const [graphiql, pane] = [new GraphiQLPage(page), new SignInPane(page)];
  await pane.signIn();
  const sid = await pane.claim('sid').innerText();
  await graphiql.selectTab('Me');
  await graphiql.fill(graphiql.operation, `mutation Change { passwordChange(current: "${password}", new: "another long password") { errors { code } } }`);
  await graphiql.waitForNewTitle('Change');
  const { answer } = await graphiql.run();
  assert.deepEqual(answer, { data: { passwordChange: { errors: [] } } });

  await graphiql.selectTab('Protected');
  await graphiql.run();
  await graphiql.waitForText(graphiql.result, 'This view is protected');
  assert.notEqual(await pane.claim('sid').innerText(), sid);
  await pane.waitForUser();
});

test('neither the password nor a token that the pane has is left in the storage', async (t) => {
  const { page } = await serve(t);
  const [graphiql, pane] = [new GraphiQLPage(page), new SignInPane(page)];
  await pane.signIn();
  await graphiql.selectTab('Verify');
  const { request } = await graphiql.run();
  const access = request.headers().authorization.replace('Bearer ', '');
  assert.equal(request.postDataJSON().variables.token, access);
  const [refresh] = (await page.context().cookies()).map(({ value }) => value);
  // GraphiQL stores half a second after the last change, so its timers have fired when this one does.
  await page.evaluate(() => new Promise((done) => setTimeout(done, 1500)));
  const stored = await page.evaluate(async () => JSON.stringify({
    local: { ...localStorage },
    session: { ...sessionStorage },
    databases: await indexedDB.databases(),
    cookies: document.cookie,
    address: location.href,
    history: history.state,
  }));
  assert.match(stored, /graphiql:visiblePlugin/);
  for (const secret of [password, access, refresh, access.split('.')[2]]) assert.ok(!stored.includes(secret));
});

// guardsIn lists the fields of a schema that bear @auth or @public: name and what they need.
function guardsIn(sdl) {
  return parse(sdl).definitions.flatMap((type) =>
    (type.kind === 'ObjectTypeDefinition' ? type.fields : []).flatMap(({ name, directives }) =>
      directives
        .filter((directive) => ['auth', 'public'].includes(directive.name.value))
        .map((directive) => ({
          name: name.value,
          needs: directive.name.value === 'public' ? 'public' : directive.arguments[0]?.value.value ?? 'signed in',
        })),
    ),
  );
}

test('the access pane lists what each field needs, and what of it the user is allowed', async (t) => {
  const { page, address, faults } = await serve(t);
  const pane = new SignInPane(page);
  const created = await call(
    address,
    `mutation ($p: String!) {
      roleSave(input: { name: "readers", permissions: ["users:read"] }) { errors { code } }
      userCreate(input: { username: "rita", password: $p, roles: ["readers"] }) { errors { code } }
    }`,
    { variables: { p: password }, token: await obtain(address) },
  );
  assert.deepEqual(created, { data: { roleSave: { errors: [] }, userCreate: { errors: [] } } });

  const guards = guardsIn(await (await fetch(`${address}schema.graphql`)).text());
  assert.ok(guards.length >= 17);
  const access = page.getByRole('region', { name: 'Access' });
  const listed = async (may) => {
    await page.getByRole('button', { name: 'Show Access' }).click();
    await access.getByRole('row').nth(1).waitFor();
    const rows = await access.locator('tbody tr').evaluateAll((rows) =>
      rows.map(({ cells: [name, needs, allowed] }) => ({ name: name.innerText, needs: needs.innerText, allowed: allowed.innerText })),
    );
    const want = guards.map((guard) => ({ ...guard, allowed: may(guard.needs) ? 'yes' : 'no' }));
    const byName = (a, b) => a.name.localeCompare(b.name);
    assert.deepEqual(rows.toSorted(byName), want.toSorted(byName));
    await pane.show();
  };

  await listed((needs) => needs === 'public');
  await pane.signIn('rita');
  await listed((needs) => ['public', 'signed in', 'users:read'].includes(needs));
  await pane.signOut();
  await pane.signIn();
  await listed(() => true);

  await page.getByRole('button', { name: 'Show Access' }).click();
  await page.getByLabel('Filter by name or permission').fill('users:read');
  await access.getByText(`2 of ${guards.length} fields`).waitFor();
  assert.deepEqual(await access.getByRole('rowheader').allInnerTexts(), ['user', 'users']);
  await access.getByRole('button', { name: 'users', exact: true }).click();
  await page.getByRole('region', { name: 'Documentation Explorer' }).getByText('Needs users:read.').waitFor();
  assert.deepEqual(faults, []);
});

test('the editor says what a field needs, in its completion', async (t) => {
  const { page } = await serve(t);
  const graphiql = new GraphiQLPage(page);
  await graphiql.selectTab('Protected');
  const details = page.locator('.suggest-details').getByText('Needs roles:read.');
  for (let tries = 1; !(await details.isVisible()); tries++) {
    assert.ok(tries <= 10, 'the completion does not show what the field needs');
    await graphiql.clear(graphiql.operation);
    await page.keyboard.type('{ role');
    await page.locator('.suggest-widget').getByText('roles').first().waitFor();
    await page.keyboard.press('Control+Space'); // opens or closes the details
    await details.waitFor({ timeout: 2000 }).catch(() => {}); // another try
  }
});

test('the scheme of the Authorization header is the one that the server is set to', async (t) => {
  const { page } = await serve(t, { settings: { LATCHKEY_AUTH_HEADER_TYPES: 'JWT' } });
  const [graphiql, pane] = [new GraphiQLPage(page), new SignInPane(page)];
  await graphiql.selectTab('Protected');
  await graphiql.pressTool('Headers');
  await graphiql.waitForText(graphiql.tool, 'JWT PASTE_ACCESS_TOKEN_HERE');
  await pane.signIn();
  await graphiql.waitForText(graphiql.tool, 'JWT eyJ');
  const { request, answer } = await graphiql.run();
  assert.match(request.headers().authorization, /^JWT eyJ/);
  assert.equal(answer.data.protected, 'This view is protected');
});

test('without introspection the pane signs in, and the access pane says why it is empty', async (t) => {
  const { page, requests } = await serve(t, { settings: { LATCHKEY_INTROSPECTION: 'false' } });
  const [graphiql, pane] = [new GraphiQLPage(page), new SignInPane(page)];
  await pane.signIn();
  await graphiql.selectTab('Protected');
  const { answer } = await graphiql.run();
  assert.equal(answer.data.protected, 'This view is protected');
  await page.getByRole('button', { name: 'Show Access' }).click();
  await page.getByRole('region', { name: 'Access' }).getByText('LATCHKEY_INTROSPECTION is off').waitFor();
  assert.ok(!requests.some((url) => url.endsWith('/schema.graphql')));
});

// The tabs of GraphiQL have their buttons inside of what is a button itself. No setting and no style changes that.
const isOwnTab = ({ id, html }) => id === 'nested-interactive' && /^<li [^>]*class="graphiql-tab[ "]/.test(html);

for (const [name, options] of Object.entries({
  graphiql: { colorScheme: 'light' },
  'graphiql-dark': { colorScheme: 'dark' },
  'graphiql-narrow': { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 },
})) {
  test(`axe finds nothing serious in the page: ${name}`, async (t) => {
    const { page } = await serve(t, { options });
    const [graphiql, pane] = [new GraphiQLPage(page), new SignInPane(page)];
    const found = [];
    await page.addInitScript({ path: axe });
    await page.reload(); // the policy lets no script in later
    await page.locator('.graphiql-query-editor .view-line').first().waitFor();
    await pane.show();
    await pane.waitForForm();
    await check('signed out');
    await pane.send(username, 'not the password');
    await pane.alert.waitFor();
    await check('refused');
    await pane.signIn();
    await graphiql.selectTab('Protected');
    await graphiql.pressTool('Headers');
    await graphiql.run();
    await graphiql.waitForText(graphiql.result, 'This view is');
    await page.mouse.move(0, 0); // off what shows scroll bars
    if (screenshots) await page.screenshot({ path: join(screenshots, `${name}.png`) });
    await check('signed in');
    await page.getByRole('button', { name: 'Show Access' }).click();
    await page.getByRole('region', { name: 'Access' }).getByRole('row').nth(1).waitFor();
    await check('access');
    await page.getByRole('region', { name: 'Access' }).getByRole('button', { name: 'users', exact: true }).click();
    await page.getByRole('region', { name: 'Documentation Explorer' }).getByText('Needs users:read.').waitFor();
    await check('documentation');
    assert.deepEqual(found, []);

    async function check(what) {
      const { violations, passes } = await page.evaluate(() => axe.run());
      assert.ok(passes.length > 10, 'axe looked at the page');
      const serious = violations
        .filter(({ impact }) => ['serious', 'critical'].includes(impact))
        .flatMap(({ id, nodes }) => nodes.map((node) => ({ id, ...node })))
        .filter((violation) => !isOwnTab(violation));
      found.push(...serious.map(({ id, html, any }) => `${what}: ${id} at ${html}: ${any[0]?.message}`));
    }
  });
}

test('on a narrow window nothing of the pane is out of sight sideways, and the keyboard gets everywhere', async (t) => {
  const { page } = await serve(t, { options: { viewport: { width: 390, height: 844 } } });
  const pane = new SignInPane(page);
  await page.getByRole('button', { name: 'Show Sign in' }).focus();
  await page.keyboard.press('Enter');
  await pane.waitForForm();
  await page.getByLabel('Username').focus();
  await page.keyboard.type(username);
  await page.keyboard.press('Tab');
  await page.keyboard.type(password);
  await page.keyboard.press('Enter');
  await pane.waitForUser();
  for (const name of ['Sign out', 'Refresh now', 'Copy access token']) {
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), name);
  }
  const wide = await page.evaluate(() => [...document.querySelectorAll('body, .graphiql-plugin')].map((e) => e.scrollWidth > e.clientWidth));
  assert.deepEqual(wide, [false, false]);
});
