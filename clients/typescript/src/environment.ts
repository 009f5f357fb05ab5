/** What `createAuth` takes from around it, and what a test puts in its place. */
export interface Environment {
  /** Milliseconds that never go back; they need not pass while the machine sleeps. */
  monotonic(): number;
  /** Milliseconds since 1970. */
  wall(): number;
  setTimeout(done: () => void, milliseconds: number): unknown;
  clearTimeout(timer: unknown): void;
  /** The Web Locks of the origin; null where there are none. */
  locks: Locks | null;
  /** Opens a channel to the other tabs of the origin; null where there is none. */
  openChannel: ((name: string) => Channel) | null;
}

/** The part of LockManager that is used. */
export interface Locks {
  request<T>(name: string, work: () => Promise<T>): Promise<T>;
}

/** The part of BroadcastChannel that is used. */
export interface Channel {
  onmessage: ((event: { data: unknown }) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}

/**
 * surroundings are those of this very runtime. Tabs and their workers have a location. A server has none: there locks and
 * channels reach from the session of one user to that of another, and are left alone.
 */
export function surroundings(): Environment {
  const inPage = globalThis.location !== undefined;
  return {
    monotonic: () => performance.now(),
    wall: () => Date.now(),
    setTimeout: (done, milliseconds) => setTimeout(done, milliseconds),
    clearTimeout: (timer) => clearTimeout(timer as number),
    locks: (inPage && globalThis.navigator?.locks) || null,
    openChannel:
      inPage && typeof BroadcastChannel !== 'undefined'
        ? (name) => {
            const channel = new BroadcastChannel(name) as Channel & { unref?(): void };
            channel.unref?.(); // Node.js with a page made for tests would wait for messages and not end
            return channel;
          }
        : null,
  };
}

/** untilAborted is the promise, or the abort of the signal, whichever comes first. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
