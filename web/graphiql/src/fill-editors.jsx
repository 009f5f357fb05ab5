import { useGraphiQL } from '@graphiql/react';
import { useEffect } from 'react';

import { authorizationHeaders, outdated } from './headers.js';
import { useStore } from './store.js';

// FillEditors writes the access token into the headers editor of the open tab, and wherever else in the headers and the
// variables the placeholder or an older token of the session stands. What the user has typed stays.
export function FillEditors({ session }) {
  const { pair } = useStore(session);
  const tab = useGraphiQL((state) => state.tabs[state.activeTabIndex]?.id);
  const headers = useGraphiQL((state) => state.headerEditor);
  const variables = useGraphiQL((state) => state.variableEditor);

  useEffect(() => {
    if (pair && headers?.getValue().trim() === '') headers.setValue(authorizationHeaders);
    for (const editor of [headers, variables]) fill(editor, session);
  }, [pair, tab, headers, variables, session]);

  return null;
}

function fill(editor, session) {
  const model = editor?.getModel();
  if (!model) return;
  for (let found; (found = outdated(model.getValue(), session)); ) {
    const start = model.getPositionAt(found.start);
    const end = model.getPositionAt(found.end);
    const range = {
      startLineNumber: start.lineNumber,
      startColumn: start.column,
      endLineNumber: end.lineNumber,
      endColumn: end.column,
    };
    model.applyEdits([{ range, text: found.replacement }]);
  }
}
