// examples/relay as its reader would use it: compiled by relay-compiler, checked by tsc, run against a server page by
// page, with the documents in the requests and with their ids alone.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { password, start, username } from './latchkey.mjs';
import { project, run } from './npm.mjs';

// build compiles the example by one of its configurations and returns the folder.
async function build(config) {
  const work = project('examples/relay');
  writeFileSync(join(work, 'persisted.json'), '{}');
  await run(work, 'relay-compiler', [config]);
  await run(work, 'tsc', []);
  await run(work, 'babel', ['src', '--out-dir', 'dist', '--extensions', '.ts']);
  return work;
}

// addUsers makes four users besides the superuser.
async function addUsers(url) {
  const send = async (query, access) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(access && { authorization: `Bearer ${access}` }) },
      body: JSON.stringify({ query }),
    });
    const { data, errors } = await response.json();
    assert.equal(errors, undefined, JSON.stringify(errors));
    return data;
  };
  const { tokenObtain } = await send(
    `mutation { tokenObtain(username: "${username}", password: "${password}") { access } }`);
  for (const name of ['dora', 'carl', 'bob', 'erin']) {
    const { userCreate } = await send(
      `mutation { userCreate(input: { username: "${name}", password: "${password}" }) { errors { message } } }`,
      tokenObtain.access);
    assert.deepEqual(userCreate.errors, []);
  }
}

test('Relay walks through the users', async (t) => {
  const work = await build('relay.config.json');
  const url = `http://127.0.0.1:${await start(t)}/graphql`;
  await addUsers(url);
  const printed = await run(work, 'node', ['dist/main.js'], {
    LATCHKEY_URL: url, LATCHKEY_USERNAME: username, LATCHKEY_PASSWORD: password,
  });
  assert.equal(printed, 'ada bob carl dora erin\n');
});

test('a server that trusts what relay-compiler persisted runs it by its ids', async (t) => {
  const work = await build('relay.trusted.json');
  const url = `http://127.0.0.1:${await start(t, { LATCHKEY_TRUSTED_DOCUMENTS: join(work, 'persisted.json') })}/graphql`;
  const printed = await run(work, 'node', ['dist/main.js'], {
    LATCHKEY_URL: url, LATCHKEY_USERNAME: username, LATCHKEY_PASSWORD: password,
  });
  assert.equal(printed, 'ada\n');
});
