import { defineConfig } from "vite";

// The key stays on this server, which forwards the page's requests and adds the key.
// In production, admit only users who are signed in to your own admin pages.
const key = process.env.SESSIONGATE_PROVIDER_KEY;
if (!key) throw new Error("SESSIONGATE_PROVIDER_KEY is not set: `sessiongate demo --json` prints one");
const proxy = {
  "/api/v1/providers": {
    target: process.env.SESSIONGATE_API ?? "http://127.0.0.1:8081",
    ws: true,
    headers: { Authorization: `Bearer ${key}` },
  },
};

export default defineConfig({
  define: {
    PROVIDER: JSON.stringify(process.env.SESSIONGATE_PROVIDER ?? "prov_demo"),
  },
  server: { proxy },
  preview: { proxy, port: Number(process.env.PORT ?? 5004) },
  // The package is linked from this repository; the page must use a single copy of React.
  resolve: { dedupe: ["react", "react-dom"] },
});
