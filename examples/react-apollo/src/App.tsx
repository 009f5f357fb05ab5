import { ApolloProvider } from '@apollo/client/react';
import { useEffect, useState } from 'react';

import { AccountPage } from './AccountPage';
import { createClient } from './apollo';
import { auth, useAuth } from './auth';
import { useIsDown } from './connection';
import { codeOf, messageOf } from './errors';
import { SignIn } from './SignIn';
import { useTask } from './useTask';

export function App() {
  const { status, user, reason } = useAuth();
  const signOut = useTask(() => auth.signOut());
  const { clear } = signOut;
  useEffect(() => {
    if (status === 'signedIn') clear();
  }, [status]);

  if (status === 'unknown') return <Restoring />;
  if (status === 'signedIn') return <SignedIn key={user.id} onSignOut={() => void signOut.run()} />;
  return (
    <SignIn reason={reason}>
      {signOut.error && (
        <div className="alert" role="alert">
          <p>You have signed out here, but the server could not be told, and your session goes on there.</p>
          <button onClick={() => void signOut.run()}>Try again to sign out</button>
        </div>
      )}
    </SignIn>
  );
}

function SignedIn({ onSignOut }: { onSignOut: () => void }) {
  const [client] = useState(createClient);
  return (
    <ApolloProvider client={client}>
      <Connection />
      <AccountPage onSignOut={onSignOut} />
    </ApolloProvider>
  );
}

/** Asks whether there is a session in the cookie, until the server says so. */
function Restoring() {
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    const stop = new AbortController();
    const { signal } = stop;
    let timer: ReturnType<typeof setTimeout>;
    const restore = () =>
      auth.restore({ signal }).catch((error: unknown) => {
        if (signal.aborted) return;
        setProblem(codeOf(error) === 'NETWORK_ERROR' ? null : messageOf(error));
        timer = setTimeout(restore, 2000);
      });
    void restore();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, []);
  return (
    <>
      <Connection />
      <main className="narrow" aria-busy="true">
        {problem ? <p role="alert">{problem}</p> : <p className="quiet">One moment…</p>}
      </main>
    </>
  );
}

/** Says so while the server cannot be reached. The page tries again by itself; nobody is signed out for it. */
function Connection() {
  const isDown = useIsDown();
  return (
    <div className="connection" role="status">
      {isDown && <p>The server cannot be reached. Trying again…</p>}
    </div>
  );
}
