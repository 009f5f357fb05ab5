// The pages for front ends are true. Every block of code on them is run: calls are pasted into a shell, one after the
// other, and answer what stands below them; a block with a file's name is that file, compiled strictly and used; one with
// the name of a file in examples/ stands in that file, which other tests run. A block that is none of these fails.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { folder, password, start, username } from './latchkey.mjs';
import { install, project, run } from './npm.mjs';

const root = new URL('..', import.meta.url).pathname;

// The pages, with what their commands run in: an example, or a folder with the packages of these tests.
const pages = {
  'start.md': {},
  'codegen.md': { example: 'examples/codegen' },
  'apollo.md': { use: useApollo },
  'urql.md': { use: useUrql },
  'relay.md': { example: 'examples/relay' },
  'clients.md': { use: useGraphQLRequest },
};

// blocksOf returns the blocks of a page: language, file name if there is one, text, and the answer below a call.
function blocksOf(page) {
  const text = readFileSync(join(root, 'docs', page), 'utf8');
  const blocks = [...text.matchAll(/^```(\S*) ?(.*)\n([^]*?)^```$/gm)].map(([, language, file, body]) => ({ language, file, body }));
  return blocks.flatMap((block, i) => {
    const answers = ({ language, file }) => ['json', 'text'].includes(language) && !file;
    if (answers(block)) {
      assert.equal(blocks[i - 1]?.language, 'sh', `${page} has an answer without a call:\n${block.body}`);
      return [];
    }
    return { ...block, answer: blocks[i + 1] && answers(blocks[i + 1]) ? blocks[i + 1].body : undefined };
  });
}

// workshop makes a folder with the packages of these tests and @latchkey/client, as an application has them.
function workshop() {
  const client = install('clients/typescript');
  const work = folder();
  const packages = join(work, 'node_modules');
  mkdirSync(join(packages, '@latchkey/client'), { recursive: true });
  const own = new URL('node_modules', import.meta.url).pathname;
  for (const name of readdirSync(own)) symlinkSync(join(own, name), join(packages, name));
  execFileSync(join(client, 'node_modules/.bin/tsc'), ['--outDir', join(packages, '@latchkey/client/dist')], { cwd: client });
  cpSync(join(client, 'package.json'), join(packages, '@latchkey/client/package.json'));

  writeFileSync(join(work, 'package.json'), '{ "type": "module" }');
  const compilerOptions = {
    strict: true, noUncheckedIndexedAccess: true, verbatimModuleSyntax: true, skipLibCheck: true,
    target: 'es2022', module: 'nodenext', lib: ['es2022', 'dom'], types: ['node'], rootDir: '.', outDir: '.',
  };
  writeFileSync(join(work, 'tsconfig.json'), JSON.stringify({ compilerOptions, exclude: ['node_modules'] }));
  return work;
}

// assertTested fails where a page installs a package that its example does not have.
function assertTested(command, work) {
  const { dependencies = {}, devDependencies = {} } = JSON.parse(readFileSync(join(work, 'package.json'), 'utf8'));
  for (const [, names] of command.matchAll(/^npm install (?:--save-dev )?(.*)$/gm)) {
    for (const name of names.split(' ')) assert.ok(name in { ...dependencies, ...devDependencies }, `${name} is not tested`);
  }
}

for (const [page, { example, use }] of Object.entries(pages)) {
  test(`docs/${page} is true`, async (t) => {
    const work = example ? project(example) : workshop();
    const blocks = blocksOf(page);
    assert.ok(blocks.length > 0);

    let url; // of the server that the page, so far, has started
    const here = (text) => text
      .replaceAll(/http:\/\/(127\.0\.0\.1|localhost):8000/g, url)
      .replaceAll('the password that was shown', password)
      .replaceAll('admin', username);

    // serve starts a server and writes the files of the page, with its address in them.
    const serve = async (settings) => {
      url = `http://127.0.0.1:${await start(t, settings)}`;
      for (const { file, body } of blocks) {
        if (!file || file.startsWith('examples/')) continue;
        mkdirSync(dirname(join(work, file)), { recursive: true });
        writeFileSync(join(work, file), here(body));
      }
      if (!example && blocks.some(({ file }) => file?.endsWith('.ts'))) await run(work, 'tsc', []);
    };

    // paste gives the calls that have come together to one shell, which keeps its variables from one to the next.
    let calls = [];
    const paste = () => {
      const script = calls.map(({ body }) => `${here(body)}\nprintf '\\n---\\n'\n`).join('');
      const env = { PATH: `${join(work, 'node_modules/.bin')}:${process.env.PATH}`, HOME: work, NO_UPDATE_NOTIFIER: '1' };
      const { status, stdout, stderr } = spawnSync('bash', ['--norc', '-eu', '-c', script], {
        cwd: work, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'],
      });
      assert.equal(status, 0, stdout + stderr);
      const answers = stdout.split('\n---\n');
      for (const [i, { body, answer }] of calls.entries()) {
        if (answer === undefined) continue;
        const pattern = here(answer.trim()).replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('…', '.*');
        assert.match(answers[i].trim(), new RegExp(`^${pattern}$`), body);
      }
      calls = [];
    };

    if (!blocks[0].body.includes('go run .')) await serve();
    for (const block of blocks) {
      const { language, file, body } = block;
      if (file?.startsWith('examples/')) {
        const there = readFileSync(join(root, file), 'utf8').includes(body);
        assert.ok(there, `${file} is not what the page says:\n${body}`);
      }
      if (file) continue; // serve has written it
      assert.equal(language, 'sh', `nothing runs this:\n${body}`);
      const server = body.match(/^((?:[A-Z_]+=\S+ )*)go run \.$/m);
      if (server) {
        if (body !== `${server[0]}\n`) calls.push({ body: body.replace(server[0], '') });
        paste();
        const settings = server[1].trim().split(' ').map((setting) => setting.split('='));
        const path = (value) => existsSync(join(work, value)) ? join(work, value) : value;
        await serve(Object.fromEntries(settings.map(([name, value]) => [name, path(value)])));
      } else if (body.startsWith('npm install ')) {
        assertTested(body, work);
      } else {
        calls.push(block);
      }
    }
    paste();
    await use?.(t, (file) => import(join(work, file)), url);
  });
}

test('the pages name the server as they name the page, where its cookie is meant to come back', () => {
  const starts = readFileSync(join(root, 'docs/start.md'), 'utf8').match(/LATCHKEY_ALLOWED_ORIGINS=(\S+) go run/);
  const { hostname } = new URL(starts[1]);
  const code = Object.keys(pages).flatMap(blocksOf).filter(({ file, body }) => file && /'cookie'|\bCOOKIE\b/.test(body));
  const servers = code.flatMap(({ body }) => [...body.matchAll(/'(http:[^']*)'/g)]).map(([, url]) => new URL(url).hostname);
  assert.ok(servers.length >= 5, `${servers.length} addresses`);
  assert.deepEqual(new Set(servers), new Set([hostname]));
});

test('every page for front ends is run, and every link leads somewhere', () => {
  const index = readFileSync(join(root, 'docs/README.md'), 'utf8');
  const listed = index.split('\n').filter((line) => /^\d\./.test(line)).join('\n');
  const elsewhere = ['browser.md']; // cookie.test.mjs runs its code
  for (const [, page] of listed.matchAll(/\]\(([\w-]+\.md)\)/g)) {
    if (page in pages || elsewhere.includes(page)) continue;
    assert.deepEqual(blocksOf(page), [], `nothing runs docs/${page}`);
  }
  for (const page of readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'))) {
    const text = readFileSync(join(root, 'docs', page), 'utf8').replace(/^```[^]*?^```$|`[^`\n]*`/gm, ''); // no links in code
    for (const [, link] of text.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
      assert.ok(existsSync(join(root, 'docs', link)), `docs/${page} links to ${link}`);
    }
  }
});

// send sends one operation by itself, as a client elsewhere does, and returns the data.
async function send(url, query, variables, access) {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(access && { authorization: `Bearer ${access}` }) },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

// elsewhere signs the user in on another machine.
async function elsewhere(url) {
  const { tokenObtain } = await send(url,
    'mutation ($u: String!, $p: String!) { tokenObtain(username: $u, password: $p) { access user { id } } }',
    { u: username, p: password });
  return tokenObtain;
}

// outdate gives the user another role, so that no access token of the user is good any more, and every session is.
async function outdate(url, role) {
  const { access, user } = await elsewhere(url);
  await send(url, 'mutation ($r: String!) { roleSave(input: { name: $r, permissions: [] }) { errors { code } } }', { r: role }, access);
  await send(url, 'mutation ($id: ID!, $r: [String!]) { userUpdate(id: $id, input: { roles: $r }) { errors { code } } }',
    { id: user.id, r: [role] }, access);
}

async function endSessions(url) {
  const { access } = await elsewhere(url);
  await send(url, 'mutation { sessionsRevokeAll(exceptCurrent: false) }', {}, access);
}

// browse lets the modules of a page talk to the server as in a browser, with a cookie and an origin. It returns a
// function that tells how many requests for a field there were.
function browse(t, url) {
  const bodies = [];
  const real = globalThis.fetch;
  let cookie;
  globalThis.fetch = async (input, init) => {
    const request = new Request(input, init);
    const headers = new Headers(request.headers);
    if (request.credentials === 'include') {
      headers.set('origin', url);
      if (cookie) headers.set('cookie', cookie);
    }
    const body = request.body ? await request.text() : undefined;
    if (body) bodies.push(body);
    const response = await real(request.url, { method: request.method, headers, body });
    for (const line of response.headers.getSetCookie()) [cookie] = line.split(';');
    return response;
  };
  t.after(() => {
    globalThis.fetch = real;
  });
  return (field) => bodies.filter((body) => body.includes(field)).length;
}

const twenty = (query) => Promise.all(Array.from({ length: 20 }, (_, i) => query(`query Q${i} { me { username } }`)));

async function useApollo(t, load, url) {
  const asked = browse(t, url);
  const { gql } = await import('@apollo/client');
  const names = (client) => twenty(async (query) => (
    (await client.query({ query: gql(query), fetchPolicy: 'network-only' })).data.me.username));

  const { auth, createClient } = await load('src/client.js');
  const { who } = await load('src/who.js');
  t.after(() => auth.close());
  assert.equal((await auth.restore()).status, 'signedOut');
  const client = createClient();
  assert.equal(await who(client), 'nobody');
  await auth.signIn(username, password);
  assert.equal(await who(client), username);
  await outdate(url, 'first');
  let before = asked('tokenRefresh');
  assert.deepEqual(new Set(await names(client)), new Set([username]));
  assert.equal(asked('tokenRefresh') - before, 1);
  await endSessions(url);
  assert.equal(await who(client), 'nobody');
  assert.equal(auth.getState().status, 'signedOut');

  const plain = await load('src/plain.js');
  assert.equal(await plain.signIn(username, 'wrong'), false);
  assert.equal(await plain.signIn(username, password), true);
  await outdate(url, 'second');
  before = asked('tokenRefresh');
  assert.deepEqual(new Set(await names(plain.client)), new Set([username]));
  assert.equal(asked('tokenRefresh') - before, 1);
  await endSessions(url);
  await assert.rejects(names(plain.client), /not valid|not provided/);
  assert.equal(await plain.refresh(), false);
}

async function useUrql(t, load, url) {
  const asked = browse(t, url);
  const names = (client) => twenty(async (query) => {
    const { data, error } = await client.query(query, {}, { requestPolicy: 'network-only' });
    if (error) throw error;
    return data.me.username;
  });

  const { auth, createClient } = await load('src/client.js');
  const { who } = await load('src/who.js');
  t.after(() => auth.close());
  assert.equal((await auth.restore()).status, 'signedOut');
  const client = createClient();
  assert.equal(await who(client), 'nobody');
  await auth.signIn(username, password);
  assert.equal(await who(client), username);
  await outdate(url, 'first');
  let before = asked('tokenRefresh');
  assert.deepEqual(new Set(await names(client)), new Set([username]));
  assert.equal(asked('tokenRefresh') - before, 1);
  await endSessions(url);
  assert.equal(await who(client), 'nobody');
  assert.equal(auth.getState().status, 'signedOut');

  const plain = await load('src/plain.js');
  assert.equal(await plain.signIn(username, 'wrong'), false);
  assert.equal(await plain.signIn(username, password), true);
  await outdate(url, 'second');
  before = asked('tokenRefresh');
  assert.deepEqual(new Set(await names(plain.client)), new Set([username]));
  const refreshes = asked('tokenRefresh') - before;
  assert.ok(refreshes === 1 || refreshes === 2, `${refreshes} refreshes`); // the page says so
  await endSessions(url);
  await assert.rejects(names(plain.client), /not valid|not provided/);
}

async function useGraphQLRequest(t, load, url) {
  const asked = browse(t, url);
  const { auth, client } = await load('src/client.js');
  t.after(() => auth.close());
  await auth.signIn(username, password);
  await outdate(url, 'first');
  const before = asked('tokenRefresh');
  const names = await twenty(async (query) => (await client.request(query)).me.username);
  assert.deepEqual(new Set(names), new Set([username]));
  assert.equal(asked('tokenRefresh') - before, 1);
}
