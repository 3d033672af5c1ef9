import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { cssText } from "../../../sdk-inject/scripts/css.mjs";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const sdk = here("../../../sdk-inject/src/package/dashboard/dashboard.css");

/** The SDK's components bring their style sheet as text, which they put into the document themselves. */
const sdkStyle = {
  name: "sdk-style",
  enforce: "pre" as const,
  resolveId: (id: string) => (id === "./dashboard.css" ? "\0sdk-style" : undefined),
  load: (id: string) => (id === "\0sdk-style" ? cssText().load(sdk) : undefined),
};

// One script and one style sheet with fixed names: the session service embeds them, and names them
// by their hashes when it serves them.
export default defineConfig({
  plugins: [sdkStyle],
  resolve: {
    alias: [
      { find: /^react$/, replacement: here("node_modules/preact/compat/dist/compat.mjs") },
      {
        find: /^react\/jsx-runtime$/,
        replacement: here("node_modules/preact/jsx-runtime/dist/jsxRuntime.mjs"),
      },
      { find: /^preact$/, replacement: here("node_modules/preact/dist/preact.mjs") },
    ],
  },
  build: {
    outDir: here("../static"),
    emptyOutDir: false,
    copyPublicDir: false,
    modulePreload: false,
    target: "es2022",
    cssTarget: ["chrome123", "firefox124", "safari17.5"],
    rolldownOptions: {
      input: here("src/main.tsx"),
      output: { entryFileNames: "app.js", assetFileNames: "app.[ext]", codeSplitting: false },
    },
  },
  test: { include: ["test/*.test.ts"] },
});
