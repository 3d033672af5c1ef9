import { expect, test } from "@playwright/test";
import { type System, start } from "./system.ts";

// A portal link in a real browser: one button, and nothing of the link left.

let system: System;

test.beforeAll(async () => {
  system = await start();
});

test.afterAll(() => system.stop());

test("a portal link opens by one button and leaves the address bar", async ({ page, request }) => {
  const problems: string[] = [];
  page.on("console", (m) => {
    if (m.type() === "error" || m.type() === "warning") problems.push(m.text());
  });
  const referrers: string[] = [];
  page.on("request", (r) => referrers.push(`${r.url()} ${r.headers().referer ?? ""}`));
  const made = await request.post(`${system.api}/api/v1/portal`, {
    headers: { authorization: `Bearer ${system.admin_key}` },
    data: { provider_id: system.provider_id },
  });
  expect(made.status()).toBe(201);
  const link: string = (await made.json()).url;
  const secret = link.split("#")[1];

  await page.goto(link);
  const button = page.getByRole("button", { name: "Open the portal" });
  await expect(button).toBeVisible();
  expect(page.url()).toBe(`${system.api}/auth/portal`);
  await expect(page.getByRole("alert")).toHaveCount(0);
  await button.click();
  await page.waitForURL((url) => url.pathname !== "/auth/portal");
  const me = await (await page.request.get(`${system.api}/api/v1/me`)).json();
  expect(me).toMatchObject({
    role: "provider",
    provider_id: system.provider_id,
    name: "Portal guest",
    person: false,
    guest: true,
    provider: { id: system.provider_id },
  });

  // Going back finds the page, and no link on it.
  await page.goBack();
  expect(page.url()).toBe(`${system.api}/auth/portal`);
  await page.reload();
  await expect(page.getByRole("alert")).toContainText("Open the link that you were given once more");
  await expect(button).toBeHidden();
  expect(referrers.filter((r) => r.includes(secret))).toEqual([]);
  expect(problems).toEqual([]);
});
