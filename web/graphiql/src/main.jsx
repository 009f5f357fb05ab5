import './csp.js';
import './workers.js';

import '@graphiql/react/style.css';
import '@graphiql/plugin-doc-explorer/style.css';
import '@graphiql/plugin-history/style.css';
import 'graphiql/graphiql.css';
import './style.css';
import './panes.css';

import { GraphiQL } from 'graphiql';
import { createRoot } from 'react-dom/client';

import { createAccess } from './access.js';
import { createFetcher } from './fetcher.js';
import { FillEditors } from './fill-editors.jsx';
import { authorizationHeaders } from './headers.js';
import { createPlugins } from './plugins.js';
import { post, readSDL } from './server.js';
import { createSession } from './session.js';
import { createStorage, durableStorage, isFirstVisit } from './storage.js';
import { SystemTheme } from './system-theme.js';
import { openingTabs } from './tabs.js';

const durable = durableStorage();
const session = createSession({ post });
const access = createAccess({ readSDL });
const plugins = createPlugins(session, access);
session.restore();

createRoot(document.getElementById('graphiql')).render(
  <GraphiQL
    fetcher={createFetcher({ post, session, access })}
    plugins={plugins}
    // Whoever comes for the first time sees where to sign in, if there is room beside the editors.
    visiblePlugin={isFirstVisit(durable) && matchMedia('(min-width: 48rem)').matches ? plugins[0] : undefined}
    storage={createStorage(durable)}
    shouldPersistHeaders={false}
    defaultTabs={openingTabs}
    defaultHeaders={authorizationHeaders}
    // GraphiQL takes the query of the first tab from defaultTabs, but not these.
    initialVariables={openingTabs[0].variables}
    initialHeaders={openingTabs[0].headers}
  >
    <GraphiQL.Logo>Latchkey</GraphiQL.Logo>
    <SystemTheme />
    <FillEditors session={session} />
  </GraphiQL>,
);
