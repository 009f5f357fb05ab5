import type { CodegenConfig } from '@graphql-codegen/cli';

const scalars = { DateTime: 'string', ID: 'string' };

const config: CodegenConfig = {
  // A file, or the address of a server on which introspection is on.
  schema: process.env.LATCHKEY_SCHEMA ?? '../../schema.graphql',
  documents: 'src/**/*.ts',
  ignoreNoDocuments: false,
  generates: {
    // The types of the operations, and the trusted documents.
    'src/gql/': {
      preset: 'client',
      presetConfig: { persistedDocuments: { hashAlgorithm: 'sha256' }, fragmentMasking: false },
      config: { scalars, strictScalars: true, useTypeImports: true, importExtension: '.js' },
    },
    // Every type of the schema. The preset leaves out what no operation uses, and so ErrorCode and TokenProblem.
    'src/gql/schema.ts': {
      plugins: ['typescript'],
      config: { scalars, strictScalars: true, enumsAsConst: true, namingConvention: { enumValues: 'keep' } },
    },
  },
};

export default config;
