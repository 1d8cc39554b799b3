/** Builds the dashboard into dist/web; in development `vite` proxies the API and the socket to a running server. */
import { fileURLToPath } from "node:url";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import tailwindcss from "@tailwindcss/vite";
import { defineConfig } from "vite";
import { shipAssets } from "./ship-assets.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const backend = "http://127.0.0.1:8080";

export default defineConfig({
  root: here("."),
  plugins: [svelte({ configFile: false }), tailwindcss(), shipAssets()],
  resolve: { alias: { "@contract": here("../server/contract") } },
  build: {
    outDir: here("../dist/web"),
    emptyOutDir: true,
    // The content policy allows no data: addresses, so nothing may be inlined into one.
    assetsInlineLimit: 0,
    rollupOptions: { input: { index: here("index.html"), shared: here("shared.html") } },
    // Told by ship-assets.
    reportCompressedSize: false,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: {
      "/v1": { target: backend },
      "/docs": { target: backend },
      "/openapi.json": { target: backend },
      "/socket.io": { target: backend, ws: true },
    },
  },
});
