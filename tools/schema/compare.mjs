// Tells what a schema changes since the last release, and fails on what breaks clients, unless somebody wrote down that
// it may.
//
// released.graphql is the schema of the last release. acknowledged.txt has a line for each change that may break clients,
// as it is printed, with the reason behind it: `FIELD_REMOVED User.email: reason`. A line that stands for no change is a
// fault, too: it is of a release gone by, or a slip of the pen.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { diff } from '@graphql-inspector/core';
import { buildSchema, isInterfaceType, isObjectType } from 'graphql';

// guardOf returns what a field asks of its caller: null for nothing, '' for a valid access token, else a permission.
function guardOf(type, field) {
  const auth = [field, type].flatMap(({ astNode }) => astNode.directives).find(({ name }) => name.value === 'auth');
  if (!auth) return null;
  return auth.arguments.find(({ name }) => name.value === 'requires')?.value.value ?? '';
}

// tightened returns a change for each field that asks more of its caller than before, or another permission. To the
// inspector an argument of a directive is nothing that breaks.
function tightened(released, current) {
  const changes = [];
  const words = (guard) => guard === null ? 'nothing' : guard === '' ? 'a valid access token' : `the permission ${guard}`;
  for (const type of Object.values(current.getTypeMap())) {
    const before = released.getType(type.name);
    if (!(isObjectType(type) || isInterfaceType(type)) || !type.astNode || !before?.astNode) continue;
    for (const field of Object.values(type.getFields())) {
      const old = before.getFields?.()[field.name];
      if (!old) continue;
      const [was, is] = [guardOf(before, old), guardOf(type, field)];
      if (is === was || is === null || (is === '' && was !== null)) continue;
      changes.push({
        key: `GUARD_TIGHTENED ${type.name}.${field.name}`, level: 'BREAKING',
        message: `Field '${type.name}.${field.name}' required ${words(was)}; it requires ${words(is)}`,
      });
    }
  }
  return changes;
}

// readAcknowledged returns the reasons by change.
function readAcknowledged(text) {
  const reasons = new Map();
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [, key, reason] = line.match(/^([A-Z_]+ \S+): (\S.*)$/) ?? [];
    if (!key) throw new Error(`line ${index + 1} of the acknowledged changes is not 'KIND PATH: reason': ${line}`);
    reasons.set(key, reason);
  }
  return reasons;
}

// compare takes two schemas in the schema definition language and the acknowledged changes. It returns a line for each
// change and each fault, and how many of them are faults.
export async function compare(releasedText, currentText, acknowledgedText) {
  const [released, current] = [buildSchema(releasedText), buildSchema(currentText)];
  const acknowledged = readAcknowledged(acknowledgedText);
  const changes = [
    ...(await diff(released, current)).map(({ type, path, message, criticality }) => (
      { key: `${type} ${path}`, level: criticality.level, message })),
    ...tightened(released, current),
  ];

  let faults = 0;
  const lines = changes.map(({ key, level, message }) => {
    const breaks = level === 'BREAKING';
    const reason = breaks ? acknowledged.get(key) : undefined;
    if (breaks && reason === undefined) faults++;
    const notice = reason === undefined ? '' : `; acknowledged: ${reason}`;
    return `${level.toLowerCase().replace('_', '-')}: ${key}: ${message}${notice}`;
  });
  for (const key of acknowledged.keys()) {
    if (changes.some((change) => change.key === key && change.level === 'BREAKING')) continue;
    faults++;
    lines.push(`acknowledged, but not among the changes that break: ${key}`);
  }
  return { lines, faults };
}

async function main() {
  const files = ['released.graphql', '../../schema.graphql', 'acknowledged.txt'];
  const texts = files.map((name) => readFileSync(new URL(name, import.meta.url), 'utf8'));
  const { lines, faults } = await compare(...texts);
  for (const line of lines) console.log(line);
  if (faults > 0) {
    console.error('schema: clients of the last release would break; docs/schema.md says what to do');
    process.exitCode = 1;
    return;
  }
  console.log(`schema: ${lines.length} changes since the last release, none that breaks clients without notice`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
