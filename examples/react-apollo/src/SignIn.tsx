import type { SignedOutReason } from '@latchkey/client';
import { useId, useRef } from 'react';
import type { FormEvent, ReactNode } from 'react';

import { auth } from './auth';
import { reasons } from './errors';
import { useTask } from './useTask';

export function SignIn({ reason, children }: { reason: SignedOutReason; children: ReactNode }) {
  const password = useRef<HTMLInputElement>(null);
  const errorId = useId();
  const signIn = useTask(async (form: FormData) => {
    try {
      await auth.signIn(String(form.get('username')), String(form.get('password')));
    } catch (error) {
      password.current?.select();
      throw error;
    }
  });

  function submit(event: FormEvent<HTMLFormElement>): void {
    event.preventDefault();
    if (!signIn.pending) void signIn.run(new FormData(event.currentTarget));
  }

  const wrong = signIn.error ? { 'aria-invalid': true, 'aria-describedby': errorId } : {};
  return (
    <main className="narrow">
      <title>Sign in · Latchkey example</title>
      <h1>Sign in</h1>
      {reasons[reason] && (
        <p className="note" role={reason === 'SIGNED_OUT' ? 'status' : 'alert'}>
          {reasons[reason]}
        </p>
      )}
      {children}
      <form className="card" onSubmit={submit}>
        <label>
          Username
          <input name="username" autoComplete="username" autoCapitalize="none" required autoFocus {...wrong} />
        </label>
        <label>
          Password
          <input
            ref={password}
            name="password"
            type="password"
            autoComplete="current-password"
            required
            {...wrong}
          />
        </label>
        {signIn.error && (
          <p className="error" role="alert" id={errorId}>
            {signIn.error}
          </p>
        )}
        <button className="primary" aria-disabled={signIn.pending}>
          {signIn.pending ? 'Signing in…' : 'Sign in'}
        </button>
      </form>
    </main>
  );
}
