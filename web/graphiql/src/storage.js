// What may outlive the page is how it looks. The text in the editors may not:
// passwords and tokens are typed into queries, variables and headers, and
// GraphiQL would store the open tabs and the history of what was run.
const DURABLE = new Set(
  ['theme', 'visiblePlugin', 'docExplorerFlex', 'editorFlex', 'secondaryEditorFlex'].map((name) => `graphiql:${name}`),
);

// createStorage returns the storage for GraphiQL: a few keys are kept in the
// given one, all others in memory, until the page is closed or loaded again.
export function createStorage(durable) {
  const memory = createMemory();
  const home = (key) => (DURABLE.has(key) ? durable : memory);
  return {
    getItem: (key) => home(key).getItem(key),
    setItem: (key, value) => home(key).setItem(key, value),
    removeItem: (key) => home(key).removeItem(key),
    get length() {
      return memory.length;
    },
    clear() {
      memory.clear();
      for (const key of DURABLE) durable.removeItem(key);
    },
  };
}

// isFirstVisit reports whether no pane was ever opened or closed with this storage.
export function isFirstVisit(durable) {
  return durable.getItem('graphiql:visiblePlugin') === null;
}

// durableStorage returns the browser's storage, or memory where the browser
// has been told to give a page none.
export function durableStorage() {
  try {
    return window.localStorage;
  } catch {
    return createMemory();
  }
}

function createMemory() {
  const items = new Map();
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
    get length() {
      return items.size;
    },
    clear: () => items.clear(),
  };
}
