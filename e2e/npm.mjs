// Folders of this repository that have npm packages of their own.

import { execFile, execFileSync } from 'node:child_process';
import { cpSync, statSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { folder } from './latchkey.mjs';

const root = new URL('..', import.meta.url).pathname;

// install brings the packages of a folder, named from the root of the repository, to what its lock file says, and
// returns the folder's path. It does nothing where they are there.
export function install(name) {
  const folder = join(root, name);
  const changed = (file) => statSync(join(folder, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (changed('node_modules/.package-lock.json') <= changed('package-lock.json')) {
    execFileSync('npm', ['ci'], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  }
  return folder;
}

// project copies the sources of a folder into an empty one, with the packages at hand and schema.graphql as far away as
// in the repository, and returns its path: what is generated and built there leaves the working tree as it is.
export function project(name) {
  const from = install(name);
  const top = folder();
  const to = join(top, name);
  cpSync(join(root, 'schema.graphql'), join(top, 'schema.graphql'));
  const made = new Set(['node_modules', 'dist', 'gql', '__generated__', 'persisted.json']);
  cpSync(from, to, { recursive: true, filter: (path) => !made.has(basename(path)) });
  symlinkSync(join(from, 'node_modules'), join(to, 'node_modules'));
  return to;
}

// run runs a program of a folder's packages, or node, and returns what it prints. A failure holds all of its output.
export async function run(cwd, program, args, env = {}) {
  const path = program === 'node' ? process.execPath : join(cwd, 'node_modules/.bin', program);
  try {
    const { stdout } = await promisify(execFile)(path, args, { cwd, env: { PATH: process.env.PATH, ...env } });
    return stdout;
  } catch (error) {
    throw new Error(`${program} ${args.join(' ')}: ${error.message}\n${error.stdout}${error.stderr}`);
  }
}
