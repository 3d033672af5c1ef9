import { expect, type Page, test } from "@playwright/test";
import { look, signIn, watch } from "./dashboard.ts";
import { buy, read, start, type System } from "./system.ts";

// What an administrator sees and does at /dashboard/, and what others may not.

let system: System;
test.beforeAll(async () => {
  system = await start();
});
test.afterAll(() => system?.stop());

const open = (page: Page, path: string) => page.goto(`${system.api}/dashboard/${path}`);
const rows = (page: Page, panel: string) => page.getByTestId(panel).locator("tbody tr");

test("a provider is added, and invited by a link that opens its dashboard and nothing else", async ({ page, browser }, info) => {
  await signIn(page, system, system.admin_key);
  const problems = watch(page);
  await expect(page.getByTestId("whose")).toHaveText("Operator");
  await expect(rows(page, "providers")).toHaveCount(system.apps.length);
  await page.getByRole("button", { name: "Add a provider" }).click();
  await page.getByLabel("Name").fill("Maps & Routes");
  await page.getByRole("textbox", { name: "Id", exact: true }).fill("prov_maps");
  await page.getByLabel("Return hosts").fill(new URL(system.marketplace).host);
  await look(page, info, "provider-add");
  await page.getByRole("button", { name: "Add it" }).click();
  await expect(page.getByTestId("reading")).toContainText("As operator, reading Maps & Routes");
  await expect(page.getByRole("heading", { name: "Settings" })).toBeVisible();
  await expect(page.getByLabel("Return hosts")).toHaveValue(new URL(system.marketplace).host);
  await look(page, info, "provider");

  await page.getByRole("button", { name: "Sign-in link" }).click();
  await page.getByRole("button", { name: "Create", exact: true }).click();
  const link = await page.getByRole("textbox", { name: "Sign-in link" }).inputValue();
  expect(link).toContain(`${system.api}/auth/portal#`);
  await page.getByRole("button", { name: "Done" }).click();

  const guest = await browser.newContext();
  const theirs = await guest.newPage();
  await theirs.goto(link);
  await theirs.getByRole("button").click();
  await theirs.waitForURL(`${system.api}/dashboard/`);
  await expect(theirs.getByTestId("whose")).toHaveText("Maps & Routes");
  await expect(theirs.getByText("No sessions yet")).toBeVisible();
  await look(theirs, info, "empty");
  await theirs.goto(`${system.api}/dashboard/operator/providers`);
  await expect(theirs.getByText("This needs an administrator.")).toBeVisible();
  expect(await theirs.evaluate(async () => (await fetch("/api/v1/providers/prov_demo")).status)).toBe(404);
  await guest.close();

  await open(page, "operator/audit");
  await expect(rows(page, "audit").first()).toContainText("prov_maps");
  await expect(page.getByTestId("audit")).toContainText("Added a provider");
  await look(page, info, "audit");
  await open(page, "operator/providers");
  await look(page, info, "providers");
  expect(problems).toEqual([]);
});

test("a session is looked up, and revoked with a refund and a reason", async ({ page }, info) => {
  const { session } = await buy(system, { user: "mallory", seconds: 600, tokens: 40 });
  await signIn(page, system, system.admin_key, "/dashboard/operator/sessions");
  const problems = watch(page);
  await expect(page.getByText("Find a session")).toBeVisible();
  await page.getByRole("searchbox", { name: "Session id" }).fill(session.id);
  await page.keyboard.press("Enter");
  const timeline = page.getByTestId("timeline");
  await expect(timeline).toContainText("Tokens set aside");
  await page.getByRole("button", { name: "Revoke" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Revoke" }).click();
  await expect(dialog).toBeVisible(); // a reason is needed
  await page.getByLabel("Everything").check();
  await page.getByLabel("Reason").fill("chargeback");
  await look(page, info, "revoke");
  await dialog.getByRole("button", { name: "Revoke" }).click();
  await expect(page.getByText("Revoked. The provider keeps 0, the user gets back 40.")).toBeVisible();
  await expect(timeline).toContainText("Revoked");
  await expect(timeline).toContainText("Tokens given back");
  expect(await read(system, session.id)).toMatchObject({ status: "revoked", settlement: { released: 40 } });
  await look(page, info, "operator-session");
  await open(page, "operator/audit");
  await expect(rows(page, "audit").first()).toContainText("Revoked a session");
  expect(problems).toEqual([]);
});

test("edges, keys and people", async ({ page }, info) => {
  await signIn(page, system, system.admin_key, "/dashboard/operator/edges");
  const problems = watch(page);
  await expect(async () => {
    await page.reload();
    // Loaded, whether the edge has been heard of or not.
    await expect(page.getByTestId("edges").locator(":is(.empty, tbody tr)").first()).toBeVisible();
    await expect(rows(page, "edges")).toHaveCount(1, { timeout: 2_000 });
  }).toPass();
  await expect(rows(page, "edges").first()).toContainText("Connected");
  await look(page, info, "edges");

  await page.getByRole("link", { name: "Keys" }).click();
  await expect(rows(page, "signing").filter({ hasText: "Current" })).toHaveCount(1);
  const market = rows(page, "apikeys").filter({ hasText: "marketplace" });
  await expect(market).toContainText("Active");
  await look(page, info, "keys");
  await market.getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await expect(market).toHaveCount(0);
  await page.getByLabel("Which keys").selectOption("all");
  await expect(market).toContainText("Revoked");
  const refused = await fetch(`${system.api}/api/v1/sessions`, { headers: { Authorization: `Bearer ${system.marketplace_key}` } });
  expect(refused.status).toBe(401);

  await page.getByRole("link", { name: "People" }).click();
  await expect(page.getByText("No people yet")).toBeVisible();
  await page.getByRole("button", { name: "Add a person" }).click();
  await page.getByLabel("E-mail").fill("ada@example.com");
  await page.getByLabel("Provider id").fill("prov_none");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await expect(page.getByRole("dialog").getByRole("alert")).toBeVisible();
  await page.getByLabel("Provider id").fill("prov_demo");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await expect(rows(page, "people")).toContainText("Provider prov_demo");
  await look(page, info, "people");
  await page.getByRole("button", { name: "Remove ada@example.com" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await expect(page.getByText("No people yet")).toBeVisible();
  expect(problems.filter((one) => !/status of 404/.test(one))).toEqual([]);
});
