import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, type Page, test } from "@playwright/test";
import { beforeItEnds, buy, eventually, freePorts, PATIENCE_MS, read, start, type System } from "./system.ts";

// Third-party applications, unchanged, behind the gate: Prometheus
// from Debian's packages (identity pages, an API that it polls) and Verdaccio
// from npm (a React app that answers gzip, with an ETag and a policy).

interface App {
  url: string;
  stop(): Promise<void>;
}

async function run(command: string, args: string[], cwd: string, url: string): Promise<App> {
  const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (log += chunk));
  const failed = new Promise<never>((_, reject) => child.once("error", reject));
  const ready = eventually(
    async () => {
      if (child.exitCode !== null) throw new Error(`${command} ended with ${child.exitCode}:\n${log}`);
      return fetch(url).then((r) => r.ok, () => false);
    },
    () => `${command} answers at ${url}:\n${log}`,
  );
  await Promise.race([ready, failed]);
  return {
    url,
    stop: async () => {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await gone;
      await rm(cwd, { recursive: true, force: true });
    },
  };
}

async function prometheus(): Promise<App> {
  const dir = await mkdtemp(join(tmpdir(), "prometheus-"));
  const address = `127.0.0.1:${await freePorts()}`;
  await writeFile(
    join(dir, "prometheus.yml"),
    `global: {scrape_interval: 1s}\nscrape_configs: [{job_name: self, static_configs: [{targets: ["${address}"]}]}]\n`,
  );
  return run(
    "prometheus",
    ["--config.file=prometheus.yml", "--storage.tsdb.path=data", `--web.listen-address=${address}`],
    dir,
    `http://${address}/-/ready`,
  ).then((app) => ({ ...app, url: `http://${address}` }));
}

async function verdaccio(): Promise<App> {
  const dir = await mkdtemp(join(tmpdir(), "verdaccio-"));
  const address = `127.0.0.1:${await freePorts()}`;
  await writeFile(
    join(dir, "config.yaml"),
    "storage: ./storage\nuplinks: {}\npackages: {'**': {access: $all, publish: $all}}\nlog: {type: stdout, format: json, level: warn}\n",
  );
  const home = dirname(createRequire(import.meta.url).resolve("verdaccio/package.json"));
  return run(
    process.execPath,
    [join(home, "bin", "verdaccio"), "--config", "config.yaml", "--listen", address],
    dir,
    `http://${address}/-/ping`,
  ).then((app) => ({ ...app, url: `http://${address}` }));
}

/** Gathers what the page complains about. */
function complaints(page: Page): string[] {
  const list: string[] = [];
  page.on("console", (m) => m.type() === "error" && list.push(`${m.text()} (${m.location().url})`));
  page.on("pageerror", (e) => list.push(String(e)));
  return list;
}

/** What a page complains about when it is visited as its provider runs it. */
async function ungated(page: Page, url: string): Promise<string[]> {
  const other = await page.context().newPage();
  const list = complaints(other);
  await other.goto(url, { waitUntil: "networkidle" });
  await other.close();
  return list;
}

test("Prometheus: the graph page works with the clock over it, and ends on time while it polls", async ({ page }, info) => {
  const app = await prometheus();
  const system: System = await start("--origin", app.url);
  try {
    await expect(async () => {
      const seen = await fetch(`${app.url}/api/v1/query?query=go_goroutines`).then((r) => r.json());
      expect(seen.data.result).toHaveLength(1); // it has scraped itself
    }).toPass();
    // Debian's build has an error of its own: what it says without us is no
    // complaint about us.
    const own = await ungated(page, `${app.url}/classic/graph`);
    const errors = complaints(page);
    const sold = await buy(system, { user: "ada", seconds: 600, tokens: 25 });
    await page.goto(sold.launch_url.replace("/?", "/classic/graph?g0.range_input=1m&"));
    expect(page.url()).toBe(`${system.app}/classic/graph?g0.range_input=1m`);
    const timer = page.getByTestId("session-timer");
    await expect(timer).toBeVisible();

    await page.locator("textarea[name=expr]").fill("go_goroutines");
    await page.locator("input.execute_btn").click();
    await expect(page.locator(".console_table td").filter({ hasText: 'job="self"' })).toBeVisible();
    await page.locator(".nav-tabs a", { hasText: "Graph" }).click();
    await expect(page.locator(".rickshaw_graph svg path").first()).toBeVisible();
    await expect(timer).toContainText(/\d:\d\d/);
    await page.screenshot({ path: info.outputPath("prometheus.png") });
    expect(errors).toEqual(own);

    // A session that ends soon after its page has loaded. The page polls, as an open dashboard does.
    test.setTimeout(900_000); // for a machine that needs minutes
    await beforeItEnds(
      async (seconds) => {
        const short = await buy(system, { user: "ada", seconds, tokens: 25, clock: "launch" });
        errors.length = 0;
        await page.context().clearCookies(); // else the link asks, as it meets the first session
        try {
          await page.goto(short.launch_url.replace("/?", "/classic/graph?"));
          await expect(timer).toContainText(/^\d:\d\d/);
          await page.evaluate(() => {
            setInterval(() => void fetch("/api/v1/query?query=up").catch(() => undefined), 300);
          });
        } catch (error) {
          if ((await read(system, short.session.id)).status === "active") throw error;
          return false;
        }
        await page.waitForURL(`${system.marketplace}/session/complete?session_id=${short.session.id}`, { timeout: 1000 * seconds + PATIENCE_MS });
        const { expires_at, settlement } = await read(system, short.session.id);
        expect(Date.now() / 1000 - expires_at).toBeGreaterThanOrEqual(-0.2);
        expect(settlement?.captured).toBe(25);
        // The app's only new complaints are the polls that were refused after the
        // end; the receipt is for the user's own browser, which this is not.
        // (One that was under way at the end was cut off.)
        expect(errors.filter((e) => !e.includes("401") && !e.includes("query=up") && !e.includes(system.marketplace))).toEqual(own);
        return true;
      },
      20,
      80,
      240,
    );
  } finally {
    await system.stop();
    await app.stop();
  }
});

test("Verdaccio: a React app with gzip, ETag and a policy of its own", async ({ page }, info) => {
  const app = await verdaccio();
  const system: System = await start("--origin", app.url);
  try {
    const errors = complaints(page);
    const sold = await buy(system, { user: "grace", seconds: 600, tokens: 25 });
    await page.goto(sold.launch_url);
    const timer = page.getByTestId("session-timer");
    await expect(timer).toBeVisible();
    await expect(page.getByText("No Package Published Yet")).toBeVisible();
    await page.screenshot({ path: info.outputPath("verdaccio.png") });
    // Again, now from the browser's cache by ETag.
    const second = await page.reload();
    expect([200, 304]).toContain(second?.status());
    await expect(timer).toBeVisible();
    await expect(page.getByText("No Package Published Yet")).toBeVisible();
    expect(errors).toEqual([]);
    const short = await buy(system, { user: "grace", seconds: 15, tokens: 25, clock: "launch" });
    await page.context().clearCookies(); // else the link asks, as it meets the first session
    await page.goto(short.launch_url);
    await page.waitForURL(`${system.marketplace}/session/complete?session_id=${short.session.id}`);
    expect((await read(system, short.session.id)).settlement?.captured).toBe(25);
  } finally {
    await system.stop();
    await app.stop();
  }
});
