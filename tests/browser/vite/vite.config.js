// One dev server for each way to be configured; MODE, TARGET and PORT come from the tests.
import compression from "compression";
import http from "node:http";
import { defineConfig } from "vite";

const { MODE, TARGET, PORT } = process.env;

/** What adapters do that read the whole answer before they pass it on. */
const readsItWhole = {
  name: "reads-it-whole",
  configureServer(server) {
    server.middlewares.use("/events", (request, response) => {
      http.get(TARGET + request.originalUrl, { headers: { accept: "text/event-stream" } }, (answer) => {
        const parts = [];
        answer.on("data", (part) => parts.push(part));
        answer.on("end", () => response.writeHead(answer.statusCode, answer.headers).end(Buffer.concat(parts)));
      });
    });
  },
};

const compresses = {
  name: "compresses",
  configureServer(server) {
    server.middlewares.use(compression({ filter: () => true, threshold: 0 }));
  },
};

export default defineConfig({
  clearScreen: false,
  logLevel: "warn",
  cacheDir: process.env.CACHE,
  optimizeDeps: { noDiscovery: true },
  plugins: { compressed: [compresses], whole: [readsItWhole] }[MODE] ?? [],
  server: {
    host: "127.0.0.1",
    port: Number(PORT),
    strictPort: true,
    hmr: false,
    watch: null,
    proxy: MODE === "unproxied" ? {} : { "/events": { target: TARGET, changeOrigin: MODE !== "same-host" } },
  },
});
