import { useEffect, useId, useRef, useState } from 'react';

import { claimText, claimTime, readToken, remainingText, timeText } from './claims.js';
import { useStore } from './store.js';

// createSignIn returns the pane that signs in and out, and shows what the session is.
export function createSignIn(session) {
  return function SignIn() {
    const { phase, pair, problem } = useStore(session);
    const heading = useRef(null);
    const before = useRef(phase);
    // The form, or the button, is gone; if the focus went with it, the heading goes on from there.
    useEffect(() => {
      const lost = document.activeElement === document.body;
      if (lost && before.current !== phase && before.current !== 'starting') heading.current.focus();
      before.current = phase;
    }, [phase]);

    return (
      <section className="latchkey-pane" aria-labelledby="latchkey-sign-in">
        <h2 id="latchkey-sign-in" ref={heading} tabIndex={-1}>
          {phase === 'in' ? `Signed in as ${pair.user.username}` : 'Sign in'}
        </h2>
        <div role="alert">{problem && <p className="latchkey-problem">{problem}</p>}</div>
        {phase === 'starting' && <p role="status">Looking for a session …</p>}
        {phase === 'out' && <Form session={session} />}
        {phase === 'in' && <Session session={session} pair={pair} />}
      </section>
    );
  };
}

// Form keeps nothing of what is typed: the fields have it until the form is sent.
function Form({ session }) {
  const id = useId();
  const password = useRef(null);
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);

  async function submit(event) {
    event.preventDefault();
    if (busy) return;
    const form = new FormData(event.currentTarget);
    setProblem(null);
    setBusy(true);
    const refusal = await session.signIn(form.get('username'), form.get('password'));
    setBusy(false);
    if (!refusal || !password.current) return;
    setProblem(refusal);
    password.current.value = '';
    password.current.focus();
  }

  return (
    <form className="latchkey-form" onSubmit={submit}>
      <label htmlFor={`${id}-username`}>Username</label>
      <input id={`${id}-username`} name="username" autoComplete="username" autoCapitalize="none" spellCheck={false} required />
      <label htmlFor={`${id}-password`}>Password</label>
      <input
        id={`${id}-password`}
        ref={password}
        name="password"
        type="password"
        autoComplete="current-password"
        required
        aria-describedby={problem ? `${id}-problem` : undefined}
      />
      <div role="alert" id={`${id}-problem`}>
        {problem && <p className="latchkey-problem">{problem}</p>}
      </div>
      <button className="latchkey-button latchkey-primary" aria-disabled={busy}>
        {busy ? 'Signing in …' : 'Sign in'}
      </button>
      <p className="latchkey-note">
        Every request then carries the access token, and the Headers editor shows it. It stays in the memory of this page; the
        refresh token goes into a cookie that no script can read.
      </p>
    </form>
  );
}

function Session({ session, pair }) {
  const { user, access, expiresAt, refreshExpiresAt } = pair;
  const roles = user.roles.map(({ name }) => name);
  return (
    <>
      <p className="latchkey-badges">
        {user.isSuperuser && <span className="latchkey-badge">superuser</span>}
        {roles.map((name) => (
          <span key={name} className="latchkey-badge">
            {name}
          </span>
        ))}
      </p>
      <p className="latchkey-left">
        <Remaining until={expiresAt} />
        <span>left of the access token. It is refreshed by itself.</span>
      </p>
      <div className="latchkey-buttons">
        <button className="latchkey-button latchkey-primary" onClick={session.signOut}>
          Sign out
        </button>
        <button className="latchkey-button" onClick={session.refresh}>
          Refresh now
        </button>
        {navigator.clipboard && <CopyButton text={access} />}
      </div>
      <Token name="Access token" token={access} />
      <h3>Refresh token</h3>
      <p>
        In a cookie that no script can read. Unless it is used before, it expires on <Time date={new Date(refreshExpiresAt)} />.
      </p>
      <h3>Permissions</h3>
      {user.permissions.length === 0 && <p>None.</p>}
      <ul className="latchkey-badges">
        {user.permissions.map((name) => (
          <li key={name} className="latchkey-badge">
            {name}
          </li>
        ))}
      </ul>
    </>
  );
}

// Remaining counts down. A timer is not read out at each change.
function Remaining({ until }) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [until]);
  return (
    <span role="timer" aria-label="Time left of the access token" className="latchkey-timer">
      {remainingText(until - now)}
    </span>
  );
}

function CopyButton({ text }) {
  const [copied, setCopied] = useState(null);
  return (
    <>
      <button className="latchkey-button" onClick={() => navigator.clipboard.writeText(text).then(() => setCopied(text))}>
        Copy access token
      </button>
      <span role="status">{copied === text && 'Copied.'}</span>
    </>
  );
}

function Token({ name, token }) {
  const { header, claims } = readToken(token);
  return (
    <>
      <Claims caption={`${name}: claims`} values={claims} />
      <Claims caption={`${name}: header`} values={header} />
    </>
  );
}

function Claims({ caption, values }) {
  return (
    <table className="latchkey-table latchkey-claims">
      <caption>{caption}</caption>
      <tbody>
        {Object.entries(values).map(([name, value]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{claimTime(name, value) ? <Time date={claimTime(name, value)} title={String(value)} /> : claimText(value)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Time({ date, title }) {
  return (
    <time dateTime={date.toISOString()} title={title}>
      {timeText(date)}
    </time>
  );
}
