// The server under test, from the environment. A setting that is missing fails
// every test file at once: a run without a server must not look like a pass.

function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: see the head of settings.mjs for what the tests need`);
  return value;
}

// baseURL has no slash at its end.
export const baseURL = required('LATCHKEY_URL').replace(/\/+$/, '');
export const username = required('LATCHKEY_USERNAME');
export const password = required('LATCHKEY_PASSWORD');

export const chromiumPath = process.env.CHROMIUM_PATH || '/usr/bin/chromium';

// screenshots is the folder that the pictures of docs/ go to, if any.
export const screenshots = process.env.SCREENSHOTS;
