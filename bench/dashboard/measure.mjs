// How soon a browser shows the dashboard of a provider with 100,000 sessions: the real binary, a
// fresh browser profile without a cache for each visit. Run by `make bench`; needs e2e's packages.
//
//   node bench/dashboard/measure.mjs bin/sessiongate
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { chromium } = createRequire(join(root, "e2e/package.json"))("@playwright/test");
const binary = process.argv[2] ?? join(root, "bin/sessiongate");
const SESSIONS = 100_000;
const VISITS = 15;
const pages = [
  ["overview", "/dashboard/", "[data-testid=latest] tbody tr"],
  ["sessions", "/dashboard/sessions", "[data-testid=sessions] tbody tr"],
];

const data = mkdtempSync(join(tmpdir(), "sessiongate-bench-"));
execFileSync("go", ["run", "./e2e/seed", "--data", data, "--sessions", String(SESSIONS), "--days", "365"], { cwd: root, stdio: "inherit" });
const base = 21_000 + 4 * (process.pid % 200);
const demo = spawn(binary, ["demo", "--json", "--data", data, "--base-port", String(base)], { stdio: ["ignore", "pipe", "inherit"] });
const gone = new Promise((resolve) => demo.once("exit", resolve));
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
try {
  const at = JSON.parse(await new Promise((resolve) => createInterface(demo.stdout).once("line", resolve)));
  const seen = await browser.newContext();
  const first = await seen.newPage();
  await first.goto(`${at.api}/auth/`);
  await first.getByLabel("API key").fill(at.provider_key);
  await first.getByRole("button", { name: "Sign in with the key" }).click();
  await first.waitForURL(`${at.api}/dashboard/`);
  // The year is counted once, in the background; what is measured is a day like any other.
  await first.waitForFunction(() => /[1-9]/.test(document.querySelector("[data-testid=card-tokens] small")?.textContent ?? ""), undefined, { timeout: 120_000, polling: 1000 }).catch(() => {});
  await first.reload();
  const state = await seen.storageState();
  for (const [name, path, useful] of pages) {
    const paints = [];
    const uses = [];
    for (let i = 0; i < VISITS; i++) {
      const visit = await browser.newContext({ storageState: state });
      const page = await visit.newPage();
      await page.goto(at.api + path, { waitUntil: "commit" });
      await page.waitForSelector(useful);
      uses.push(await page.evaluate(() => performance.now()));
      paints.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Number.NaN));
      await visit.close();
    }
    const of = (list) => {
      const sorted = list.toSorted((a, b) => a - b);
      return `median ${Math.round(sorted[VISITS >> 1])} ms, worst ${Math.round(sorted.at(-1))} ms`;
    };
    console.log(`dashboard, ${SESSIONS} sessions, ${name}: first paint ${of(paints)}; first rows ${of(uses)}`);
  }
} finally {
  await browser.close();
  demo.kill("SIGTERM");
  await gone;
  rmSync(data, { recursive: true, force: true });
}
