import './csp.js';
import './workers.js';

import '@graphiql/react/style.css';
import '@graphiql/plugin-doc-explorer/style.css';
import '@graphiql/plugin-history/style.css';
import 'graphiql/graphiql.css';
import './style.css';

import { GraphiQL } from 'graphiql';
import { createRoot } from 'react-dom/client';

import { fetcher } from './fetcher.js';
import { plugins } from './plugins.js';
import { createStorage, durableStorage } from './storage.js';
import { SystemTheme } from './system-theme.js';
import { authorizationHeaders, openingTabs } from './tabs.js';

createRoot(document.getElementById('graphiql')).render(
  <GraphiQL
    fetcher={fetcher}
    plugins={plugins}
    storage={createStorage(durableStorage())}
    shouldPersistHeaders={false}
    defaultTabs={openingTabs}
    defaultHeaders={authorizationHeaders}
    // GraphiQL takes the query of the first tab from defaultTabs, but not these.
    initialVariables={openingTabs[0].variables}
    initialHeaders={openingTabs[0].headers}
  >
    <GraphiQL.Logo>Latchkey</GraphiQL.Logo>
    <SystemTheme />
  </GraphiQL>,
);
