import type { UserError } from '@latchkey/client';
import { useId, useRef, useState } from 'react';
import type { FormEvent } from 'react';

import { auth } from './auth';
import { useTask } from './useTask';

interface Props {
  username: string;
  onChanged: () => Promise<unknown>;
}

export function PasswordForm({ username, onChanged }: Props) {
  const form = useRef<HTMLFormElement>(null);
  const [wrong, setWrong] = useState<UserError[]>([]);
  const [done, setDone] = useState(false);
  const change = useTask(async (fields: FormData) => {
    setWrong([]);
    setDone(false);
    // Not through Apollo Client: the answer brings new tokens, which belong to `auth`.
    const errors = await auth.changePassword(String(fields.get('current')), String(fields.get('new')));
    setWrong(errors);
    if (errors[0]) {
      form.current?.querySelector<HTMLInputElement>(`[name="${errors[0].field[0]}"]`)?.select();
      return;
    }
    form.current?.reset();
    setDone(true);
    await onChanged();
  });

  function submit(event: FormEvent<HTMLFormElement>): void {
    event.preventDefault();
    if (!change.pending) void change.run(new FormData(event.currentTarget));
  }

  const messages = (name: string) =>
    wrong.filter(({ field }) => field[0] === name).map(({ message }) => message);
  return (
    <section className="card" aria-labelledby="password">
      <h2 id="password">Password</h2>
      <form ref={form} onSubmit={submit}>
        {/* For password managers. */}
        <input name="username" autoComplete="username" value={username} readOnly hidden />
        <div className="fields">
          <Field label="Current password" name="current" autoComplete="current-password" errors={messages('current')} />
          <Field label="New password" name="new" autoComplete="new-password" errors={messages('new')} />
        </div>
        {change.error && (
          <p className="error" role="alert">
            {change.error}
          </p>
        )}
        <button className="primary" aria-disabled={change.pending}>
          {change.pending ? 'Changing…' : 'Change password'}
        </button>
        <p className="done" role="status">
          {done && 'Your password has changed. All other sessions have ended.'}
        </p>
      </form>
    </section>
  );
}

function Field({ label, errors, ...input }: { label: string; name: string; autoComplete: string; errors: string[] }) {
  const id = useId();
  return (
    <div>
      <label>
        {label}
        <input
          {...input}
          type="password"
          required
          aria-invalid={errors.length > 0}
          aria-describedby={errors.length > 0 ? id : undefined}
        />
      </label>
      {errors.length > 0 && (
        <p className="error" role="alert" id={id}>
          {errors.join(' ')}
        </p>
      )}
    </div>
  );
}
