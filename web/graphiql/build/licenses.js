import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const NODE_MODULES = `${path.sep}node_modules${path.sep}`;

const NOTICE_FILE = /^(licen[cs]e|copying|notice|thirdpartynotices)/i;

// Packages that are published without the text of their licence, and the ones
// from the same source repository that have it.
const TEXT_IN = {
  '@graphiql/plugin-doc-explorer': 'graphiql',
  '@graphiql/plugin-history': 'graphiql',
  'react-compiler-runtime': 'react',
  'react-remove-scroll-bar': 'react-remove-scroll',
};

// Both leave a few helper functions of their own in what they build.
const BUILD_TOOLS = ['rolldown', 'vite'];

// licenses writes the notices of all that is bundled into one file of that
// name. It consists of two plugins, for the page and for the workers, which
// are builds of their own. A package with no licence text fails the build.
export function licenses(fileName) {
  const folders = new Set();

  const collect = {
    name: 'latchkey:licenses-collect',
    renderChunk(_code, chunk) {
      for (const id of chunk.moduleIds) {
        const folder = packageFolder(id);
        if (folder) folders.add(folder);
      }
    },
  };

  const write = {
    ...collect,
    name: 'latchkey:licenses',
    generateBundle() {
      for (const name of BUILD_TOOLS) folders.add(path.resolve('node_modules', name));
      this.emitFile({ type: 'asset', fileName, source: render(folders) });
    },
  };

  return { page: write, workers: collect };
}

// packageFolder returns the folder of the package that a module is from, or
// undefined for a module of our own and for one that the build tool made up.
function packageFolder(id) {
  const start = id.lastIndexOf(NODE_MODULES);
  if (start < 0 || id.startsWith('\0')) return undefined;
  const within = id.slice(start + NODE_MODULES.length).split(path.sep);
  const name = within[0].startsWith('@') ? within.slice(0, 2) : within.slice(0, 1);
  return path.join(id.slice(0, start), 'node_modules', ...name);
}

// render lists the packages by licence text, each text once.
function render(folders) {
  const byText = new Map();
  for (const folder of folders) {
    const { name, version, license } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
    const text = noticeText(folder) || noticeText(path.resolve('node_modules', TEXT_IN[name] ?? name));
    if (!text) throw new Error(`no licence text for ${name}, which is bundled`);
    const title = `${name} ${version} (${license})`;
    byText.set(text, [...(byText.get(text) ?? []), title]);
  }

  const sections = [...byText]
    .map(([text, titles]) => [...new Set(titles)].sort().join('\n') + `\n\n${text}\n`)
    .sort();
  const rule = `\n${'='.repeat(80)}\n\n`;
  return [
    'The GraphiQL page that is part of this program contains the packages below,\n' +
      'each under the licence that follows its name.\n',
    ...sections,
  ].join(rule);
}

function noticeText(folder) {
  return readdirSync(folder)
    .filter((file) => NOTICE_FILE.test(file))
    .sort()
    .map((file) => ownPart(readFileSync(path.join(folder, file), 'utf8')))
    .join('\n\n');
}

// ownPart leaves out the licences of what a build tool consists of, none of
// which gets into a build, and evens out line ends.
function ownPart(text) {
  return text.split('\n# Licenses of bundled dependencies')[0].replaceAll('\r\n', '\n').trim();
}
