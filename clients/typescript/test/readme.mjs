import { readFileSync } from 'node:fs';

const text = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

/** The programs in the README: the heading that each is under, its language and its text. */
export const snippets = text.split(/^## /m).flatMap((section) =>
  [...section.matchAll(/^```(tsx?)\n(.*?)^```$/gms)].map(([, language, code]) => ({
    heading: section.slice(0, section.indexOf('\n')),
    language,
    code,
  })),
);
