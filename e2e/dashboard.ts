import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, type Page, type TestInfo } from "@playwright/test";
import { root } from "./examples.ts";
import type { System } from "./system.ts";

/** What the specs of the dashboard share: signing in, and looking. */

const axe = readFileSync(join(root, "sdk-inject/node_modules/axe-core/axe.min.js"), "utf8");

/** Signs in with a key, as a person does, and waits for the dashboard. */
export async function signIn(page: Page, system: Pick<System, "api">, key: string, to = "/dashboard/"): Promise<void> {
  // A page that is open may go to the sign-in by itself meanwhile, which would end our navigation.
  if (page.url() !== "about:blank") await page.goto("about:blank");
  await page.goto(system.api + to);
  await page.waitForURL(`${system.api}/auth/?to=*`);
  await page.getByLabel("API key").fill(key);
  await page.getByRole("button", { name: "Sign in with the key" }).click();
  // The app may have replaced the address by one below it before we look: /dashboard/setup by its first open step.
  await page.waitForURL((url) => url.href.startsWith(system.api + to));
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
}

/** Collects what a page must not do: errors, warnings, breaches of its policy. */
export function watch(page: Page): string[] {
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (said) => {
    if (said.type() === "error" || said.type() === "warning") problems.push(said.text());
  });
  return problems;
}

export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const found = await Reflect.get(window, "axe").run();
    return found.violations.map(
      ({ id, nodes }: { id: string; nodes: { html: string }[] }) => `${id} (${nodes.length}): ${nodes[0]?.html}`,
    );
  });
}

/** Looks at a page on phone and desktop, in light and dark: pictures, axe, nothing beyond the edge. */
export async function look(page: Page, info: TestInfo, name: string): Promise<void> {
  const before = page.viewportSize();
  for (const [device, viewport] of [
    ["desktop", { width: 1280, height: 860 }],
    ["phone", { width: 390, height: 844 }],
  ] as const)
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize(viewport);
      await page.screenshot({ path: info.outputPath(`${name}-${device}-${colorScheme}.png`), fullPage: true });
      expect(await violations(page), `${name}, ${device}, ${colorScheme}`).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} fits a ${device}`).toBe(true);
    }
  await page.emulateMedia({ colorScheme: "light" });
  if (before) await page.setViewportSize(before);
}

/** A folder for a demo with a past of so many sessions; the second removes it. */
export async function past(sessions: number, days: number): Promise<[folder: string, remove: () => Promise<void>]> {
  const folder = await mkdtemp(join(tmpdir(), "sessiongate-past-"));
  execFileSync("go", ["run", "./e2e/seed", "--data", folder, "--sessions", String(sessions), "--days", String(days)], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  });
  return [folder, () => rm(folder, { recursive: true, force: true })];
}
