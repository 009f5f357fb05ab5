import react from '@vitejs/plugin-react';
import { defineConfig, loadEnv } from 'vite';

export default defineConfig(({ mode }) => {
  const env = loadEnv(mode, '.', 'LATCHKEY_');
  return {
    plugins: [react()],
    server: {
      proxy: {
        // As a proxy before both does it in production: to the browser, page and server are of one origin. The header
        // Host stays as it is (no changeOrigin), so Latchkey sees that the page is its own.
        '/graphql': { target: `http://${env.LATCHKEY_ADDR ?? '127.0.0.1:8000'}` },
      },
    },
    // No data: addresses, so that a strict Content-Security-Policy need not allow them.
    build: { assetsInlineLimit: 0 },
  };
});
