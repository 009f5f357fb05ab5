// Who is signed in. The access token is a variable inside `auth`, the refresh token an HttpOnly cookie.

import { createAuth } from '@latchkey/client';
import { useSyncExternalStore } from 'react';

import { watchedFetch } from './connection';

export const auth = createAuth({
  url: import.meta.env.VITE_LATCHKEY_URL ?? '/graphql',
  storage: 'cookie',
  fetch: watchedFetch,
});

export const useAuth = () => useSyncExternalStore(auth.subscribe, auth.getState);
