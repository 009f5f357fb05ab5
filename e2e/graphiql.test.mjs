// GraphiQL in a real browser.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { GraphiQLPage, launch, open } from './browser.mjs';
import { baseURL, password, username } from './settings.mjs';

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

// signIn returns an access token, obtained without the page.
async function signIn() {
  const response = await fetch(`${baseURL}/graphql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      query: 'mutation ($u: String!, $p: String!) { tokenObtain(username: $u, password: $p) { access } }',
      variables: { u: username, p: password },
    }),
  });
  const { data, errors } = await response.json();
  assert.ok(data, `sign-in failed: ${JSON.stringify(errors)}`);
  return data.tokenObtain.access;
}

function assertOwnOrigin(requests) {
  const own = new URL(baseURL).origin;
  const foreign = requests.filter((url) => !url.startsWith('data:') && new URL(url).origin !== own);
  assert.deepEqual(foreign, [], 'requests to other origins');
}

for (const path of ['/', '/graphiql']) {
  test(`at ${path} a guarded field answers to the token in the headers editor`, async (t) => {
    const token = await signIn();
    const { page, requests, faults } = await open(t, browser, path);
    assert.equal(await page.title(), 'Latchkey · GraphiQL');
    const graphiql = new GraphiQLPage(page);

    await graphiql.selectTab('Protected');
    await graphiql.clear(graphiql.operation);
    await page.keyboard.type('{ prot');
    await page.locator('.suggest-widget').getByText('protected').first().waitFor();
    await page.keyboard.press('Enter');
    await page.keyboard.type(' }');
    await graphiql.waitForText(graphiql.operation, '{ protected }', { exact: true });
    await graphiql.waitForNewTitle('<untitled>');

    await graphiql.pressTool('Headers');
    await graphiql.waitForText(graphiql.tool, 'Bearer PASTE_ACCESS_TOKEN_HERE');
    await graphiql.fill(graphiql.tool, JSON.stringify({ Authorization: `Bearer ${token}` }));
    const { request, answer } = await graphiql.run();
    assert.deepEqual(answer, { data: { protected: 'This view is protected' } });
    assert.equal(request.method(), 'POST');
    assert.equal(request.headers()['content-type'], 'application/json');
    assert.equal(request.headers().accept, 'application/graphql-response+json, application/json;q=0.9');
    await graphiql.waitForText(graphiql.result, 'This view is protected');

    assertOwnOrigin(requests);
    assert.deepEqual(faults, []);
    });
}

test('the opening tabs hold the calls of the main job, ready to run', async (t) => {
  const { page, faults } = await open(t, browser, '/');
  const graphiql = new GraphiQLPage(page);

  await graphiql.waitForText(graphiql.tool, '"admin"');
  await graphiql.fill(graphiql.tool, JSON.stringify({ username, password }));
  const { access, refresh, user } = await runTab('SignIn', 'tokenObtain');
  assert.equal(user.username, username);

  await graphiql.selectTab('Refresh');
  await graphiql.fill(graphiql.tool, JSON.stringify({ refresh }));
  const renewed = await runTab('Refresh', 'tokenRefresh');
  assert.match(renewed.access, /^[\w-]+\.[\w-]+\.[\w-]+$/);

  await graphiql.pressTool('Headers');
  await graphiql.selectTab('Protected');
  await graphiql.fill(graphiql.tool, JSON.stringify({ Authorization: `Bearer ${access}` }));
  assert.equal(await runTab('Protected', 'protected'), 'This view is protected');

  await graphiql.selectTab('Me');
  await graphiql.fill(graphiql.tool, JSON.stringify({ Authorization: `Bearer ${access}` }));
  const me = await runTab('Me', 'me');
  assert.equal(me.username, username);
  assert.deepEqual(faults, []);

  // runTab runs the tab that is open and returns one field of its answer.
  async function runTab(name, field) {
    await page.getByRole('tab', { name, selected: true }).waitFor();
    const { answer } = await graphiql.run();
    assert.equal(answer.errors, undefined, `${name}: ${JSON.stringify(answer.errors)}`);
    return answer.data[field];
  }
});

test('every part of the page works under its Content-Security-Policy', async (t) => {
  const { page, requests, faults } = await open(t, browser, '/');
  const graphiql = new GraphiQLPage(page);

  await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
  const docs = page.getByRole('region', { name: 'Documentation Explorer' });
  await docs.getByRole('link', { name: 'Mutation', exact: true }).click();
  await docs.getByRole('link', { name: 'tokenObtain', exact: true }).click();
  await docs.getByText('accessExpiresIn').or(docs.getByText('TokenPair')).first().waitFor();

  // The worker that knows the schema may still be starting, and a hover that found nothing stays empty.
  const hint = page.locator('.monaco-hover-content').getByText('TokenPair').first();
  for (let tries = 1; !(await hint.isVisible()); tries++) {
    assert.ok(tries <= 20, 'hovering over a field does not show its type');
    await graphiql.operation.getByText('username').first().hover();
    await graphiql.operation.getByText('tokenObtain').hover();
    await hint.waitFor({ timeout: 3000 }).catch(() => {}); // another try
  }
  await page.locator('.monaco-hover-content').filter({ hasText: 'Public. Signs in' }).waitFor(); // whom the field is for

  await graphiql.fill(graphiql.tool, '{"username":"nobody"}');
  await page.getByRole('button', { name: 'Prettify query' }).click();
  await graphiql.waitForText(graphiql.tool, 'nobody');
  await graphiql.pressTool('Headers');
  await graphiql.pressTool('Variables');

  await page.getByRole('button', { name: 'Show History' }).click();
  await page.getByRole('region', { name: 'History' }).waitFor();

  await graphiql.operation.locator('.view-lines').click();
  await page.keyboard.press('ControlOrMeta+F');
  await page.locator('.find-widget.visible').waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('F1');
  await page.keyboard.type('Run Op');
  await page.locator('.quick-input-widget').getByText('Run Operation').waitFor();
  await page.keyboard.press('Escape');

  await page.emulateMedia({ colorScheme: 'dark' });
  await graphiql.operation.locator('.monaco-editor.vs-dark').waitFor();
  await page.emulateMedia({ colorScheme: 'light' });
  await graphiql.operation.locator('.monaco-editor.vs').waitFor();

  await page.getByRole('button', { name: 'Open short keys dialog' }).click();
  await page.getByRole('dialog').getByRole('button').first().click();
  await page.getByRole('button', { name: 'Open settings dialog' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Dark' }).click();
  await page.locator('body.graphiql-dark').waitFor();
  assert.doesNotMatch(await page.locator('body').innerText(), /\{[^{}]*color:/, 'a style sheet is shown as text');

  assertOwnOrigin(requests);
  assert.deepEqual(faults, []);
});

test('the Content-Security-Policy stops inline scripts, inline styles and other origins', async (t) => {
  const { page, faults } = await open(t, browser, '/');
  assert.deepEqual(faults, []);

  const attempts = {
    'an inline script': () => document.head.append(Object.assign(document.createElement('script'), { text: 'void 0' })),
    'an inline style': () => document.body.setAttribute('style', 'color: red'),
    'a script from text': () => void setTimeout('void 0', 0),
    'a worker from text': () => void new Worker(URL.createObjectURL(new Blob(['']))),
    'another origin': () => void fetch('http://127.0.0.1:1/').catch(() => {}),
  };
  for (const [what, attempt] of Object.entries(attempts)) {
    await t.test(what, async () => {
      const logged = page.waitForEvent('console', (message) => /Content Security Policy/.test(message.text()));
      await page.evaluate(attempt).catch(() => {}); // some of them throw as well
      await logged;
      assert.match(faults.at(-1), /Content Security Policy/);
    });
  }
});

test('neither the password nor a token is left in the storage of the browser', async (t) => {
  const { page } = await open(t, browser, '/');
  const graphiql = new GraphiQLPage(page);

  await graphiql.fill(graphiql.tool, JSON.stringify({ username, password }));
  const signedIn = await graphiql.run();
  const { access, refresh } = signedIn.answer.data.tokenObtain;
  await graphiql.waitForText(graphiql.result, 'access');

  await graphiql.selectTab('Protected');
  await graphiql.pressTool('Headers');
  await graphiql.fill(graphiql.tool, JSON.stringify({ Authorization: `Bearer ${access}` }));
  const guarded = await graphiql.run();
  assert.equal(guarded.answer.data.protected, 'This view is protected');

  await graphiql.selectTab('Refresh');
  await graphiql.fill(graphiql.operation, `mutation { tokenRefresh(refresh: "${refresh}") { accessExpiresIn } }`);
  await page.getByRole('button', { name: 'Show History' }).click();
  await page.getByRole('region', { name: 'History' }).getByText('SignIn').first().waitFor();

  // GraphiQL stores half a second after the last change, so its timers have
  // fired when this one does.
  await page.evaluate(() => new Promise((done) => setTimeout(done, 1500)));
  await assertNotStored(page, { password, access, refresh });

  await page.reload();
  await page.locator('.graphiql-query-editor .view-line').first().waitFor();
  await assertNotStored(page, { password, access, refresh });
});

async function assertNotStored(page, secrets) {
  const stored = await page.evaluate(async () => ({
    local: { ...localStorage },
    session: { ...sessionStorage },
    databases: await indexedDB.databases(),
    cookies: document.cookie,
    address: location.href,
  }));
  assert.equal(stored.local['graphiql:visiblePlugin'], 'History', 'what may be stored is stored');
  for (const [place, content] of Object.entries(stored)) {
    for (const [name, secret] of Object.entries(secrets)) {
      assert.ok(!JSON.stringify(content).includes(secret), `${name} found in ${place}`);
    }
  }
  assert.deepEqual(stored.databases, []);
}

test('without introspection the page says so and still runs operations', async (t) => {
  const refusal = { errors: [{ message: 'introspection is off' }] };
  const { page, faults } = await open(t, browser, '/', (page) =>
    page.route('**/graphql', (route) =>
      route.request().postData().includes('__schema') ? route.fulfill({ json: refusal }) : route.continue(),
    ),
  );
  const graphiql = new GraphiQLPage(page);
  await graphiql.waitForText(graphiql.result, 'does not show its schema');

  await graphiql.fill(graphiql.operation, '{ __typename }');
  await graphiql.waitForNewTitle('<untitled>');
  const { answer } = await graphiql.run();
  assert.deepEqual(answer, { data: { __typename: 'Query' } });
  await graphiql.waitForText(graphiql.result, '__typename');
  assert.deepEqual(faults, []);
});
