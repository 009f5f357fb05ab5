// Whether the server can be reached, by what became of the last request.

import { useSyncExternalStore } from 'react';

let down = false;
const listeners = new Set<() => void>();

function note(next: boolean): void {
  if (down === next) return;
  down = next;
  for (const listener of listeners) listener();
}

/** What a proxy says when the server behind it does not answer, as opposed to an error that the server tells of. */
const isFromProxy = ({ status, headers }: Response) => status >= 500 && !headers.get('Content-Type')?.includes('json');

/** Sends requests as `fetch` does, and notes whether they arrive. */
export const watchedFetch: typeof fetch = async (input, init) => {
  try {
    const response = await fetch(input, init);
    note(isFromProxy(response));
    return response;
  } catch (error) {
    // An abort says that nobody waits any more; only one for want of an answer in time says something of the server.
    const unwanted = error instanceof DOMException && error.name === 'AbortError';
    if (!unwanted) note(true);
    throw error;
  }
};

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

export const useIsDown = () => useSyncExternalStore(subscribe, () => down);
