// A Latchkey of a test's own, with the settings that the test needs, and what stands around it: pages of other origins
// and a proxy that ends TLS. All of it is on loopback and goes when the test ends.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const username = 'ada';
export const password = 'correct horse battery';

const root = new URL('..', import.meta.url).pathname;

// What tests write goes when the process ends: whatever they have started has ended by then.
const work = mkdtempSync(join(tmpdir(), 'latchkey-e2e-'));
process.on('exit', () => rmSync(work, { recursive: true, force: true, maxRetries: 5 }));

// folder makes an empty folder.
export function folder() {
  return mkdtempSync(join(work, 'test-'));
}

// install makes the database of a Latchkey, with a superuser, and returns what runs it: a program and its settings.
// LATCHKEY_BINARY names the program; else it is built.
export function install(settings = {}) {
  const work = folder();
  let binary = process.env.LATCHKEY_BINARY;
  if (!binary) {
    binary = join(work, 'latchkey');
    execFileSync('go', ['build', '-buildvcs=false', '-o', binary, '.'], { cwd: root });
  }
  const env = {
    LATCHKEY_DATABASE_URL: `sqlite:${work}/latchkey.db`,
    LATCHKEY_ADDR: '127.0.0.1:0',
    LATCHKEY_LOG_FORMAT: 'json',
    LATCHKEY_THROTTLE: 'false', // one address tries everything here
    ...settings,
  };
  execFileSync(binary, ['createsuperuser', '--username', username, '--email', '', '--password-stdin'], {
    env, input: password, stdio: ['pipe', 'ignore', 'inherit'],
  });
  return { binary, env };
}

// serve serves what is installed until the test ends, and returns its port and how to stop it before.
export async function serve(t, { binary, env }) {
  const server = spawn(binary, ['serve'], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const stop = async () => {
    server.kill();
    if (server.exitCode === null) await once(server, 'exit');
  };
  t.after(stop);
  for await (const line of createInterface({ input: server.stderr })) {
    const entry = line.startsWith('{') ? JSON.parse(line) : {};
    if (entry.msg !== 'listening') continue;
    server.stderr.resume();
    return { port: Number(entry.address.split(':').at(-1)), stop };
  }
  throw new Error('the server ended before it listened');
}

// start installs and serves a Latchkey, and returns its port.
export async function start(t, settings) {
  return (await serve(t, install(settings))).port;
}

// certificate makes a certificate that no browser trusts.
export function certificate() {
  const work = folder();
  const goroot = execFileSync('go', ['env', 'GOROOT'], { encoding: 'utf8' }).trim();
  execFileSync('go', ['run', join(goroot, 'src/crypto/tls/generate_cert.go'), '--host', 'localhost', '--ecdsa-curve', 'P256'], {
    cwd: work, stdio: 'ignore',
  });
  return { cert: readFileSync(join(work, 'cert.pem')), key: readFileSync(join(work, 'key.pem')) };
}

async function listen(t, server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return server.address().port;
}

// servePages serves an empty page at every path and returns the port. With a certificate it does so over TLS.
export function servePages(t, tls) {
  const page = (_, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end('<!doctype html><title>a page</title><body></body>');
  };
  return listen(t, tls ? https.createServer(tls, page) : http.createServer(page));
}

// serveTLS ends TLS before a Latchkey, as a proxy does that keeps Host and says X-Forwarded-Proto, and returns the port.
export function serveTLS(t, tls, port) {
  return listen(t, https.createServer(tls, (request, response) => {
    const { method, url, headers } = request;
    const onward = http.request({
      host: '127.0.0.1', port, method, path: url, headers: { ...headers, 'x-forwarded-proto': 'https' },
    });
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  }));
}
