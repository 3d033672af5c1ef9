import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, type Page, test } from "@playwright/test";
import { look, signIn, watch } from "./dashboard.ts";
import { buy, start, type System } from "./system.ts";

// A provider sets up its app in five steps, leaves, comes back, and ends with a gated page.

let system: System;
test.beforeAll(async () => {
  system = await start();
  // The demo's provider is set up already: make it as new as an operator's first entry of one.
  const fresh = await fetch(`${system.api}/api/v1/providers/${system.provider_id}`, {
    method: "PATCH",
    headers: { Authorization: `Bearer ${system.admin_key}`, "Content-Type": "application/json" },
    body: JSON.stringify({ name: "New provider", domains: [], origin_url: "" }),
  });
  expect(fresh.status).toBe(200);
});
test.afterAll(() => system?.stop());

const step = (page: Page, id: string) => page.locator(`[data-step=${id}]`);

test("five steps from a name to a gated page and a webhook", async ({ page }, info) => {
  await signIn(page, system, system.provider_key, "/dashboard/setup");
  const problems = watch(page);

  // Name and domain.
  await expect(page.getByRole("heading", { name: "Set up: Name and domain" })).toBeVisible();
  await expect(page.getByText("Step 1 of 5")).toBeVisible();
  await page.getByLabel("Name of your app").fill("Notes");
  await page.getByLabel("Domain").fill("not a domain!/");
  await page.getByRole("button", { name: "Save and continue" }).click();
  await expect(page.getByRole("alert")).toContainText("not a host name");
  await page.getByLabel("Domain").fill("127.0.0.1");
  await look(page, info, "setup-1");
  await page.getByRole("button", { name: "Save and continue" }).click();

  // Origin.
  await expect(page.getByRole("heading", { name: "Set up: Your app's server" })).toBeVisible();
  await expect(step(page, "app")).toHaveAttribute("data-done", "true");
  await expect(page.getByTestId("whose")).toHaveText("Notes");
  await page.getByLabel("Origin").fill(system.origin);
  await look(page, info, "setup-2");
  await page.getByRole("button", { name: "Save and continue" }).click();

  // DNS. One may leave here: what was saved is the service's.
  await expect(page.getByRole("heading", { name: "Set up: DNS" })).toBeVisible();
  await expect(page.getByTestId("step-dns")).toContainText("it has no DNS record");
  await page.goto("about:blank");
  await page.context().clearCookies();
  await signIn(page, system, system.provider_key, "/dashboard/setup");
  await expect(page.getByRole("heading", { name: "Set up: DNS" })).toBeVisible();
  await page.getByRole("button", { name: "Check now" }).click();
  await expect(page.locator("[data-check=gate]")).toContainText("OK");
  await expect(step(page, "dns")).toHaveAttribute("data-done", "true");
  await look(page, info, "setup-3");
  await page.getByRole("link", { name: "Next" }).click();

  // The first page.
  await expect(page.getByText("Waiting for the first page with a clock…")).toBeVisible();
  const { launch_url } = await buy(system, { user: "first", seconds: 600, tokens: 5 });
  const app = await page.context().newPage();
  await app.goto(launch_url);
  await expect(app.getByTestId("session-timer")).toBeVisible();
  await app.close();
  await expect(page.getByText("A page with the clock was seen.")).toBeVisible({ timeout: 60_000 });
  await expect(step(page, "page")).toHaveAttribute("data-done", "true");
  await look(page, info, "setup-4");
  await page.getByRole("link", { name: "Next" }).click();

  // Webhooks.
  const receiver = createServer((_, response) => response.end("{}"));
  await new Promise<void>((ready) => receiver.listen(0, "127.0.0.1", ready));
  await page.getByRole("button", { name: "Add a webhook" }).click();
  await page.getByLabel("URL").fill(`http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`);
  await page.getByRole("button", { name: "Add it" }).click();
  await expect(page.getByRole("textbox", { name: "Signing secret" })).toHaveValue(/^whsec_/);
  await page.getByRole("button", { name: "Done" }).click();
  await expect(step(page, "webhooks")).toHaveAttribute("data-done", "true");
  await look(page, info, "setup-5");
  await page.getByRole("link", { name: "Finish" }).click();
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
  await expect(page.getByText("Your app is not set up yet.")).toHaveCount(0);
  receiver.close();
  expect(problems.filter((one) => !/status of (422|401)/.test(one))).toEqual([]);
});
