// What the panes say when something is wrong, for people.

const OVER = {
  EXPIRED: 'The session is over: it was not used for too long, or has reached its limit.',
  REVOKED: 'The session was ended: somewhere else, or by a change of the password.',
  STALE: 'The session is over: the user was changed, deactivated or removed.',
  REUSED: 'A refresh token that was used up came again, so the server has ended the session: somebody may have a copy of it.',
  WRONG_TYPE: 'The server does not accept the token in the cookie: it is not a refresh token.',
  MALFORMED: 'The server does not accept the token in the cookie: another server, or another key, has made it.',
};

// overText says why a session is over. The reason is a TokenProblem, or NO_COOKIE.
export function overText(reason) {
  if (reason === 'NO_COOKIE') return 'The session is over: its cookie is gone.';
  return `${OVER[reason] ?? 'The session is over.'} (${reason ?? 'TOKEN_NOT_VALID'})`;
}

// faultText says what an error of the server says.
export function faultText({ message, extensions = {} }) {
  const { code, retryAfter, requestId } = extensions;
  if (code === 'RATE_LIMITED') return `${sentence(message)} Try again in ${wait(retryAfter)}.`;
  if (requestId) return `${sentence(message)} Its log has more, under request ${requestId}.`;
  return sentence(message);
}

// unreachable says that there was no answer, or none of the server's own.
export function unreachable(error) {
  if (error instanceof TypeError) return 'The server cannot be reached. Is it running?';
  if (error.name === 'TimeoutError') return 'The server does not answer.';
  return error.message;
}

function sentence(message) {
  return /[.!?]$/.test(message) ? message : `${message}.`;
}

function wait(seconds) {
  if (seconds === undefined) return 'a while';
  if (seconds < 100) return seconds === 1 ? '1 second' : `${seconds} seconds`;
  return `${Math.ceil(seconds / 60)} minutes`;
}
