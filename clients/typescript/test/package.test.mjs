// The package as others see it: its types, its size, what it brings along.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { build } from 'esbuild';

import { snippets } from './readme.mjs';

const root = new URL('..', import.meta.url).pathname;

/** compile checks sources, by file name, with the strictest settings; it throws what the compiler writes. */
function compile(t, sources, options) {
  const folder = mkdtempSync(join(root, 'test/snippets-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, code] of Object.entries(sources)) writeFileSync(join(folder, name), code);
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    target: 'ES2022',
    ...options,
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
  try {
    execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8' });
  } catch (failure) {
    throw new Error(failure.stdout);
  }
}

const forBrowsers = {
  module: 'ESNext',
  moduleResolution: 'bundler',
  lib: ['ES2022', 'DOM'],
  types: [],
  jsx: 'react-jsx',
  skipLibCheck: true,
};
const forNode = { module: 'NodeNext', lib: ['ES2022'], types: ['node'] };

test('each program of the README compiles', (t) => {
  assert.ok(snippets.length >= 6);
  compile(
    t,
    Object.fromEntries(snippets.map(({ language, code }, i) => [`snippet${i}.${language}`, code])),
    forBrowsers,
  );
});

test('the types hold without those of the DOM', (t) => {
  const code = `
    import { createAuth, ErrorCode, TokenProblem } from '@latchkey/client';
    import type { AuthState, User } from '@latchkey/client';
    import { createFetch } from '@latchkey/client/fetch';
    const auth = createAuth({ url: new URL('http://localhost:8000/graphql'), storage: 'memory' });
    export const send = createFetch(auth);
    export const code: ErrorCode = 'RATE_LIMITED';
    export const problem = TokenProblem.REUSED;
    export function nameOf(state: AuthState): string | undefined {
      return state.status === 'signedIn' ? state.user.username : state.reason === 'SIGNED_OUT' ? 'nobody' : undefined;
    }
    export type Name = User['username'];
  `;
  compile(t, { 'program.ts': code }, forNode);
});

test('what is wrong does not compile', (t) => {
  const head = "import { createAuth, ErrorCode } from '@latchkey/client';\n";
  const wrong = {
    "createAuth({ url: '/graphql', storage: 'localStorage' });": /TS2820|TS2322/,
    "createAuth({ url: '/graphql' });": /TS2741/,
    'ErrorCode.NO_SUCH_CODE;': /TS2339/,
  };
  for (const [code, fault] of Object.entries(wrong)) {
    assert.throws(() => compile(t, { 'program.ts': `${head}${code}\nexport {};` }, forBrowsers), fault, code);
  }
});

async function bundle(code) {
  const { outputFiles, metafile } = await build({
    stdin: { contents: code, resolveDir: root },
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    metafile: true,
    external: ['@apollo/client/*', '@urql/core', 'rxjs', 'wonka'],
  });
  return {
    size: gzipSync(outputFiles[0].contents, { level: 9 }).length,
    imports: Object.values(metafile.outputs)[0].imports,
  };
}

test('the core is smaller than 5 kB, minified and gzipped, all of its enums and documents included', async () => {
  const { size, imports } = await bundle("export * from '@latchkey/client';");
  console.log(`@latchkey/client: ${size} bytes, minified and gzipped`);
  assert.ok(size < 5_000, `${size} bytes`);
  assert.deepEqual(imports, [], 'it imports nothing');
});

for (const [adapter, peers] of Object.entries({
  fetch: [],
  apollo: ['@apollo/client/errors', '@apollo/client/link', 'rxjs'],
  urql: ['@urql/core', 'wonka'],
})) {
  test(`${adapter} imports its peers and nothing else`, async () => {
    const { size, imports } = await bundle(`export * from '@latchkey/client/${adapter}';`);
    console.log(`@latchkey/client/${adapter}: ${size} bytes`);
    assert.deepEqual(imports.map(({ path }) => path).sort(), peers);
  });
}

test('what is not used is left out', async () => {
  const { size } = await bundle("import { ErrorCode } from '@latchkey/client'; console.log(ErrorCode.CONFLICT);");
  assert.ok(size < 600, `${size} bytes for an enum`);
});

test('the package has no dependency, and every peer is optional', () => {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url)));
  assert.equal(manifest.dependencies, undefined);
  for (const peer of Object.keys(manifest.peerDependencies))
    assert.deepEqual(manifest.peerDependenciesMeta[peer], { optional: true }, peer);
});
