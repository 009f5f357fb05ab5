import { gzip } from 'pako';

// compress replaces every file of the folder by its gzip form: the binary holds
// that form alone. The compressor is written in JavaScript, since the one that
// is built into Node.js gives other bytes on other processors.
export function compress(folder) {
  return {
    name: 'latchkey:compress',
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        for (const [name, file] of Object.entries(bundle)) {
          if (!name.startsWith(`${folder}/`)) continue;
          const source = gzip(file.type === 'chunk' ? file.code : file.source, { level: 9 });
          this.emitFile({ type: 'asset', fileName: `${name}.gz`, source });
          delete bundle[name];
        }
      },
    },
  };
}
