import { defineConfig } from 'vite';
import { compress } from './build/compress.js';
import { licenses } from './build/licenses.js';

const notices = licenses('LICENSES.txt');

export default defineConfig({
  base: '/graphiql/', // the paths in ../graphiql.go
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    assetsInlineLimit: 0, // the Content-Security-Policy takes fonts as files only
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 3000, // kB: Monaco is one chunk
    reportCompressedSize: false,
    rolldownOptions: { onwarn: ignoreDirectives },
  },
  plugins: [notices.page, compress('assets')],
  worker: {
    plugins: () => [notices.workers],
    rolldownOptions: { onwarn: ignoreDirectives },
  },
});

// ignoreDirectives drops the note about "use client", which many packages begin
// with: it is for servers that render, and there is none.
function ignoreDirectives(warning, warn) {
  if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') warn(warning);
}
