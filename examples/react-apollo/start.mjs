// Starts Latchkey and Vite; Ctrl-C ends both.

import { spawn } from 'node:child_process';
import { createServer } from 'vite';

const vite = await createServer();

// `go run` does not hand on what ends it, so the signal goes to the group that it leads.
const latchkey = spawn('go', ['run', '.'], {
  cwd: new URL('../..', import.meta.url),
  stdio: 'inherit',
  detached: true,
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.kill(-latchkey.pid, 'SIGINT'));
latchkey.on('exit', async (code) => {
  await vite.close();
  process.exit(code ?? 1);
});

await vite.listen();
vite.printUrls();
