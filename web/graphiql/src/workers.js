import EditorWorker from 'monaco-editor/esm/vs/editor/editor.worker.js?worker';
import JSONWorker from 'monaco-editor/esm/vs/language/json/json.worker.js?worker';
import GraphQLWorker from 'monaco-graphql/esm/graphql.worker.js?worker';

const byLanguage = { graphql: GraphQLWorker, json: JSONWorker };

// Monaco asks here for its workers. Each is a file of our own origin, so the
// Content-Security-Policy needs to allow neither blob: nor data: for them.
globalThis.MonacoEnvironment = {
  getWorker: (_moduleId, label) => new (byLanguage[label] ?? EditorWorker)(),
};
