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
  const [ended, setEnded] = useState('');

  async function goOn(session: OwnSession): Promise<void> {
    await onEnded();
    setEnded(`The session of ${deviceOf(session.userAgent)} has ended.`);
    heading.current?.focus(); // the button is gone
  }

  return (
    <section className="card" aria-labelledby="sessions">
      <h2 id="sessions" ref={heading} tabIndex={-1}>
        Sessions
      </h2>
      <ul className="sessions">
        {sessions.map((session) => (
          <Row key={session.id} session={session} onEnded={() => goOn(session)} />
        ))}
      </ul>
      <p className="done" role="status">
        {ended}
      </p>
    </section>
  );
}

function Row({ session, onEnded }: { session: OwnSession; onEnded: () => Promise<void> }) {
  const { id, userAgent, ipAddress, createdAt, lastUsedAt, isCurrent } = session;
  const [endSession] = useMutation(endSessionMutation);
  const end = useTask(async () => {
    try {
      await endSession({ variables: { id } });
    } catch (error) {
      if (codeOf(error) !== ErrorCode.NOT_FOUND) throw error; // else it had ended by itself
    }
    await onEnded();
  });

  return (
    <li>
      <div>
        <strong id={id}>{deviceOf(userAgent)}</strong> {isCurrent && <span className="badge">current</span>}
        <p className="quiet">
          Signed in <Time at={createdAt} />
          {ipAddress && ` from ${ipAddress}`}
          <br />
          Last used <Time at={lastUsedAt} />
        </p>
        {end.error && (
          <p className="error" role="alert">
            {end.error}
          </p>
        )}
      </div>
      <button aria-describedby={id} aria-disabled={end.pending} onClick={() => void (end.pending || end.run())}>
        End this one
      </button>
    </li>
  );
}

const browsers = { Edge: /Edg/, Firefox: /Firefox/, Chrome: /Chrom/, Safari: /Safari/ };
const systems = { Android: /Android/, iOS: /iPhone|iPad/, Windows: /Windows/, macOS: /Macintosh/, Linux: /Linux/ };

/** What a person calls the program that a session was begun with. */
function deviceOf(userAgent: string | null | undefined): string {
  const find = (names: Record<string, RegExp>) =>
    Object.keys(names).find((name) => names[name]?.test(userAgent ?? ''));
  const browser = find(browsers) ?? userAgent?.match(/^[^/ ]+/)?.[0] ?? 'Unknown program';
  const system = find(systems);
  return system ? `${browser} on ${system}` : browser;
}
