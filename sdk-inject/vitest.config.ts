import { defineConfig } from "vitest/config";
// @ts-expect-error a build script without types
import { cssText } from "./scripts/css.mjs";

const parts = {
  name: "parts",
  enforce: "pre" as const,
  resolveId(id: string) {
    const [, kind, language] = /__(CHIP|WORDS)_([A-Z]+)__$/.exec(id) ?? [];
    if (kind && language)
      return new URL(`src/languages/${kind.toLowerCase()}-${language.toLowerCase()}.ts`, import.meta.url)
        .pathname;
    return undefined;
  },
};

// Unit tests need Node alone; those in test/browser and test/built need Debian's Chromium and a build.
export default defineConfig({
  plugins: [parts, cssText()],
  test: {
    // A limit is there to end a test that hangs, and is generous: machines are busy.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 60_000 } },
    coverage: {
      provider: "v8",
      // The core and the package; what shows it is tested in browsers.
      include: ["src/*.ts", "src/languages/*.ts", "src/package/**/*.{ts,tsx}"],
      exclude: [
        "src/**/*.d.ts",
        "src/strings.ts",
        "src/package/config.ts",
        "src/package/index.ts",
        "src/package/next.ts",
        "src/boot.ts",
        "src/inject.ts",
        "src/package/ui.ts",
        "src/package/languages-beside.ts",
        "src/package/opened.ts",
      ],
      thresholds: { lines: 95 },
      reporter: ["text"],
    },
    projects: [
      { extends: true, test: { name: "unit", include: ["test/*.test.ts"] } },
      {
        extends: true,
        test: {
          name: "dom",
          include: ["test/package/*.test.{ts,tsx}"],
          environment: "happy-dom",
        },
      },
      {
        extends: true,
        test: {
          name: "browser",
          include: ["test/browser/*.test.ts", "test/hostile/*.test.ts", "test/built/*.test.ts"],
          // They wait for clocks far more than they work.
          maxWorkers: 3,
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
