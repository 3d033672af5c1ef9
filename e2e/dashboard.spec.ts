import { readFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, type Page, test } from "@playwright/test";
import { look, past, signIn, watch } from "./dashboard.ts";
import { api, buy, start, type System } from "./system.ts";

// A provider's dashboard, on a database with a hundred thousand sessions of the last year.

interface Call {
  headers: IncomingHttpHeaders;
  body: string;
}

let system: System;
let removePast: () => Promise<void>;
let receiver: Server;
let hook: string;
const calls: Call[] = [];
let answer = 200;

test.beforeAll(async () => {
  test.setTimeout(900_000); // a build, and a year of sessions
  const [folder, remove] = await past(100_000, 365);
  removePast = remove;
  system = await start("--data", folder);
  receiver = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      calls.push({ headers: request.headers, body });
      response.statusCode = answer;
      response.end(JSON.stringify({ taken: answer === 200 }));
    });
  });
  await new Promise<void>((ready) => receiver.listen(0, "127.0.0.1", ready));
  hook = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/sessiongate`;
});

test.afterAll(async () => {
  receiver?.close();
  await system?.stop();
  await removePast?.();
});

let problems: string[];
test.beforeEach(async ({ page }) => {
  await signIn(page, system, system.provider_key);
  problems = watch(page);
});

const open = (page: Page, path: string) => page.goto(`${system.api}/dashboard/${path}`);
const rows = (page: Page, panel: string) => page.getByTestId(panel).locator("tbody tr");

test("the overview: figures as they happen, charts by day, the range before", async ({ page }, info) => {
  test.setTimeout(900_000); // to count a hundred thousand sessions
  const live = page.getByTestId("card-active").locator(".figure");
  await expect(page.getByTestId("connection")).toHaveText("Live");
  await expect(live).toHaveText("0");
  const { session } = await buy(system, { user: "ada", seconds: 600, tokens: 25 });
  await expect(live).toHaveText("1"); // told, not asked for
  await expect(rows(page, "latest").first()).toContainText("ada");
  await api(system, "POST", `/api/v1/sessions/${session.id}/complete`);
  await expect(live).toHaveText("0");
  await expect(rows(page, "latest").first()).toContainText("Completed");

  // The service counts the year once it has started, and later what came after.
  const sold = () =>
    page.evaluate(async (provider) => {
      // A day more than were seeded: midnight may have passed since.
      const from = new Date(Date.now() - 366 * 86_400_000).toISOString().slice(0, 10);
      return (await (await fetch(`/api/v1/providers/${provider}/analytics/sessions?from=${from}`)).json()).total.sessions;
    }, system.provider_id);
  await expect.poll(sold, { timeout: 600_000 }).toBeGreaterThanOrEqual(100_000);
  // In the first hours of a day (UTC), few sessions or none are of today.
  const today = () =>
    page.evaluate(async (provider) => {
      const day = new Date().toISOString().slice(0, 10);
      const total = async (kind: string) => {
        const answer = await fetch(`/api/v1/providers/${provider}/analytics/${kind}?from=${day}&to=${day}`);
        return (await answer.json()).total as Record<string, number>;
      };
      const [sessions, revenue] = [await total("sessions"), await total("revenue")];
      return {
        sessions: sessions.sessions,
        minutes: Math.round((sessions.used_seconds ?? Number.NaN) / 60),
        tokens: revenue.captured,
        extensions: sessions.extensions,
        cutoffs: sessions.expired,
      };
    }, system.provider_id);
  await expect(async () => {
    await page.reload();
    for (const [card, figure] of Object.entries(await today())) {
      const shown = page.getByTestId(`card-${card}`).locator(".figure");
      await expect(shown, card).toHaveText(/\d/); // loaded
      await expect(shown, card).toHaveText(figure?.toLocaleString("en") ?? "missing", { timeout: 10_000 });
    }
  }).toPass({ timeout: 600_000 });

  const chart = page.getByTestId("chart-of-sessions");
  await expect(chart.locator(".sgd-hit")).toHaveCount(30);
  await expect(chart.locator(".chart-foot")).toContainText(/\d% (more|less) than before/);
  await page.getByRole("button", { name: "12 months" }).click();
  await expect(chart.locator(".sgd-hit")).toHaveCount(365);
  await expect(page).toHaveURL(/range=365/);
  await expect(chart.getByRole("img")).toHaveAccessibleName(/(99|100),\d{3} in all/);
  await page.reload();
  await expect(page.getByRole("button", { name: "12 months" })).toHaveAttribute("aria-pressed", "true");
  await page.getByRole("button", { name: "Other" }).click();
  await page.getByLabel("From").fill("2026-01-02");
  await page.getByLabel("to", { exact: true }).fill("2026-01-01");
  await expect(page.getByText("The first day is after the last.")).toBeVisible();
  await page.getByRole("button", { name: "7 days" }).click();
  await expect(chart.locator(".sgd-hit")).toHaveCount(7);
  const file = page.waitForEvent("download");
  await page.getByRole("link", { name: "CSV of sessions" }).click();
  expect(readFileSync(await (await file).path(), "utf8")).toMatch(/^\ufeffdate,sessions,entered,.*,extensions\n/);

  await page.getByRole("button", { name: "30 days" }).click();
  await expect(chart.locator(".sgd-hit")).toHaveCount(30);
  await page.screenshot({ path: info.outputPath("overview.png") }); // docs/images/dashboard.png
  await look(page, info, "overview");
  expect(problems).toEqual([]);
});

test("sessions: found by the service, page by page, and taken away as a file", async ({ page }, info) => {
  await page.getByRole("link", { name: "Sessions", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1 })).toBeFocused();
  await expect(rows(page, "sessions")).toHaveCount(50);
  await look(page, info, "sessions");

  const first = await rows(page, "sessions").first().getAttribute("data-id");
  await page.getByRole("button", { name: "Older" }).click();
  await expect(rows(page, "sessions").first()).not.toHaveAttribute("data-id", first ?? "");
  await page.getByRole("button", { name: "Newer" }).click();
  await expect(rows(page, "sessions").first()).toHaveAttribute("data-id", first ?? "");

  const search = page.getByLabel("Session or user");
  await search.fill("user_833");
  await search.press("Enter");
  await expect(page).toHaveURL(/q=user_833/);
  const users = rows(page, "sessions").locator(".strong");
  await expect(users.first()).toHaveText(/^user_833/);
  for (const user of await users.allTextContents()) expect(user).toMatch(/^user_833/);
  await page.getByLabel("Status").selectOption("completed");
  await expect(rows(page, "sessions").first()).toContainText("Completed");
  await expect(page.getByTestId("sessions")).not.toContainText("Time ran out");
  await page.reload(); // the address holds it all
  await expect(page.getByLabel("Status")).toHaveValue("completed");
  await expect(users.first()).toBeVisible();
  const found = await rows(page, "sessions").count();
  expect(found).toBeLessThan(50); // one page of them

  for (const [name, count] of [
    ["CSV", (text: string) => text.trim().split("\n").length - 1],
    ["JSON", (text: string) => JSON.parse(text).length],
  ] as const) {
    const file = page.waitForEvent("download");
    await page.getByRole("button", { name: `Export ${name}` }).click();
    expect(count(readFileSync(await (await file).path(), "utf8")), name).toBe(found);
  }

  await search.fill("no body?");
  await search.press("Enter");
  await expect(page.getByText("Ids have letters, digits")).toBeVisible();
  await search.fill("nobody");
  await search.press("Enter");
  await expect(page.getByText("Nothing found")).toBeVisible();
  await page.getByRole("button", { name: "Show all sessions" }).click();
  await expect(rows(page, "sessions")).toHaveCount(50);
  expect(problems).toEqual([]);
});

test("webhooks: added, tried, turned off and on, replayed, deleted; and a session's timeline", async ({ page }, info) => {
  await open(page, "webhooks");
  await expect(page.getByText("No webhooks yet")).toBeVisible();
  // By keyboard alone.
  const add = page.getByRole("button", { name: "Add a webhook" });
  await add.focus();
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog");
  await expect(dialog).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(dialog).toBeHidden();
  await expect(add).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByLabel("URL")).toBeFocused();
  await page.keyboard.type("ftp://127.0.0.1/");
  await page.keyboard.press("Enter");
  await expect(dialog.getByRole("alert")).toContainText("webhook");
  await page.getByLabel("URL").fill(hook);
  await page.getByLabel("Note").fill("Billing");
  await look(page, info, "webhook-add");
  await page.keyboard.press("Enter");
  const secret = page.getByRole("textbox", { name: "Signing secret" });
  await expect(secret).toHaveValue(/^whsec_/);
  const shown = await secret.inputValue();
  await page.getByRole("button", { name: "Done" }).click();
  await expect(page.getByTestId("state")).toContainText("On");

  // It is tried, and answers as it likes.
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await expect(page.getByTestId("test-result")).toContainText("It arrived. Your server answered 200");
  expect(calls.some((call) => /^v1,/.test(`${call.headers["webhook-signature"]}`))).toBe(true);
  answer = 500;
  await page.getByLabel("Message").selectOption("session.ended");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await expect(page.getByTestId("test-result")).toContainText("It did not arrive. Your server answered 500");
  answer = 200;

  // A session from sale to end.
  const offer = { additional_seconds: 60, tokens: 2, max_count: 2 };
  const { session, launch_url } = await buy(system, { user: "bob", seconds: 600, tokens: 25, extension: offer });
  const app = await page.context().newPage();
  await app.goto(launch_url);
  await expect(app.getByTestId("session-timer")).toBeVisible();
  // A page that is left sends its last heartbeat, which must arrive before the session is over.
  await app.goto("about:blank");
  await expect.poll(async () => JSON.stringify(await api(system, "GET", `/api/v1/sessions/${session.id}/timeline`))).toContain('"heartbeats"');
  await app.close();
  await api(system, "POST", `/api/v1/sessions/${session.id}/extend`, { additional_seconds: 60, tokens_to_deduct: 2 });
  await api(system, "POST", `/api/v1/sessions/${session.id}/complete`);
  const log = rows(page, "deliveries");
  await expect(async () => {
    await page.getByTestId("deliveries").getByRole("button", { name: "Refresh" }).click();
    await expect(log.filter({ hasText: "session.extended" })).toContainText("Arrived", { timeout: 1_000 });
    await expect(log.filter({ hasText: "session.ended" }).filter({ hasText: "Arrived" })).toHaveCount(1, { timeout: 1_000 });
  }).toPass();
  await look(page, info, "webhook");

  // Its timeline leads to each delivery.
  await open(page, `sessions/${session.id}`);
  const timeline = page.getByTestId("timeline");
  for (const text of ["Tokens set aside", "Entered by its user", "Heartbeats", "More time bought", "Tokens earned", "Webhook session.ended"])
    await expect(timeline).toContainText(text);
  await expect(page.getByTestId("facts")).toContainText("27 tokens");
  await look(page, info, "session");
  await timeline.getByLabel("Show").selectOption("ledger");
  await expect(timeline.locator("li")).toHaveCount(3);
  await timeline.getByLabel("Show").selectOption("delivery");
  await timeline.getByRole("link", { name: "Webhook session.ended" }).click();
  await expect(page.getByLabel("Body", { exact: true })).toContainText(session.id);
  await expect(page.getByLabel("Answer to attempt 1")).toContainText('"taken": true');
  await look(page, info, "delivery");

  // Sent again: the same message, which its receiver can tell.
  const known = calls.find(({ body }) => body.includes('"session.ended"') && body.includes(session.id))?.headers["webhook-id"];
  const same = () => calls.filter(({ headers }) => headers["webhook-id"] === known).length;
  expect(same()).toBe(1);
  await page.getByRole("button", { name: "Send again" }).click();
  await expect.poll(same).toBe(2);
  const before = calls.length;
  await page.getByRole("link", { name: "This webhook" }).click();
  await page.getByRole("button", { name: "Replay a range" }).click();
  await page.getByLabel("Only what failed").uncheck();
  await page.getByRole("button", { name: "Send again" }).click();
  await expect(page.getByTestId("deliveries").getByRole("status").filter({ hasText: "sent again" })).toBeVisible();
  await expect.poll(same).toBe(3);
  await expect.poll(() => calls.length).toBeGreaterThan(before + 2);

  // A new secret is another one, and shown once.
  await page.getByRole("button", { name: "New secret" }).click();
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await expect(secret).toHaveValue(/^whsec_/);
  expect(await secret.inputValue()).not.toBe(shown);
  await page.getByRole("button", { name: "Done" }).click();
  await page.reload();
  expect(await page.content()).not.toContain("whsec_");

  await page.getByRole("button", { name: "Turn off" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Turn off" }).click();
  await expect(page.getByTestId("state")).toContainText("You turned it off.");
  await page.getByRole("button", { name: "Turn on" }).click();
  await expect(page.getByTestId("state")).toContainText("On");
  await open(page, "webhooks");
  await look(page, info, "webhooks");
  await page.getByRole("link", { name: hook }).click();
  await page.getByRole("button", { name: "Delete" }).click();
  await look(page, info, "webhook-delete");
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await expect(page.getByText("No webhooks yet")).toBeVisible();
  // The refusal of ftp: is what a browser reports by itself.
  expect(problems.filter((one) => !/status of 422/.test(one))).toEqual([]);
});

test("health: the domain as it is seen from outside, and what became of each page", async ({ page }, info) => {
  const { launch_url } = await buy(system, { user: "eve", seconds: 600, tokens: 5 });
  const app = await page.context().newPage();
  await app.goto(launch_url);
  await expect(app.getByTestId("session-timer")).toBeVisible();
  await app.close();
  await open(page, "health");
  await page.getByRole("button", { name: "Check now" }).click();
  const gate = page.locator("[data-check=gate]");
  await expect(gate).toContainText("OK");
  await expect(page.locator("[data-check=refusal]")).toContainText("OK");
  // What the gate would do with the app's own page, since nobody gave a session.
  await expect(page.locator("[data-check=injection]")).toContainText("OK");
  await expect(rows(page, "pages").first()).toContainText("Clock added");
  await look(page, info, "health");
  await page.getByLabel("Which pages").selectOption("without");
  await expect(page.getByTestId("pages")).not.toContainText("Clock added");
  expect(problems).toEqual([]);
});

test("settings say what they mean, and keep what is saved", async ({ page }, info) => {
  await open(page, "settings");
  const effects = page.getByTestId("effects");
  await expect(effects).toContainText("pays all 60 tokens");
  await page.getByLabel("What was used").check();
  await expect(effects).toContainText("pays 20 tokens; 40 go back");
  await page.getByLabel("Users may pause the clock").check();
  await page.getByLabel("How often").fill("3");
  await expect(effects).toContainText("pause up to 3 times, for 10 minutes");
  await page.getByLabel("Warn, in minutes").fill("soon");
  const policies = page.getByTestId("policies");
  await policies.getByRole("button", { name: "Save" }).click();
  await expect(policies.getByRole("alert")).toContainText("Warnings are minutes");
  await page.getByLabel("Warn, in minutes").fill("10, 2");
  await policies.getByRole("button", { name: "Save" }).click();
  await expect(policies.getByText("Saved.")).toBeVisible();
  await look(page, info, "settings");
  await page.reload();
  await expect(page.getByLabel("What was used")).toBeChecked();
  await expect(effects).toContainText("warned 10 minutes and 2 minutes");

  const app = page.getByTestId("app");
  await page.getByLabel("Origin").fill("http://127.0.0.1:1/with/a/path");
  await app.getByRole("button", { name: "Save" }).click();
  await expect(app.getByRole("alert")).toContainText("without a path");
  await page.getByLabel("Origin").fill(system.origin);
  await page.getByLabel("Name").fill("Notes for everyone");
  await app.getByRole("button", { name: "Save" }).click();
  await expect(page.getByTestId("whose")).toHaveText("Notes for everyone");
  expect(problems.filter((one) => !/status of 422/.test(one))).toEqual([]);
});

test("a service that is slow, fails or is away is said, and asked again", async ({ page }, info) => {
  const path = "**/api/v1/providers/*/sessions?*";
  let release = () => {};
  const held = new Promise<void>((free) => {
    release = free;
  });
  await page.route(path, async (route) => {
    await held;
    await route.continue();
  });
  await open(page, "sessions");
  await expect(page.getByText("Loading…")).toBeAttached();
  await look(page, info, "loading");
  release();
  await expect(rows(page, "sessions")).toHaveCount(50);
  await page.unroute(path);

  await page.route(path, (route) =>
    route.fulfill({ status: 500, contentType: "application/problem+json", body: '{"title":"Internal","detail":"Internal error."}' }),
  );
  await page.getByLabel("Status").selectOption("expired");
  const alert = page.getByRole("alert");
  await expect(alert).toContainText("Internal error.");
  await look(page, info, "error");
  await page.unroute(path);
  await alert.getByRole("button", { name: "Try again" }).click();
  await expect(rows(page, "sessions")).toHaveCount(50);
  await expect(alert).toHaveCount(0);

  await page.route(path, (route) => route.abort());
  await page.getByLabel("Status").selectOption("completed");
  await expect(page.getByTestId("offline")).toContainText("No connection to the session service.");
  await look(page, info, "offline");
  await page.unroute(path);
  await page.getByRole("alert").getByRole("button", { name: "Try again" }).click();
  await expect(page.getByTestId("offline")).toBeHidden();

  await open(page, "nothing/of/the/kind");
  await expect(page.getByRole("heading", { name: "Page not found" })).toBeVisible();
  await open(page, "sessions/0198c5d2-7b51-7c3e-9a55-0d6a6f0c8e11");
  await expect(page.getByText("There is no session with this id among yours.")).toBeVisible();
});

test("a page is reached by keyboard, kept by its address, and closed to whoever signs out", async ({ page }) => {
  const skip = page.getByRole("link", { name: "Skip to content" });
  await expect(skip).not.toBeInViewport();
  await skip.focus();
  await expect(skip).toBeInViewport();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/#main$/);
  await page.getByRole("link", { name: "Health" }).focus();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/dashboard\/health$/);
  await expect(page.getByRole("heading", { name: "Health", level: 1 })).toBeFocused();
  await expect(page).toHaveTitle("Health · Sessiongate");
  await expect(page.getByRole("link", { name: "Health" })).toHaveAttribute("aria-current", "page");
  await page.goBack();
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();

  await page.emulateMedia({ forcedColors: "active", reducedMotion: "reduce" });
  await expect(page.getByTestId("card-active")).toBeVisible();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(`${system.api}/auth/`);
  await page.goto(`${system.api}/dashboard/sessions?status=expired`);
  await page.waitForURL(`${system.api}/auth/?to=*`);
  expect(new URL(page.url()).searchParams.get("to")).toBe("/dashboard/sessions?status=expired");
  expect(problems.filter((one) => !/status of 401/.test(one))).toEqual([]);
});
