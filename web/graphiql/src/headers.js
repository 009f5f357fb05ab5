// The server's word for what precedes a token, Bearer unless it is set otherwise.
const scheme = document.querySelector('meta[name="authorization-scheme"]').content;

// credentials is the value of an Authorization header.
export const credentials = (token) => `${scheme} ${token}`;

// PLACEHOLDER stands in the editors where the access token belongs while nobody is signed in.
export const PLACEHOLDER = 'PASTE_ACCESS_TOKEN_HERE';

// authorizationHeaders is what the headers editor of a new tab holds.
export const authorizationHeaders = JSON.stringify({ Authorization: credentials(PLACEHOLDER) }, null, 2);

// authorize returns the headers of the headers editor as they are sent, and whether the session's access token is in
// them. An Authorization header that the user has written wins, an empty one too: it sends none. One that is the
// placeholder's or the session's, however old, is brought up to date.
export async function authorize(typed, session) {
  const headers = new Headers(typed);
  const value = headers.get('Authorization');
  const token = value?.split(' ').at(-1);
  if (value !== null && token !== PLACEHOLDER && !session.issued(token)) {
    if (value === '') headers.delete('Authorization');
    return { headers, own: false };
  }
  const access = await session.access();
  if (access) headers.set('Authorization', credentials(access));
  else headers.delete('Authorization');
  return { headers, own: access !== null };
}

// outdated finds what in a text is to be replaced by the session's access token, or by the placeholder: it returns the
// offsets and the replacement, or null.
export function outdated(text, session) {
  const replacement = session.get().pair?.access ?? PLACEHOLDER;
  for (const { 0: word, index } of text.matchAll(/[\w-]+(?:\.[\w-]+)*/g)) {
    if (word !== replacement && (word === PLACEHOLDER || session.issued(word))) {
      return { start: index, end: index + word.length, replacement };
    }
  }
  return null;
}
