// How soon a browser shows the dashboard of a provider with 100,000 sessions: the real binary, a
// fresh browser profile without a cache for each visit. Run by `make bench`; needs e2e's packages.
//
//   node bench/dashboard/measure.mjs bin/sessiongate
//
// As if the service were so many milliseconds away: LATENCY_MS=80 before it. Several programs, each named, are visited in turn, so that what else the machine does falls on all of them.
import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { chromium } = createRequire(join(root, "e2e/package.json"))("@playwright/test");
const binaries = process.argv.length > 2 ? process.argv.slice(2) : [join(root, "bin/sessiongate")];
const SESSIONS = 100_000;
const VISITS = 15;
const LATENCY_MS = Number(process.env.LATENCY_MS ?? 0);
const pages = [
  ["overview", "/dashboard/", "[data-testid=latest] tbody tr"],
  ["sessions", "/dashboard/sessions", "[data-testid=sessions] tbody tr"],
];

const data = mkdtempSync(join(tmpdir(), "sessiongate-bench-"));
execFileSync("go", ["run", "./e2e/seed", "--data", data, "--sessions", String(SESSIONS), "--days", "365"], { cwd: root, stdio: "inherit" });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
const running = [];

/** Starts a program on a copy of the data, and signs in. */
async function start(binary, i) {
  const own = `${data}-${i}`;
  cpSync(data, own, { recursive: true });
  const base = 21_000 + 4 * ((process.pid + 50 * i) % 200);
  const demo = spawn(binary, ["demo", "--json", "--data", own, "--base-port", String(base)], { stdio: ["ignore", "pipe", "inherit"] });
  const gone = new Promise((resolve) => demo.once("exit", resolve));
  running.push({ demo, gone, own });
  const at = JSON.parse(await new Promise((resolve) => createInterface(demo.stdout).once("line", resolve)));
  const seen = await browser.newContext();
  const first = await seen.newPage();
  await first.goto(`${at.api}/auth/`);
  await first.getByLabel("API key").fill(at.provider_key);
  await first.getByRole("button", { name: "Sign in with the key" }).click();
  await first.waitForURL(`${at.api}/dashboard/`);
  // The year is counted once, in the background; what is measured is a day like any other.
  await first.waitForFunction(() => /[1-9]/.test(document.querySelector("[data-testid=card-tokens] small")?.textContent ?? ""), undefined, { timeout: 120_000, polling: 1000 }).catch(() => {});
  const state = await seen.storageState();
  await seen.close();
  return { api: at.api, state };
}

async function visit({ api, state }, path, useful) {
  const context = await browser.newContext({ storageState: state });
  const page = await context.newPage();
  if (LATENCY_MS) {
    const protocol = await context.newCDPSession(page);
    await protocol.send("Network.emulateNetworkConditions", { offline: false, latency: LATENCY_MS, downloadThroughput: -1, uploadThroughput: -1 });
  }
  await page.goto(api + path, { waitUntil: "commit" });
  await page.waitForSelector(useful);
  const use = await page.evaluate(() => performance.now());
  const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Number.NaN);
  await context.close();
  return { use, paint };
}

const of = (list) => {
  const sorted = list.toSorted((a, b) => a - b);
  return `median ${Math.round(sorted[VISITS >> 1])} ms, worst ${Math.round(sorted.at(-1))} ms`;
};

try {
  const systems = [];
  for (const [i, binary] of binaries.entries()) systems.push(await start(binary, i));
  for (const [name, path, useful] of pages) {
    const found = systems.map(() => []);
    for (let i = 0; i < VISITS; i++) for (const [n, system] of systems.entries()) found[n].push(await visit(system, path, useful));
    for (const [n, list] of found.entries())
      console.log(
        `dashboard, ${SESSIONS} sessions${LATENCY_MS ? `, ${LATENCY_MS} ms away` : ""}, ${name}${systems.length > 1 ? `, ${binaries[n]}` : ""}: first paint ${of(list.map(({ paint }) => paint))}; first rows ${of(list.map(({ use }) => use))}`,
      );
  }
} finally {
  await browser.close();
  for (const { demo, gone, own } of running) {
    demo.kill("SIGTERM");
    await gone;
    rmSync(own, { recursive: true, force: true });
  }
  rmSync(data, { recursive: true, force: true });
}
