import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lib, root } from "./app";

// The published types, in a project of their own: with the oldest TypeScript and frameworks that the
// package supports and with the newest, every way to resolve modules, strict, and with every
// declaration checked.

const versions = [
  {
    name: "TypeScript 5.0, React 18, Vue 3.3",
    compiler: "typescript-oldest",
    react: "types-react18",
    vue: "vue-oldest",
  },
  {
    name: "the newest TypeScript, React 19, Vue 3.5",
    compiler: "typescript",
    react: "@types/react",
    vue: "vue",
  },
];
const require = createRequire(import.meta.url);
const folders: Record<string, string> = {};

/** A project that has the package and these versions of the frameworks. */
function project({ react, vue }: (typeof versions)[number], framework: string): string {
  const made = mkdtempSync(join(tmpdir(), "sdk-types-"));
  const modules = join(made, "node_modules");
  const own = join(modules, "@marketplace/provider-sdk");
  mkdirSync(join(modules, "@types"), { recursive: true });
  // A copy: a link would find the frameworks of this repository.
  cpSync(join(root, "package.json"), join(own, "package.json"));
  cpSync(lib, join(own, "lib"), { recursive: true, filter: (file) => !/\.(map|js|cjs)$/.test(file) });
  const link = (name: string, from = name) =>
    symlinkSync(join(root, "node_modules", from), join(modules, name));
  link("@types/node");
  // Apart: Vue 3.3 declares the elements of JSX for every file, as React does.
  if (framework === "vue") link("vue", vue);
  else link("@types/react", react);
  writeFileSync(join(made, "package.json"), '{"type":"module"}');
  for (const [name, text] of Object.entries(sources)) writeFileSync(join(made, name), text);
  return made;
}

const sources: Record<string, string> = {
  "page.ts": `
import { decodeToken, MarketplaceSDK, type SDKConfig, SDKError, type SDKErrorCode, type SessionData } from "@marketplace/provider-sdk";
import { MarketplaceProvider as Next } from "@marketplace/provider-sdk/next";
import { MarketplaceProvider, useMarketplaceSession, useSession } from "@marketplace/provider-sdk/react";
import { createStatsClient, DayChart, ProviderDashboard, SessionsTable, StatCards, useProviderStats } from "@marketplace/provider-sdk/dashboard";
declare const maybe: string | undefined;
declare const number: number | undefined;
// Settings that come from a form or the environment may be undefined, also under exactOptionalPropertyTypes.
const config: SDKConfig = {
  apiEndpoint: "https://api.marketplace.example", token: maybe, callbackDomain: maybe, language: maybe,
  timeoutMs: number, heartbeatIntervalMs: number, warningThresholdSeconds: number, debug: undefined, autoStart: undefined,
  ui: undefined, redirect: undefined, tokenStorage: undefined, pauseWhenHidden: undefined, analytics: undefined,
  customStyles: { primaryColor: maybe }, onBeforeEnd: undefined, onSessionEnd: undefined,
  onError: (error) => { const code: SDKErrorCode = error.code; console.log(code); },
};
const sdk = new MarketplaceSDK(config);
const data: Promise<SessionData> = sdk.initialize();
sdk.on("onExtend", ({ additionalSeconds }) => additionalSeconds.toFixed());
export const codes: SDKErrorCode[] = ["MISSING_TOKEN", "PAUSE_NOT_ALLOWED", "HTTP_404", "LOAD_FAILED"];
// @ts-expect-error a typing error in a code is found
export const typo: SDKErrorCode = "MISING_TOKEN";
const client = createStatsClient({ apiEndpoint: "", providerId: "prov_1", apiKey: maybe, fetch: undefined, WebSocket: undefined, cacheMs: number, timeoutMs: number });
export const extensions: Promise<number[]> = client.getAnalytics("sessions", { from: maybe, to: maybe }).then(({ days }) => days.map((day) => day.extensions));
export const found = client.getSessions({ from: "2027-01-01", to: maybe, q: "user_7", status: "expired", user_id: maybe, cursor: maybe, limit: number })
  .then(({ sessions }) => sessions.map(({ clock, settlement }) => [clock, settlement?.reason]));
// @ts-expect-error there is no such filter
client.getSessions({ form: "2027-01-01" });
export const elements = [
  MarketplaceProvider({ config }), Next({ config, children: null }), ProviderDashboard({ client, period: { from: maybe }, theme: undefined, language: maybe, words: undefined }),
  SessionsTable({ client, limit: number, language: maybe }), DayChart({ title: "x", days: [], kind: undefined }),
];
export { data, decodeToken, SDKError, StatCards, useMarketplaceSession, useProviderStats, useSession };
`,
  "vue.ts": `
import { useMarketplaceSession } from "@marketplace/provider-sdk/vue";
declare const maybe: string | undefined;
export const clock = () => useMarketplaceSession({ apiEndpoint: "https://api.marketplace.example", language: maybe }).formattedTime.value;
`,
  "server.ts": `
import { createProviderClient, SDKError, type SessionRow, verifyWebhook } from "@marketplace/provider-sdk/server";
export async function hook(body: Uint8Array, headers: Record<string, string | string[] | undefined>): Promise<string> {
  try { return (await verifyWebhook(body, headers, ["whsec_a", "whsec_b"])).type; }
  catch (error) { return error instanceof SDKError ? error.code : ""; }
}
const client = createProviderClient({ apiEndpoint: "https://api.marketplace.example", apiKey: "sg_prv_x", providerId: "prov_1" });
export const rows: Promise<SessionRow[]> = client.getSessions({ q: "user_7" }).then(({ sessions }) => sessions);
`,
};
sources["page.cts"] = (sources["page.ts"] ?? "").replaceAll("/next", "/react");

const browser = ["--lib", "es2022,dom,dom.iterable", "--types", "node"];
const server = ["--lib", "es2022", "--types", "node"];
const exact = "--exactOptionalPropertyTypes";
const bundler = ["--module", "esnext", "--moduleResolution", "bundler"];
const node16 = ["--module", "node16", "--moduleResolution", "node16"];
const cases: [string, string[]][] = [
  ["a page, moduleResolution bundler", [...bundler, ...browser, "page.ts"]],
  [
    "a page, moduleResolution bundler, exactOptionalPropertyTypes",
    [...bundler, ...browser, exact, "page.ts"],
  ],
  ["a page, moduleResolution node16", [...node16, ...browser, "page.ts"]],
  ["a page, CommonJS, moduleResolution node16", [...node16, ...browser, exact, "page.cts"]],
  ["a page with Vue, exactOptionalPropertyTypes", [...bundler, ...browser, exact, "vue.ts"]],
  ["a server without DOM, moduleResolution bundler", [...bundler, ...server, exact, "server.ts"]],
  ["a server without DOM, moduleResolution node16", [...node16, ...server, "server.ts"]],
];

beforeAll(() => {
  for (const version of versions)
    for (const framework of ["react", "vue"]) folders[version.name + framework] = project(version, framework);
});
afterAll(() => {
  for (const folder of Object.values(folders)) rmSync(folder, { recursive: true, force: true });
});

/** What the compiler says; nothing if all is well. */
function compile(compiler: string, folder: string, options: string[]): Promise<string> {
  const tsc = join(dirname(require.resolve(`${compiler}/package.json`)), "bin/tsc");
  const all = [
    "--noEmit",
    "--strict",
    "--target",
    "es2022",
    "--skipLibCheck",
    "false",
    "--jsx",
    "react-jsx",
    ...options,
  ];
  return new Promise((resolve) => {
    execFile(process.execPath, [tsc, ...all], { cwd: folder }, (error, out, err) =>
      resolve(error ? out + err : ""),
    );
  });
}

describe.each(versions)("$name", ({ name, compiler }) => {
  test.each(cases)("%s", async (_, options) => {
    const framework = options.includes("vue.ts") ? "vue" : "react";
    expect(await compile(compiler, folders[name + framework] ?? "", options)).toBe("");
  });
});

test.each([
  ["typescript-oldest", "5.0.", "TypeScript 5.0"],
  ["vue-oldest", "3.3.", "Vue 3.3"],
  ["types-react18", "18.", "React 18"],
  ["chromium-oldest", "103.", "Chrome and Edge 103"],
])("%s %s is what the documentation calls %s", (name, version, said) => {
  const { version: installed } = JSON.parse(
    readFileSync(join(root, `node_modules/${name}/package.json`), "utf8"),
  );
  expect(installed.startsWith(version)).toBe(true);
  expect(readFileSync(join(root, "../docs/sdk/README.md"), "utf8").replace(/\s+/g, " ")).toContain(said);
});
