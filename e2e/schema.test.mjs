// The comparison with the schema of the last release: what it lets pass and what it does not.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import test, { before } from 'node:test';
import { install } from './npm.mjs';

let program, compare;
before(async () => {
  program = join(install('tools/schema'), 'compare.mjs');
  ({ compare } = await import(program));
});

const directives = 'directive @auth(requires: String) on OBJECT | FIELD_DEFINITION directive @public on FIELD_DEFINITION\n';

async function run(released, current, acknowledged = '') {
  const { lines, faults } = await compare(directives + released, directives + current, acknowledged);
  return { faults, text: lines.join('\n') };
}

const same = 'type Query { me: String @auth orders: Int @auth(requires: "orders:read") hello(name: String): String @public }';
const passes = {
  'the same schema': same,
  'a new field': same.replace('me:', 'we: Int @auth me:'),
  'a new optional argument': same.replace('name: String', 'name: String loud: Boolean'),
  'a deprecation': same.replace('me: String', 'me: String @deprecated(reason: "Use we.")'),
  'a field that asks for less': same.replace('@auth(requires: "orders:read")', '@auth'),
  'a field that asks for nothing more': same.replace('me: String @auth', 'me: String @public'),
};
for (const [name, current] of Object.entries(passes)) {
  test(`passes: ${name}`, async () => {
    const { faults, text } = await run(same, current);
    assert.equal(faults, 0, text);
  });
}

const breaks = {
  'a field that is gone': ['FIELD_REMOVED Query.me', same.replace('me: String @auth', '')],
  'a field of another type': ['FIELD_TYPE_CHANGED Query.me', same.replace('me: String', 'me: Int')],
  'a new required argument': ['FIELD_ARGUMENT_ADDED Query.hello.loud', same.replace('name: String', 'name: String loud: Boolean!')],
  'a field that asks for a token': ['GUARD_TIGHTENED Query.hello', same.replace('@public', '@auth')],
  'a field that asks for a permission': ['GUARD_TIGHTENED Query.me', same.replace('me: String @auth', 'me: String @auth(requires: "users:read")')],
  'a field that asks for another permission': ['GUARD_TIGHTENED Query.orders', same.replace('orders:read', 'orders:write')],
};
for (const [name, [change, current]] of Object.entries(breaks)) {
  test(`fails, unless acknowledged: ${name}`, async () => {
    const { faults, text } = await run(same, current);
    assert.equal(faults, 1, text);
    assert.ok(text.includes(`breaking: ${change}: `), text);

    const again = await run(same, current, `# This one may.\n${change}: nobody used it\n`);
    assert.equal(again.faults, 0, again.text);
    assert.ok(again.text.includes('acknowledged: nobody used it'), again.text);
  });
}

test('a whole type that asks for a permission breaks each of its fields that asked for less', async () => {
  const { text } = await run(same, same.replace('Query {', 'Query @auth(requires: "all:read") {').replace('@public', ''));
  assert.match(text, /GUARD_TIGHTENED Query\.hello: .* required nothing; it requires the permission all:read/);
});

test('an acknowledged change that is none fails', async () => {
  const { faults, text } = await run(same, same, 'FIELD_REMOVED Query.me: gone since the last release\n');
  assert.equal(faults, 1);
  assert.match(text, /not among the changes that break: FIELD_REMOVED Query\.me/);
});

test('a change is not acknowledged without a reason', async () => {
  await assert.rejects(run(same, same, 'FIELD_REMOVED Query.me:\n'), /line 1 of the acknowledged changes/);
});

test('the schema breaks no client of the last release without notice', () => {
  assert.match(execFileSync('node', [program], { encoding: 'utf8' }), /^schema: \d+ changes .* none that breaks/m);
});
