import { useState } from 'react';

import { messageOf } from './errors';

const idle = { pending: false, error: null as string | null };

/** Runs what a form or a button starts, and tells whether it is under way and what went wrong, in words. */
export function useTask<Args extends unknown[]>(work: (...args: Args) => Promise<unknown>) {
  const [state, setState] = useState(idle);

  async function run(...args: Args): Promise<void> {
    setState({ pending: true, error: null });
    try {
      await work(...args);
      setState(idle);
    } catch (error) {
      setState({ pending: false, error: messageOf(error) });
    }
  }

  return { ...state, run, clear: () => setState(idle) };
}
