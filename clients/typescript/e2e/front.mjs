// A Latchkey that can be stopped and started again behind one address, which notes what passes and serves a page, too.

import { once } from 'node:events';
import http from 'node:http';
import { extname } from 'node:path';

import { install, serve } from '../../../e2e/latchkey.mjs';

export { password, username } from '../../../e2e/latchkey.mjs';

const types = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

/** front serves a new Latchkey, with these settings, until the test ends. */
export async function front(t, settings) {
  const latchkey = new Front(t, install(settings));
  await latchkey.start();
  await latchkey.listen();
  return latchkey;
}

class Front {
  /** What was sent to /graphql: the name of the operation, its text, and when. */
  requests = [];
  /** The answers, parsed, in the order in which they were given. */
  answers = [];
  /** What is served beside Latchkey, by path, and the headers that it gets. */
  files = {};
  headers = {};
  #running;

  constructor(t, installed) {
    this.t = t;
    this.installed = installed;
  }

  /** start serves it, from now on with these settings, too. */
  async start(settings = {}) {
    Object.assign(this.installed.env, settings);
    this.#running = await serve(this.t, this.installed);
  }

  async stop() {
    const { stop } = this.#running;
    this.#running = undefined;
    await stop();
  }

  async restart(settings) {
    await this.stop();
    await this.start(settings);
  }

  count(name) {
    return this.requests.filter(({ operationName }) => operationName === name).length;
  }

  refused() {
    return this.answers.filter(({ errors }) => errors?.some(({ extensions }) => extensions.code === 'UNAUTHENTICATED'))
      .length;
  }

  /** direct asks Latchkey without a client and without being noted. */
  async direct(query, access) {
    const response = await fetch(`http://127.0.0.1:${this.#running.port}/graphql`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...(access && { Authorization: `Bearer ${access}` }) },
      body: JSON.stringify({ query }),
    });
    return response.json();
  }

  async listen() {
    const server = http.createServer((request, response) => this.#handle(request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.t.after(() => {
      server.close();
      server.closeAllConnections();
    });
    this.origin = `http://localhost:${server.address().port}`;
    this.url = `${this.origin}/graphql`;
  }

  async #handle(request, response) {
    const { method, url, headers } = request;
    if (url in this.files) {
      response.writeHead(200, { 'Content-Type': types[extname(url)] ?? 'text/html', ...this.headers });
      return response.end(this.files[url]);
    }
    const body = Buffer.concat(await request.toArray());
    this.#note(body);
    if (!this.#running) return response.writeHead(502).end('Bad gateway');
    try {
      const onward = http.request({
        host: '127.0.0.1',
        port: this.#running.port,
        method,
        path: url,
        headers,
        agent: false,
      });
      onward.end(body);
      const [answer] = await once(onward, 'response');
      const text = Buffer.concat(await answer.toArray());
      if (/json/.test(answer.headers['content-type'])) this.answers.push(JSON.parse(text));
      response.writeHead(answer.statusCode, answer.headers).end(text);
    } catch {
      response.writeHead(502).end('Bad gateway');
    }
  }

  #note(body) {
    try {
      const { operationName, query } = JSON.parse(body);
      this.requests.push({ operationName, query, at: performance.now() });
    } catch {
      // not GraphQL
    }
  }
}
