import { HISTORY_PLUGIN } from 'graphiql';

// plugins are the panes that the buttons of the left bar open, after the
// documentation, which is always there. A pane is { title, icon, content }, the
// last two React components; one that signs in belongs here.
export const plugins = [HISTORY_PLUGIN];
