import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, type Page, test } from "@playwright/test";
import { buy, freePorts, read, start, type System } from "./system.ts";

// The examples of the provider's package, built and served as their readers would,
// against the real session service: by code, and behind the gate.

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const quiet = { ...process.env, NEXT_TELEMETRY_DISABLED: "1", FORCE_COLOR: "0" };

let system: System;
test.beforeAll(async () => {
  test.setTimeout(120_000);
  const sdk = join(root, "sdk-inject");
  if (!existsSync(join(sdk, "node_modules"))) run("npm", ["ci"], sdk);
  if (!existsSync(join(sdk, "lib", "index.d.cts"))) run(process.execPath, ["scripts/package.mjs"], sdk);
  system = await start();
});
test.afterAll(() => system.stop());

function run(command: string, args: string[], cwd: string) {
  execFileSync(command, args, { cwd, env: quiet, stdio: "pipe" });
}

interface Served {
  url: string;
  stop(): void;
}

/** Builds an example, where there is something to build, and serves it. */
async function serve(name: string, api: string): Promise<Served> {
  const cwd = join(root, "examples", name);
  if (name !== "vanilla") {
    if (!existsSync(join(cwd, "node_modules"))) run("npm", ["ci"], cwd);
    // Next.js takes no links: it has a copy, which may be an older one.
    if (name === "nextjs")
      cpSync(join(root, "sdk-inject", "lib"), join(cwd, "node_modules/@marketplace/provider-sdk/lib"), { recursive: true });
    run("npm", ["run", "build"], cwd);
  }
  const port = await freePorts();
  const [command, args] = {
    vanilla: [process.execPath, ["serve.mjs"]],
    nextjs: [process.execPath, ["node_modules/next/dist/bin/next", "start", "-H", "127.0.0.1", "-p", `${port}`]],
  }[name] ?? [process.execPath, ["node_modules/vite/bin/vite.js", "preview", "--host", "127.0.0.1", "--strictPort"]];
  const child: ChildProcess = spawn(command as string, args as string[], {
    cwd,
    env: { ...quiet, PORT: `${port}`, SESSIONGATE_API: api },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (log += chunk));
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; ; tries++) {
    if (await fetch(url).then((answer) => answer.ok, () => false)) return { url, stop: () => child.kill("SIGTERM") };
    if (tries > 200 || child.exitCode !== null) throw new Error(`${name} does not answer:\n${log}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function complaints(page: Page): string[] {
  const list: string[] = [];
  page.on("console", (m) => m.type() === "error" && list.push(m.text()));
  page.on("pageerror", (e) => list.push(String(e)));
  return list;
}

const tokenOf = (launch: string) => new URL(launch).searchParams.get("session") ?? "";
const extension = { additional_seconds: 120, tokens: 5, max_count: 1 };

for (const [name, path] of [
  ["vanilla", "/"],
  ["react", "/"],
  ["vue", "/"],
  ["nextjs", "/"],
  ["nextjs", "/classic"],
] as const)
  test(`${name}${path}: opens, counts, extends, ends`, async ({ page }, info) => {
    test.setTimeout(180_000);
    const app = await serve(name, system.api);
    try {
      const errors = complaints(page);
      const sold = await buy(system, { user: "ada", seconds: 400, tokens: 25, extension });
      await page.goto(`${app.url}${path}?session=${tokenOf(sold.launch_url)}&keep=1`);
      const state = page.getByTestId("state");
      const timer = page.getByTestId("session-timer");
      await expect(state).toContainText(/6:\d\d left of 25 tokens/);
      await expect(timer).toHaveCount(1);
      await expect(timer).toContainText(/6:\d\d/);
      expect(new URL(page.url()).search).toBe("?keep=1");
      const seen = await timer.textContent();
      await expect(timer).not.toHaveText(seen ?? "");

      await page.locator("#extend").click();
      await expect(timer).toContainText(/8:\d\d/);
      await page.screenshot({ path: info.outputPath("extended.png") });

      await timer.click();
      await expect(page.getByTestId("session-panel")).toBeVisible();
      await page.keyboard.press("Escape");
      await page.locator("#end").click();
      await page.waitForURL(`${system.marketplace}/session/complete?session_id=${sold.session.id}`);
      expect((await read(system, sold.session.id)).status).toBe("completed");
      expect(errors.filter((e) => !e.includes("favicon") && !e.includes("404") && !e.includes("401"))).toEqual([]);
    } finally {
      app.stop();
    }
  });

test("a page with the package behind the gate shows one timer, and ends like any other", async ({ page }) => {
  const app = await serve("vanilla", system.api);
  const gated = await start("--origin", app.url);
  try {
    const sold = await buy(gated, { user: "ada", seconds: 300, tokens: 25, extension });
    await page.goto(sold.launch_url);
    await expect(page.getByTestId("state")).toContainText(/\d:\d\d left of 25 tokens/);
    await page.waitForTimeout(1500);
    await expect(page.getByTestId("session-timer")).toHaveCount(1);
    await page.locator("#end").click();
    await page.waitForURL(`${gated.marketplace}/session/complete?session_id=${sold.session.id}`);
    expect((await read(gated, sold.session.id)).status).toBe("completed");
  } finally {
    await gated.stop();
    app.stop();
  }
});
