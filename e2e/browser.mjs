import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { chromium } from 'playwright-core';

import { baseURL, chromiumPath } from './settings.mjs';

const options = {
  executablePath: chromiumPath,
  args: [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
};

// launch starts Chromium with all that it does by itself switched off. Its contexts are private windows, to which
// third-party cookies do not come.
export function launch() {
  return chromium.launch(options);
}

// launchProfile starts a Chromium of its own, with an ordinary window, that takes third-party cookies, which some builds
// do not. The profile goes into an empty folder. It returns the context.
export function launchProfile(folder, more) {
  mkdirSync(join(folder, 'Default'));
  writeFileSync(
    join(folder, 'Default', 'Preferences'),
    JSON.stringify({ profile: { block_third_party_cookies: false, cookie_controls_mode: 0 } }),
  );
  return chromium.launchPersistentContext(folder, { ...options, ...more });
}

// open loads a path of the server, or a whole address, in a fresh profile, which
// goes when the test ends, and waits until the editor is there. `prepare`, if
// given, gets the page before anything is loaded; `options` are the profile's.
//
// It returns the page together with two lists that grow as long as the page is
// open: the addresses of all requests, and the faults, which are what the
// browser logs as an error or a warning (violations of the
// Content-Security-Policy among them) and uncaught exceptions.
export async function open(t, browser, path, prepare = async () => {}, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  t.after(() => context.close());
  context.setDefaultTimeout(20_000);
  const requests = [];
  const faults = [];
  context.on('request', (request) => requests.push(request.url()));
  context.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) faults.push(message.text());
  });
  context.on('weberror', (fault) => faults.push(String(fault.error())));

  const page = await context.newPage();
  page.on('worker', (worker) => worker.on('console', (message) => faults.push(`worker: ${message.text()}`)));
  await prepare(page);
  await load(page, new URL(path, baseURL).href);
  return { page, requests, faults };
}

// load goes to an address and waits until the editor is there.
export async function load(page, address) {
  await page.goto(address);
  await page.locator('.graphiql-query-editor .view-line').first().waitFor();
}

// GraphiQLPage does what a person does with the page, by what a person sees.
export class GraphiQLPage {
  constructor(page) {
    this.page = page;
    this.operation = page.locator('.graphiql-query-editor .graphiql-editor');
    this.tool = page.locator('.graphiql-editor-tool .graphiql-editor:not(.hidden)');
    this.result = page.getByRole('region', { name: 'Result Window' });
  }

  async selectTab(name) {
    await this.page.getByRole('tab', { name }).click();
  }

  // pressTool opens the variables or the headers editor.
  async pressTool(name) {
    await this.page.getByRole('button', { name, exact: true }).click();
  }

  // clear empties an editor and leaves the cursor in it.
  async clear(editor) {
    await editor.locator('.view-lines').click();
    await this.page.keyboard.press('ControlOrMeta+A');
    await this.page.keyboard.press('Delete');
  }

  // fill replaces the text of an editor, the way a paste does.
  async fill(editor, text) {
    await this.clear(editor);
    await this.page.keyboard.insertText(text);
  }

  // waitForNewTitle waits until GraphiQL has read an operation that was typed:
  // it renames the tab then, and until then sends the former operation's name.
  async waitForNewTitle(title) {
    await this.page.getByRole('tab', { name: title }).waitFor();
  }

  // run presses the button and returns the request that it makes and the
  // answer to that, parsed.
  async run() {
    const sent = this.page.waitForRequest(
      (request) => new URL(request.url()).pathname === '/graphql' && !request.postData().includes('__schema'),
    );
    await this.page.getByRole('button', { name: 'Execute query' }).click();
    const request = await sent;
    const response = await request.response();
    return { request, answer: await response.json() };
  }

  // waitForText waits until an editor shows the text, within one line.
  async waitForText(editor, text, options) {
    await editor.locator('.view-lines').getByText(text, options).first().waitFor();
  }
}
