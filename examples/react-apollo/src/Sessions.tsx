import { useMutation } from '@apollo/client/react';
import { ErrorCode } from '@latchkey/client';
import { useRef, useState } from 'react';

import { codeOf } from './errors';
import { endSessionMutation } from './operations';
import type { OwnSession } from './operations';
import { Time } from './Time';
import { useTask } from './useTask';

interface Props {
  sessions: OwnSession[];
  onEnded: () => Promise<unknown>;
}

export function Sessions({ sessions, onEnded }: Props) {
  const heading = useRef<HTMLHeadingElement>(null);
  const [ended, setEnded] = useState<string | null>(null);
  const [endSession] = useMutation(endSessionMutation);
  const end = useTask(async ({ id, userAgent }: OwnSession) => {
    setEnded(null);
    try {
      await endSession({ variables: { id } });
    } catch (error) {
      if (codeOf(error) !== ErrorCode.NOT_FOUND) throw error; // else it had ended by itself
    }
    await onEnded();
    setEnded(`The session of ${deviceOf(userAgent)} has ended.`);
    heading.current?.focus(); // the button is gone
  });

  return (
    <section className="card" aria-labelledby="sessions">
      <h2 id="sessions" ref={heading} tabIndex={-1}>
        Sessions
      </h2>
      <ul className="sessions">
        {sessions.map((session) => (
          <li key={session.id}>
            <div>
              <strong id={session.id}>{deviceOf(session.userAgent)}</strong>{' '}
              {session.isCurrent && <span className="badge">this one</span>}
              <p className="quiet">
                {session.ipAddress ?? 'address unknown'} · since <Time at={session.createdAt} /> · last used{' '}
                <Time at={session.lastUsedAt} />
              </p>
            </div>
            <button
              aria-describedby={session.id}
              aria-disabled={end.pending}
              onClick={() => void (end.pending || end.run(session))}
            >
              End this one
            </button>
          </li>
        ))}
      </ul>
      {end.error && (
        <p className="error" role="alert">
          {end.error}
        </p>
      )}
      <p className="done" role="status">
        {ended}
      </p>
    </section>
  );
}

const browsers = { Edge: /Edg/, Firefox: /Firefox/, Chrome: /Chrom/, Safari: /Safari/, curl: /^curl/ };
const systems = { Android: /Android/, iOS: /iPhone|iPad/, Windows: /Windows/, macOS: /Macintosh/, Linux: /Linux/ };

/** What a person calls the program that a session was begun with. */
function deviceOf(userAgent: string | null | undefined): string {
  const find = (names: Record<string, RegExp>) =>
    Object.keys(names).find((name) => names[name]?.test(userAgent ?? ''));
  const browser = find(browsers) ?? 'Another program';
  const system = find(systems);
  return system ? `${browser} on ${system}` : browser;
}
