// readToken returns the header and the claims of a JWT. It checks nothing: that is the server's work.
export function readToken(token) {
  const [header, claims] = token.split('.', 2).map(decode);
  return { header, claims };
}

function decode(part) {
  const bytes = atob(part.replaceAll('-', '+').replaceAll('_', '/'));
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (char) => char.charCodeAt(0))));
}

const TIMES = new Set(['exp', 'iat', 'nbf', 'auth_time']);

// claimTime returns the moment that a claim names, or null for one that names none.
export function claimTime(name, value) {
  return TIMES.has(name) && Number.isFinite(value) ? new Date(value * 1000) : null;
}

export function claimText(value) {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

const CLOCK = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

export function timeText(date) {
  return CLOCK.format(date);
}

// remainingText writes a time in milliseconds as 4:05, or 1:04:05.
export function remainingText(milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  const two = (number) => String(number).padStart(2, '0');
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
