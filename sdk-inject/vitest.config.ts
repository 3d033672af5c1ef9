import { defineConfig } from "vitest/config";
// @ts-expect-error a build script without types
import { cssText } from "./scripts/css.mjs";

// Unit tests need Node alone; those in test/browser need Debian's Chromium and a build.
export default defineConfig({
  plugins: [cssText()],
  test: {
    projects: [
      { extends: true, test: { name: "unit", include: ["test/*.test.ts"] } },
      {
        extends: true,
        test: {
          name: "browser",
          include: ["test/browser/*.test.ts"],
          testTimeout: 20_000,
          hookTimeout: 30_000,
        },
      },
    ],
  },
});
