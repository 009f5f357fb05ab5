// A reporter for Node.js's test runner that writes events the way `go test -json` does, one a line: one summary then
// holds the tests of both. The tests of the client are the package clients/typescript; those of a file that drives a
// browser are e2e/browser, all others are e2e.

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

export default async function* events(source) {
  const packages = new Map();
  const line = (event) => `${JSON.stringify(event)}\n`;

  for await (const { type, data } of source) {
    if (type === 'test:stdout' || type === 'test:stderr') process.stderr.write(data.message);
    if ((type !== 'test:pass' && type !== 'test:fail') || data.details.type === 'suite') continue;

    const Package = packageOf(data.file);
    const Test = `${basename(data.file, '.test.mjs')}/${data.name}`;
    const seconds = data.details.duration_ms / 1000;
    const total = packages.get(Package) ?? { Action: 'pass', Elapsed: 0 };
    packages.set(Package, total);
    total.Elapsed += seconds;

    let Action = type.slice('test:'.length);
    const notRun = data.skip ?? data.todo;
    if (notRun !== undefined) {
      Action = 'skip';
      if (notRun !== true) yield line({ Action: 'output', Package, Test, Output: `${notRun}\n` });
    } else if (Action === 'fail') {
      total.Action = 'fail';
      const { error } = data.details;
      const text = error.cause?.stack ?? error.cause ?? error.stack;
      yield line({ Action: 'output', Package, Test, Output: `--- FAIL: ${Test}\n${text}\n` });
    }
    yield line({ Action, Package, Test, Elapsed: seconds });
  }
  for (const [Package, total] of packages) yield line({ ...total, Package });
}

function packageOf(file) {
  if (file.includes('/clients/typescript/')) return 'clients/typescript';
  return readFileSync(file, 'utf8').includes("from './browser.mjs'") ? 'e2e/browser' : 'e2e';
}
