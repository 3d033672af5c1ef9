import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "@playwright/test";
import { look, past, signIn, watch } from "./dashboard.ts";
import { buy, start, type System } from "./system.ts";

// An operator reads a provider's own pages: all of them, live, and changes none but the settings.

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

test("an operator reads a provider's pages, live, and finds the way back", async ({ page }, info) => {
  const receiver = createServer((_, response) => response.end("{}"));
  await new Promise<void>((ready) => receiver.listen(0, "127.0.0.1", ready));
  const hook = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
  const as = (key: string, path: string, body: object) =>
    fetch(system.api + path, {
      method: "POST",
      headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  const added = await as(system.provider_key, `/api/v1/providers/${system.provider_id}/webhooks`, { url: `${hook}?token=between-us` });
  expect(added.status).toBe(201);
  const { secret } = await added.json();

  await signIn(page, system, system.admin_key);
  const problems = watch(page);
  await page.getByTestId("providers").getByRole("link").first().click();
  const reading = page.getByTestId("reading");
  await expect(reading).toContainText("As operator, reading");
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
  await expect(page.getByTestId("connection")).toHaveText("Live");
  await expect(page.getByTestId("latest").locator("tbody tr")).toHaveCount(8);
  await expect(page.locator(".chart canvas, .chart svg").first()).toBeVisible();
  await expect(page.getByTestId("whose")).toHaveText("Operator");
  const { session } = await buy(system, { user: "read-live", seconds: 600, tokens: 5 });
  await expect(page.getByTestId("latest")).toContainText("read-live");
  await look(page, info, "reading-overview");

  const tabs = reading.getByRole("navigation", { name: /^Pages of/ });
  await tabs.getByRole("link", { name: "Sessions" }).click();
  await expect(page).toHaveURL(`${system.api}/dashboard/providers/${system.provider_id}/sessions`);
  await expect(page.getByTestId("sessions").locator("tbody tr")).toHaveCount(50);
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Export CSV" }).click()]);
  expect(file.suggestedFilename()).toBe("sessions.csv");
  await page.getByRole("link", { name: "read-live" }).click();
  await expect(page.getByTestId("timeline")).toContainText("Tokens set aside");
  await expect(page.getByRole("link", { name: "Revoke or refund" })).toBeVisible();
  await look(page, info, "reading-session");
  const crumbs = reading.getByRole("navigation", { name: "Breadcrumbs" });
  await expect(crumbs.getByRole("link")).toHaveText(["Providers", /./, "Sessions", `…${session.id.slice(-12)}`]);

  await tabs.getByRole("link", { name: "Webhooks" }).click();
  await expect(page.getByRole("button", { name: "Add a webhook" })).toHaveCount(0);
  await page.getByRole("link", { name: `${hook}?…` }).click();
  await expect(page.getByTestId("deliveries").locator("tbody tr").first()).toContainText("session.");
  for (const name of ["Delete", "New secret", "Turn off", "Send", "Replay a range"]) await expect(page.getByRole("button", { name, exact: true })).toHaveCount(0);
  await look(page, info, "reading-webhook");
  await page.getByTestId("deliveries").getByRole("link").first().click();
  await expect(page.getByTestId("attempts")).toBeVisible();
  await expect(page.getByRole("button", { name: "Send again" })).toHaveCount(0);
  expect(await page.content()).not.toContain(secret);
  expect(await page.content()).not.toContain("between-us");

  await tabs.getByRole("link", { name: "Health" }).click();
  await page.getByRole("button", { name: "Check now" }).click();
  await expect(page.locator("[data-check=gate]")).toContainText("OK");
  await look(page, info, "reading-health");
  await tabs.getByRole("link", { name: "Settings" }).click();
  await expect(page.getByLabel("Return hosts")).toBeVisible();
  await expect(page.getByTestId("apikeys").locator("tbody tr").first()).toBeVisible();
  await expect(page.getByTestId("apikeys").getByRole("button")).toHaveCount(0);
  await look(page, info, "reading-settings");

  await crumbs.getByRole("link", { name: "Providers" }).click();
  await expect(page.getByRole("heading", { name: "Providers", exact: true })).toBeVisible();
  await expect(reading).toHaveCount(0);
  // Old addresses lead there, and ones of nobody say so.
  await page.goto(`${system.api}/dashboard/operator/providers/${system.provider_id}`);
  await expect(page).toHaveURL(`${system.api}/dashboard/providers/${system.provider_id}`);
  expect(problems).toEqual([]);
  await page.goto(`${system.api}/dashboard/providers/prov_none`);
  await expect(page.getByText("There is no provider with this id.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Sign-in link" })).toHaveCount(0);
  await look(page, info, "reading-none");
  receiver.close();
});
