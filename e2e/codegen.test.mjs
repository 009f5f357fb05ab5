// examples/codegen as its reader would use it: generated, compiled strictly, and run against a server; the documents
// that come out of the same run are all that a server runs which trusts them.

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { before } from 'node:test';
import { password, start, username } from './latchkey.mjs';
import { project, run } from './npm.mjs';

let work; // generated from schema.graphql, and compiled
before(async () => {
  work = project('examples/codegen');
  await run(work, 'graphql-codegen', ['--config', 'codegen.ts']);
  await run(work, 'tsc', []);
});

// generated returns the files that were generated, without comments: of a scalar's description the generator writes
// nothing where the schema comes by introspection.
function generated(folder) {
  const from = join(folder, 'src/gql');
  return Object.fromEntries(readdirSync(from).sort().map((name) => (
    [name, readFileSync(join(from, name), 'utf8').replace(/^[ \t]*\/\*\*[^]*?\*\/\n/gm, '')])));
}

test('the live endpoint, its SDL and the file in the repository give the same types', async (t) => {
  const base = `http://127.0.0.1:${await start(t)}`;
  const want = generated(work);
  assert.deepEqual(Object.keys(want), ['gql.ts', 'graphql.ts', 'index.ts', 'persisted-documents.json', 'schema.ts']);
  await Promise.all(['/graphql', '/schema.graphql'].map(async (path) => {
    const other = project('examples/codegen');
    await run(other, 'graphql-codegen', ['--config', 'codegen.ts'], { LATCHKEY_SCHEMA: base + path });
    assert.deepEqual(generated(other), want, path);
  }));
});

test('the program runs against a server, with graphql-request', async (t) => {
  const base = `http://127.0.0.1:${await start(t)}`;
  const printed = await run(work, 'node', ['dist/main.js'], {
    LATCHKEY_URL: `${base}/graphql`, LATCHKEY_USERNAME: username, LATCHKEY_PASSWORD: password,
  });
  assert.match(printed, /^signed in as ada until \d{4}-\d\d-\d\dT[\d:.]+Z\nUNAUTHENTICATED: sign in\nUNAUTHENTICATED: sign in\n$/);
});

test('every error code and every token problem of the schema is there', async () => {
  const { ErrorCode, TokenProblem } = await import(join(work, 'dist/gql/schema.js'));
  const page = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8');
  const documented = [...page.matchAll(/^\| ([A-Z_]+) \|/gm)].map(([, code]) => code);
  assert.deepEqual([...Object.values(ErrorCode), ...Object.values(TokenProblem)].sort(), documented.sort());
});

test('what the schema does not allow does not compile', async () => {
  const wrong = {
    'a field that is null without permission': [
      "import type { MeQuery } from '../gql/graphql.js';",
      'export const name = (answer: MeQuery) => answer.me.username;',
    ],
    'a moment taken for a Date': [
      "import type { SignInMutation } from '../gql/graphql.js';",
      'export const year = (answer: SignInMutation) => answer.tokenObtain.accessExpiresAt.getFullYear();',
    ],
    'a code that there is not': [
      "import type { ErrorCode } from '../gql/schema.js';",
      "export const code: ErrorCode = 'NOT_THERE';",
    ],
    'a variable left out': [
      "import type { SignInMutationVariables } from '../gql/graphql.js';",
      "export const variables: SignInMutationVariables = { username: 'ada' };",
    ],
  };
  const folder = join(work, 'src/wrong');
  mkdirSync(folder);
  const names = Object.keys(wrong);
  for (const [i, name] of names.entries()) writeFileSync(join(folder, `${i}.ts`), wrong[name].join('\n'));
  const errors = await run(work, 'tsc', ['--noEmit', '--pretty', 'false']).then(() => '', (error) => error.message);
  for (const [i, name] of names.entries()) assert.match(errors, new RegExp(`src/wrong/${i}\\.ts\\(2,\\d+\\): error`), name);
});

test('a server that trusts the documents runs them by their ids, and nothing else', async (t) => {
  const documents = join(work, 'src/gql/persisted-documents.json');
  const url = `http://127.0.0.1:${await start(t, { LATCHKEY_TRUSTED_DOCUMENTS: documents })}/graphql`;
  const { sendTrusted } = await import(join(work, 'dist/trusted.js'));
  const { Me, SignIn } = await import(join(work, 'dist/operations.js'));

  const { data } = await sendTrusted(url, SignIn, { username, password });
  const me = await sendTrusted(url, Me, {}, data.tokenObtain.access);
  assert.equal(me.data.me.username, username);

  const send = async (body) => {
    const response = await fetch(url, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
    });
    return response.json();
  };
  const foreign = await send({ query: 'query Me { me { id email } }' });
  assert.equal(foreign.errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
  assert.equal(foreign.data, undefined);

  // Clients that know Apollo's way of sending a hash are served as well.
  const [hash] = Object.entries(JSON.parse(readFileSync(documents, 'utf8'))).find(([, text]) => text.startsWith('query Me'));
  const persisted = await send({ extensions: { persistedQuery: { version: 1, sha256Hash: hash.replace('sha256:', '') } } });
  assert.equal(persisted.errors[0].extensions.code, 'UNAUTHENTICATED');
});
