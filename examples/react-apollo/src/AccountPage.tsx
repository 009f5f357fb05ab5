import { useQuery } from '@apollo/client/react';
import { useEffect, useRef } from 'react';

import { messageOf } from './errors';
import { accountQuery } from './operations';
import type { Account } from './operations';
import { PasswordForm } from './PasswordForm';
import { Sessions } from './Sessions';
import { Time } from './Time';

export function AccountPage({ onSignOut }: { onSignOut: () => void }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);

  // Asks again every few seconds, so that the sessions are those of now, and one that was ended elsewhere is over here.
  const { data, previousData, error, refetch } = useQuery(accountQuery, {
    pollInterval: 5000,
    skipPollAttempt: () => document.hidden,
  });
  const account = data ?? previousData;

  return (
    <>
      <title>Your account · Latchkey example</title>
      <header>
        <p className="brand">
          <img src="/icon.svg" alt="" width="28" height="28" />
          Latchkey example
        </p>
        <button onClick={onSignOut}>Sign out</button>
      </header>
      <main>
        <h1 ref={heading} tabIndex={-1}>
          Your account
        </h1>
        {error && (
          <p className="error" role="alert">
            {messageOf(error)}
          </p>
        )}
        {account?.me ? (
          <>
            <Profile me={account.me} secret={account.protected} />
            <Sessions sessions={account.me.sessions} onEnded={refetch} />
            <PasswordForm username={account.me.username} onChanged={refetch} />
          </>
        ) : (
          !error && <p className="quiet">One moment…</p>
        )}
      </main>
    </>
  );
}

function Profile({ me, secret }: { me: NonNullable<Account['me']>; secret: string | null }) {
  const facts = {
    'The protected field': secret,
    Username: me.username,
    Name: `${me.firstName} ${me.lastName}`.trim(),
    'E-mail': me.email,
    Roles: me.roles.map(({ name }) => name).join(', '),
    'Last sign-in': me.lastLogin && <Time at={me.lastLogin} />,
  };
  return (
    <section className="card" aria-labelledby="profile">
      <h2 id="profile">Who I am</h2>
      <dl>
        {Object.entries(facts).map(
          ([name, fact]) =>
            fact && (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{fact}</dd>
              </div>
            ),
        )}
      </dl>
    </section>
  );
}
