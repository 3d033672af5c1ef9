import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "@playwright/test";
import { type Engine, engines, type Page } from "../sdk-inject/test/hostile/browsers.ts";
import { past } from "./dashboard.ts";
import { buy, start, type System } from "./system.ts";

// The dashboard in the other engines: what is on each page, and that no script fails. The specs
// beside this one look closer, in Chromium.

let system: System;
let forget = async () => {};
test.beforeAll(async () => {
  test.setTimeout(900_000); // a build
  const [folder, remove] = await past(300, 30);
  forget = remove;
  system = await start("--data", folder);
});
test.afterAll(async () => {
  await system?.stop();
  await forget();
});

/** From now on, what a script of the page does wrong is kept. WebDriver alone tells of none. */
const listen = () => {
  const wrong: string[] = [];
  Object.assign(window, { wrong });
  addEventListener("error", ({ message }) => wrong.push(message));
  addEventListener("unhandledrejection", ({ reason }) => wrong.push(String(reason)));
  // Playwright tries to add a style of its own to a page that it takes a picture of.
  document.addEventListener("securitypolicyviolation", ({ violatedDirective }) => {
    if (!Reflect.get(window, "pictured")) wrong.push(violatedDirective);
  });
};

for (const name of ["firefox", "webkit"])
  test(`${name}: signing in, overview, sessions, a timeline, a webhook, the set-up`, async ({}, info) => {
    let engine: Engine | undefined;
    const receiver = createServer((_, response) => response.end("{}"));
    await new Promise<void>((ready) => receiver.listen(0, "127.0.0.1", ready));
    try {
      engine = await engines[name]?.();
      if (!engine) throw new Error(`${name} did not start`);
      const page = await engine.page();
      await story(page, `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`, async (shot) => {
        await page.run(() => void Object.assign(window, { pictured: true }));
        await page.run(() => new Promise<void>((painted) => requestAnimationFrame(() => requestAnimationFrame(() => painted()))));
        await writeFile(info.outputPath(`${name}-${shot}.png`), await page.picture());
        await page.run(() => void Object.assign(window, { pictured: false }));
      });
      expect(await page.run(() => Reflect.get(window, "wrong"))).toEqual([]);
      expect(page.errors).toEqual([]);
    } finally {
      await engine?.stop();
      receiver.close();
    }
  });

/** Waits for what a script of the page says; it may go to another page meanwhile. */
async function until(page: Page, script: () => unknown): Promise<void> {
  await expect.poll(() => page.run(script).then(Boolean, () => false), { message: `${script}` }).toBe(true);
}

async function story(page: Page, hook: string, look: (name: string) => Promise<void>): Promise<void> {
  const heading = () => page.run(() => document.querySelector("h1")?.textContent);
  await page.goto(`${system.api}/dashboard/`);
  await until(page, () => location.pathname === "/auth/" && document.querySelector("input[name=key]"));
  await look("sign-in");
  await page.type("input[name=key]", system.provider_key);
  await page.click("form[action='/auth/key'] button");

  // Overview: figures, charts with a bar for each day, the latest sessions, live.
  await until(page, () => document.querySelector("h1")?.textContent === "Overview");
  await page.run(listen);
  await until(page, () => document.querySelectorAll("[data-testid=latest] tbody tr").length === 8);
  await until(page, () => document.querySelectorAll(".chart svg").length === 3);
  await until(page, () => /^[\d,. ]+$/.test(document.querySelector("[data-testid=card-sessions] .figure")?.textContent ?? ""));
  await until(page, () => document.querySelector("[data-testid=connection]")?.textContent === "Live");
  const before = await page.run(() => document.querySelector("[data-testid=card-active] .figure")?.textContent);
  const { session } = await buy(system, { user: "engine-user", seconds: 600, tokens: 5 });
  await until(page, () => document.querySelector("[data-testid=latest]")?.textContent?.includes("engine-user"));
  await expect.poll(() => page.run(() => document.querySelector("[data-testid=card-active] .figure")?.textContent)).toBe(String(Number(before) + 1));
  expect(await page.run(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  await look("overview");

  // Sessions, and one of them.
  await page.click("nav a[href='/dashboard/sessions']");
  await until(page, () => document.querySelectorAll("[data-testid=sessions] tbody tr").length === 50);
  await look("sessions");
  await page.click(`a[href='/dashboard/sessions/${session.id}']`);
  await until(page, () => document.querySelector("[data-testid=timeline]")?.textContent?.includes("Tokens set aside"));
  expect(await heading()).toBe("Session");
  expect(await page.run(() => document.querySelector("[data-testid=facts]")?.textContent)).toContain("engine-user");
  await look("session");

  // A webhook, in a dialog that begins at its first field.
  await page.click("nav a[href='/dashboard/webhooks']");
  await until(page, () => document.querySelector("[data-testid=webhooks] :is(.empty, tbody tr)"));
  await page.click("main header button.primary");
  await until(page, () => document.querySelector("dialog:modal") && document.activeElement?.matches("dialog input[type=url]"));
  await page.type("dialog input[type=url]", hook);
  await look("webhook-add");
  await page.click("dialog button[type=submit]");
  await until(page, () => document.querySelector<HTMLInputElement>("dialog .copy input")?.value.startsWith("whsec_"));
  await page.click("dialog .actions button");
  await until(page, () => !document.querySelector("dialog") && document.querySelector("[data-testid=deliveries]"));

  // The set-up's DNS step, and settings with a key.
  await page.click("nav a[href='/dashboard/setup']");
  await until(page, () => document.querySelectorAll(".steps li").length === 5);
  await page.click("[data-step=dns] a");
  await until(page, () => document.querySelector("[data-testid=step-dns]")?.textContent?.includes("it has no DNS record"));
  await look("setup");
  await page.click("nav a[href='/dashboard/settings']");
  await until(page, () => document.querySelector("[data-testid=apikeys] tbody tr"));
  await look("settings");
}
