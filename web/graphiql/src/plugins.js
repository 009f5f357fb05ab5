import { HISTORY_PLUGIN } from 'graphiql';

import { createAccessPane } from './access-pane.jsx';
import { KeyIcon, ShieldIcon } from './icons.jsx';
import { createSignIn } from './sign-in.jsx';

// createPlugins returns the panes that the buttons of the left bar open, after the documentation, which is always there.
// A pane is { title, icon, content }, the last two React components.
export function createPlugins(session, access) {
  return [
    { title: 'Sign in', icon: KeyIcon, content: createSignIn(session) },
    { title: 'Access', icon: ShieldIcon, content: createAccessPane(access, session) },
    HISTORY_PLUGIN,
  ];
}
