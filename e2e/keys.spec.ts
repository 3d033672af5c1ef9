import { expect, type Page, test } from "@playwright/test";
import { look, signIn, watch } from "./dashboard.ts";
import { start, type System } from "./system.ts";

// API keys are made, shown once and revoked in the browser, by whom they are for.

let system: System;
test.beforeAll(async () => {
  system = await start();
});
test.afterAll(() => system?.stop());

const row = (page: Page, text: string) => page.getByTestId("apikeys").locator("tbody tr").filter({ hasText: text });
const secret = (page: Page) => page.getByRole("dialog").getByRole("textbox", { name: "API key" });
const answers = async (key: string) => (await fetch(`${system.api}/api/v1/me`, { headers: { Authorization: `Bearer ${key}` } })).status;

/** What a page asked for, to hold that no key is in an address. */
function addresses(page: Page): string[] {
  const list: string[] = [];
  page.on("request", (request) => list.push(`${request.url()} ${request.headers().referer ?? ""}`));
  return list;
}

test("a provider makes a key, sees it once, and revokes it", async ({ page, context }, info) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: system.api });
  await signIn(page, system, system.provider_key, "/dashboard/settings");
  const problems = watch(page);
  const asked = addresses(page);
  await expect(row(page, "(current)")).toHaveCount(1);
  await page.getByRole("button", { name: "Create key" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Create", exact: true }).click();
  await expect(dialog).toBeVisible(); // a label is needed
  await page.getByLabel("Label").fill("billing server");
  await look(page, info, "provider-key-make");
  await dialog.getByRole("button", { name: "Create", exact: true }).click();
  await expect(secret(page)).toHaveValue(/^sg_prv_/);
  const made = await secret(page).inputValue();
  // It is said for 3 s: somebody looks for it before it comes.
  await Promise.all([
    dialog.getByRole("status").filter({ hasText: "Copied" }).waitFor(),
    dialog.getByRole("button", { name: "Copy" }).press("Enter"),
  ]);
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(made);
  await page.getByRole("button", { name: "Done" }).click();
  expect(await answers(made)).toBe(200);
  await expect(row(page, "billing server")).toContainText("Active");
  await look(page, info, "provider-keys");
  await page.reload();
  await expect(row(page, "billing server")).toHaveCount(1);
  expect(await page.content()).not.toContain(made);

  await row(page, "billing server").getByRole("button", { name: "Revoke" }).click();
  await dialog.getByRole("button", { name: "Cancel" }).click();
  expect(await answers(made)).toBe(200);
  await row(page, "billing server").getByRole("button", { name: "Revoke" }).click();
  await dialog.getByRole("button", { name: "Revoke" }).click();
  await expect(row(page, "billing server")).toHaveCount(0);
  expect(await answers(made)).toBe(401);

  // Another key, to sign in with it and revoke it: one is told, and signed out.
  await page.getByRole("button", { name: "Create key" }).click();
  await page.getByLabel("Label").fill("my own");
  await dialog.getByRole("button", { name: "Create", exact: true }).click();
  const own = await secret(page).inputValue();
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(`${system.api}/auth/`);
  await signIn(page, system, own, "/dashboard/settings");
  await row(page, "my own (current)").getByRole("button", { name: "Revoke" }).click();
  await expect(dialog).toContainText("You are signed in with this key.");
  await look(page, info, "provider-key-own");
  await dialog.getByRole("button", { name: "Revoke and sign out" }).click();
  await page.waitForURL(`${system.api}/auth/`);
  await expect(page.getByLabel("API key")).toBeVisible();
  expect(await answers(own)).toBe(401);
  expect(asked.filter((one) => one.includes(made) || one.includes(own))).toEqual([]);
  expect(problems).toEqual([]);
});

test("a guest is told why it makes no key", async ({ page }, info) => {
  const made = await fetch(`${system.api}/api/v1/portal`, {
    method: "POST",
    headers: { Authorization: `Bearer ${system.admin_key}`, "Content-Type": "application/json" },
    body: JSON.stringify({ provider_id: system.provider_id }),
  });
  await page.goto((await made.json()).url);
  await page.getByRole("button", { name: "Open the portal" }).click();
  await page.waitForURL(`${system.api}/dashboard/`);
  await page.getByRole("link", { name: "Settings" }).click();
  const keys = page.getByTestId("apikeys");
  await expect(keys).toContainText("A key made now would outlive it. Ask the operator for a key of your own.");
  await expect(row(page, "Sign-in link (current)")).toHaveCount(1);
  await expect(keys.getByRole("button")).toHaveCount(0);
  const refused = await page.evaluate(
    async (id) =>
      (await fetch(`/api/v1/providers/${id}/apikeys`, { method: "POST", headers: { "Content-Type": "application/json" }, body: '{"name":"x"}' })).status,
    system.provider_id,
  );
  expect(refused).toBe(403);
  await look(page, info, "guest-keys");
});

test("an administrator makes a key of each role", async ({ page }, info) => {
  await signIn(page, system, system.admin_key, "/dashboard/operator/keys");
  const problems = watch(page);
  const asked = addresses(page);
  const dialog = page.getByRole("dialog");
  const keys: string[] = [];
  for (const [role, prefix] of [
    ["Provider", "sg_prv_"],
    ["Marketplace", "sg_mkt_"],
    ["Edge", "sg_edge_"],
    ["Administrator", "sg_adm_"],
  ] as const) {
    await page.getByRole("button", { name: "Create key" }).click();
    await page.getByLabel("Label").fill(`for ${role}`);
    await dialog.getByRole("radio", { name: role }).check();
    if (role === "Provider") {
      await dialog.getByRole("button", { name: "Create", exact: true }).click();
      await expect(dialog.getByRole("alert")).toContainText("Choose the provider.");
      await look(page, info, "admin-key-make");
      await dialog.getByLabel("Provider", { exact: true }).last().selectOption(system.provider_id);
    }
    await dialog.getByRole("button", { name: "Create", exact: true }).click();
    await expect(secret(page)).toHaveValue(new RegExp(`^${prefix}`));
    keys.push(await secret(page).inputValue());
    if (role === "Edge") await look(page, info, "admin-key-made");
    await page.getByRole("button", { name: "Done" }).click();
    await expect(row(page, `for ${role}`)).toContainText("Active");
  }
  await look(page, info, "admin-keys");
  expect(await answers(keys[0] ?? "")).toBe(200);
  await page.getByRole("link", { name: "Audit" }).click();
  await expect(page.getByTestId("audit").locator("tbody tr").first()).toContainText("Created a key");
  expect(await page.content()).not.toContain(keys[3]);
  expect(asked.filter((one) => keys.some((key) => one.includes(key)))).toEqual([]);
  expect(problems).toEqual([]);
});
