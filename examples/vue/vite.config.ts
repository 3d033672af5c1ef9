import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vite";

// Proxies the session service, so that no request is cross-origin.
const proxy = { "/api": process.env.SESSIONGATE_API ?? "http://127.0.0.1:8081" };

export default defineConfig({
  plugins: [vue()],
  server: { proxy },
  preview: { proxy, port: Number(process.env.PORT ?? 5002) },
  // The package is linked from this repository; the page must use a single copy of Vue.
  resolve: { dedupe: ["react", "react-dom", "vue"] },
});
