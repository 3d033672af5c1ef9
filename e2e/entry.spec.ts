import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type BrowserContext, devices, expect, type Page, test } from "@playwright/test";
import { violations } from "./dashboard.ts";
import { api, buy, eventually, read, start, type System } from "./system.ts";

// How a session is entered again by its owner, and by nobody else: a link that meets another
// session, a session that is opened in another browser, cookies that the app pushes out.

let system: System;
test.beforeAll(async () => {
  system = await start();
});
test.afterAll(() => system?.stop());

/** The session that the page is in. */
const shown = (page: Page) =>
  page.evaluate(() =>
    fetch("/.session-gate/session", { method: "POST" })
      .then((r) => r.json())
      .then((answer) => answer.session?.id ?? answer.code),
  );

test("a link that meets another session asks, and both go on", async ({ page }) => {
  const mine = await buy(system, { user: "ask-mine", seconds: 5000, tokens: 10 });
  const theirs = await buy(system, { user: "ask-theirs", seconds: 600, tokens: 1, clock: "launch" });
  await page.goto(mine.launch_url);
  await page.goto(theirs.launch_url);
  await expect(page.getByTestId("session-refused")).toContainText("It has 1 h 2"); // and some minutes
  await page.reload();
  await expect(page.getByRole("heading")).toHaveText("You have another session here");
  expect((await read(system, theirs.session.id)).status).toBe("pending");

  await page.getByRole("link", { name: "Stay in this session" }).click();
  await page.waitForURL(`${system.app}/`);
  expect(await shown(page)).toBe(mine.session.id);

  await page.goto(theirs.launch_url);
  await page.getByRole("button", { name: "Open the new session" }).click();
  await page.waitForURL(`${system.app}/`);
  expect(await shown(page)).toBe(theirs.session.id);
  expect((await read(system, mine.session.id)).status).toBe("active");
  // Back and reload ask nothing again, and end nothing.
  await page.reload();
  expect(await shown(page)).toBe(theirs.session.id);
  // Its end leads back to the other one.
  await api(system, "POST", `/api/v1/sessions/${theirs.session.id}/complete`, {});
  await expect.poll(async () => (await page.goto(`${system.app}/`).catch(() => null))?.status()).toBe(200);
  expect(await shown(page)).toBe(mine.session.id);
});

test("a page of another site cannot answer for the person, in a frame or by a form", async ({ page }) => {
  const mine = await buy(system, { user: "frame-mine", seconds: 600, tokens: 1 });
  const [framed, sent] = [
    await buy(system, { user: "frame-theirs", seconds: 600, tokens: 1 }),
    await buy(system, { user: "frame-theirs", seconds: 600, tokens: 1, clock: "launch" }),
  ];
  await page.goto(mine.launch_url);
  const act = new URL(mine.launch_url).origin;
  const other = createServer((_, response) => {
    response.setHeader("Content-Type", "text/html");
    response.end(`<iframe src="${framed.launch_url}"></iframe><form method="post" action="${act}/.session-gate/enter">
      <input name="to" value="/?${new URL(sent.launch_url).searchParams}"><button>go</button></form>`);
  });
  await new Promise<void>((ready) => other.listen(0, "127.0.0.1", ready));
  // Another site than the app's, which is at an address.
  await page.goto(`http://localhost:${(other.address() as AddressInfo).port}/`);
  const frame = page.frameLocator("iframe");
  await expect(frame.locator("h1")).toBeVisible();
  await expect(frame.locator("form")).toHaveCount(0);
  await page.getByRole("button", { name: "go" }).click();
  await page.waitForURL(/session-gate\/enter/);
  await expect(page.locator("body")).toContainText("cross_site");
  // A browser that keeps cookies from frames of other sites lets the link enter there, and nothing of this site changes.
  await page.goto(`${system.app}/`);
  expect(await shown(page)).toBe(mine.session.id);
  expect((await read(system, sent.session.id)).status).toBe("pending");
  other.closeAllConnections();
  other.close();
});

const { defaultBrowserType: _, ...phone } = devices["iPhone 13"];
const looks: [name: string, settings: object][] = [
  ["light", { colorScheme: "light" }],
  ["dark, on a phone, without JavaScript", { ...phone, colorScheme: "dark", javaScriptEnabled: false }],
];
for (const [name, settings] of looks)
  for (const [locale, words] of Object.entries({
    en: "Open the new session",
    de: "Neue Sitzung öffnen",
    fr: "Ouvrir la nouvelle session",
    es: "Abrir la sesión nueva",
    pt: "Abrir a nova sessão",
    ar: "فتح الجلسة الجديدة",
  }))
    test(`the question, ${name}, in ${locale}`, async ({ browser }, info) => {
      const context = await browser.newContext({ ...settings, locale });
      try {
        const page = await context.newPage();
        const mine = await buy(system, { user: `look-${locale}`, seconds: 2500, tokens: 1 });
        const other = await buy(system, { user: `look-${locale}`, seconds: 600, tokens: 1 });
        await page.goto(mine.launch_url);
        await page.goto(other.launch_url);
        await expect(page.getByRole("button", { name: words })).toBeVisible();
        await expect(page.locator("main")).not.toContainText("{left}");
        expect(await page.locator("html").getAttribute("dir")).toBe(locale === "ar" ? "rtl" : "ltr");
        const { width } = page.viewportSize() ?? { width: 0 };
        const box = await page.locator("main").boundingBox();
        expect(box && box.x + box.width).toBeLessThanOrEqual(width);
        await page.screenshot({ path: info.outputPath("question.png"), fullPage: true });
        if (!("javaScriptEnabled" in settings)) {
          expect(await violations(page)).toEqual([]);
        }
        await page.getByRole("button", { name: words }).click();
        await page.waitForURL(`${system.app}/`);
        expect((await context.request.post(`${system.app}/.session-gate/session`, { headers: { Origin: new URL(system.app).origin } })).ok()).toBe(true);
      } finally {
        await context.close();
      }
    });

test("an app that sets hundreds of cookies does not push the session out", async ({ page }) => {
  const sold = await buy(system, { user: "cookies", seconds: 600, tokens: 1 });
  await page.goto(sold.launch_url);
  await page.evaluate(() => {
    for (let i = 0; i < 460; i++) document.cookie = `app${i}=${i}; Path=/; Max-Age=86400`;
  });
  expect((await page.goto(`${system.app}/`))?.status()).toBe(200);
  expect(await shown(page)).toBe(sold.session.id);
});

/** Buys in the demo marketplace and enters the app. Returns the session's page there. */
async function enterByShop(context: BrowserContext): Promise<{ page: Page; id: string }> {
  const page = await context.newPage();
  await page.goto(`${system.marketplace}/apps/${system.provider_id}?plan=1`);
  await page.locator("[data-testid=buy]:visible").click();
  await page.waitForURL(`${system.app}/`);
  return { page, id: await shown(page) };
}

test("a user who lost the cookie opens the session again from its page in the marketplace", async ({ browser }) => {
  const context = await browser.newContext();
  try {
    const { page, id } = await enterByShop(context);
    const before = await read(system, id);
    const cookies = (await context.cookies(system.app)).filter(({ name }) => name.includes("session_gate"));
    expect(cookies.length).toBeGreaterThan(0);
    for (const { name } of cookies) await context.clearCookies({ name });
    expect((await page.goto(`${system.app}/`))?.status()).toBe(401);
    await page.goto(`${system.marketplace}/session/complete?session_id=${id}`);
    await page.getByTestId("open-again").click();
    await page.getByTestId("open-again-confirm").click();
    await page.waitForURL(`${system.app}/`);
    expect(await shown(page)).toBe(id);
    expect((await read(system, id)).expires_at).toBe(before.expires_at);
    // The cookie of before, on a device that was lost, opens nothing.
    const lost = await browser.newContext();
    await lost.addCookies(cookies);
    const there = await lost.newPage();
    await eventually(
      async () => (await there.goto(`${system.app}/`))?.status() === 401,
      () => "the old cookie still opens the app",
    );
    await expect(there.getByTestId("session-refused")).toContainText("opened elsewhere");
    await lost.close();
  } finally {
    await context.close();
  }
});
