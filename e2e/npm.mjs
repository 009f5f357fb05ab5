// Folders of this repository that have npm packages of their own.

import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';

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
