import { expect, test } from "vitest";
import type { SessionSite } from "../../src/protocol";
import { PAGE_LIMIT_MS, useBrowser, violations } from "./page";

// What a provider decides about its clock, as it comes with the session's answer.

const b = useBrowser();
const soon = { timeout: PAGE_LIMIT_MS };

const chip = () => b.page.getByTestId("session-timer");
const query = (site: unknown) => `site=${encodeURIComponent(JSON.stringify(site))}`;
const open = (site: unknown, more = "seconds=580") => b.open(`${more}&${query(site)}`);
const settings: SessionSite = {
  app_name: "Acme Studio",
  support_url: "https://acme.example/help",
  accent: "#ffcc00",
  clock: {
    position: "top-left",
    texts: { en: { warning: "Export your drawing.", ended: "See you soon." } },
  },
};

/** The corner in which the clock is. */
async function corner(): Promise<string> {
  const { x, y, width, height } = await b.box("session-timer");
  const view = b.page.viewportSize() ?? { width: 0, height: 0 };
  return `${y + height / 2 < view.height / 2 ? "top" : "bottom"}-${x + width / 2 < view.width / 2 ? "left" : "right"}`;
}

test.each([
  ["bottom-right", "ltr", "bottom-right"],
  ["bottom-left", "ltr", "bottom-left"],
  ["top-right", "ltr", "top-right"],
  ["top-left", "ltr", "top-left"],
  ["bottom-right", "rtl", "bottom-left"],
  ["top-left", "rtl", "top-right"],
])("the clock is %s in a page of %s: %s", async (position, direction, want) => {
  await open({ clock: { position } }, `seconds=580${direction === "rtl" ? "&rtl=1" : ""}`);
  await chip().waitFor();
  expect(await corner()).toBe(want);
});

test("the clock is first shown in its place", async () => {
  // Each frame in which the clock has a box notes its corner.
  await b.page.addInitScript(() => {
    const seen = new Set<string>();
    Object.assign(window, { seen });
    const look = () => {
      const box = document
        .querySelector("session-gate")
        ?.shadowRoot?.querySelector(".chip")
        ?.getBoundingClientRect();
      if (box?.width)
        seen.add(
          `${box.y < innerHeight / 2 ? "top" : "bottom"}-${box.x < innerWidth / 2 ? "left" : "right"}`,
        );
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
  await open(settings);
  await chip().waitFor();
  await b.page.waitForTimeout(500);
  expect(await b.page.evaluate(() => [...(Reflect.get(window, "seen") as Set<string>)])).toEqual([
    "top-left",
  ]);
});

test("the user's own place and size win over the provider's", async () => {
  await open({ clock: { position: "top-left", collapsed: true } });
  await chip().waitFor();
  expect(await chip().locator("b").isVisible()).toBe(false);
  await chip().click();
  await b.page.getByTestId("collapse-timer").click();
  await b.page.getByTestId("move-timer").click();
  await expect.poll(corner, soon).toBe("top-right");
  await b.page.getByTestId("close-session-dialog").click();
  await b.open("keep=1");
  await chip().locator("b").waitFor();
  expect(await corner()).toBe("top-right");
});

test("a changed setting shows at the next answer, and a withdrawn one goes", async () => {
  await b.open("seconds=580");
  await chip().waitFor();
  expect(await corner()).toBe("bottom-right");
  b.gate.setSite(settings);
  await b.lookAgain();
  await expect.poll(corner, soon).toBe("top-left");
  b.gate.setSite({ clock: { position: "bottom-left" } });
  await b.lookAgain();
  await expect.poll(corner, soon).toBe("bottom-left");
  b.gate.setSite(undefined);
  await b.lookAgain();
  await expect.poll(corner, soon).toBe("bottom-right");
});

test("a hidden clock still warns, extends and ends", async () => {
  await open({ clock: { hidden: true } }, "seconds=302");
  await b.page.getByTestId("session-warning").waitFor();
  expect(await chip().isVisible()).toBe(false);
  await b.page.getByTestId("extend-session").click();
  await b.page.getByTestId("session-warning").waitFor({ state: "hidden" });
  expect(await chip().isVisible()).toBe(false);
  b.gate.change({ expires_at: Math.floor(Date.now() / 1000) + 200 });
  await b.lookAgain();
  await b.page.getByTestId("session-warning").waitFor();
  await b.keysRest();
  await b.page.keyboard.press("Escape");
  await b.page.getByTestId("session-warning").waitFor({ state: "hidden" });
  b.gate.change({ status: "completed" });
  await b.lookAgain();
  await b.page.getByTestId("session-ended").waitFor();
});

test("a hidden clock is shown while it stands still", async () => {
  await open({ clock: { hidden: true } }, "seconds=400&status=paused");
  await b.page.getByTestId("session-paused").waitFor();
  await b.keysRest();
  await b.page.keyboard.press("Escape");
  await chip().waitFor();
  await chip().click();
  await b.page.getByTestId("resume-session").click();
  await b.page.getByTestId("session-paused").waitFor({ state: "hidden" });
  // The focus was in it; it goes when the focus has gone.
  await b.page.getByLabel("Your note").focus();
  await chip().waitFor({ state: "hidden" });
});

test.each([
  ["en", { en: { warning: "Export it." } }, "Export it."],
  ["pt-BR", { pt: { warning: "Base." }, "pt-BR": { warning: "Exact." } }, "Exact."],
  ["de-AT", { de: { warning: "Exportieren." } }, "Exportieren."],
  ["nl", { nl: { warning: "Exporteer." }, en: { warning: "no" } }, "Exporteer."],
  ["en", { de: { warning: "Nein." } }, "Save your work."],
  ["en", { en: { warning: "", ended: "x" } }, "Save your work."],
  ["en", { en: { warning: "<b>bold</b>" } }, "<b>bold</b>"],
])("in a page of %s the warning says what %j has for it", async (lang, texts, want) => {
  await open({ clock: { texts } }, `seconds=290&lang=${lang}`);
  const warning = b.page.getByTestId("session-warning");
  await warning.waitFor();
  expect(await warning.locator("#text").textContent()).toBe(want);
});

test("name, text and support are in the warning, the panel and the end", async () => {
  await b.hold([1000, 1000]);
  await open(settings, "seconds=290");
  const warning = b.page.getByRole("dialog", { name: "Acme Studio Your session ends soon" });
  await warning.waitFor();
  await b.page.getByTestId("close-session-dialog").click();
  await chip().click();
  const link = b.page.getByTestId("support-link");
  await link.waitFor();
  expect(await link.evaluate(({ href, target, rel }: HTMLAnchorElement) => [href, target, rel])).toEqual([
    "https://acme.example/help",
    "_blank",
    "noreferrer",
  ]);
  await b.page.getByTestId("close-session-dialog").click();
  b.gate.change({ status: "completed" });
  await b.lookAgain();
  const end = b.page.getByTestId("session-ended");
  await end.waitFor();
  expect(await end.textContent()).toContain("See you soon.");
  expect(await end.getByTestId("support-link").isVisible()).toBe(true);
});

test.each([
  ["test", "Test", true],
  ["preview", "Preview", true],
  ["staff", "Staff", false],
])("a session of mode %s has the badge %s", async (mode, word, time) => {
  await b.open(`seconds=580&mode=${mode}`);
  await chip().waitFor();
  expect(await b.page.getByTestId("session-mode").textContent()).toBe(word);
  expect(await chip().locator("b").isVisible()).toBe(time);
  await b.page.getByRole("timer", { name: `Session time left (${word})` }).waitFor();
  await b.page.getByRole("button", { name: `Session options (${word})` }).waitFor();
  expect(await violations(b.page)).toEqual([]);
});

test.each(["live", "x", 7, null, { toString: "test" }])("a session of mode %j has no badge", async (mode) => {
  await b.open("seconds=580");
  await b.page.getByTestId("session-timer").waitFor();
  b.gate.setSite({ clock: { position: "top-left" } }); // seen once the settings' script has the answer
  b.gate.change({ mode });
  await b.lookAgain();
  await expect.poll(corner, soon).toBe("top-left");
  expect(await b.page.getByTestId("session-mode").count()).toBe(0);
});

for (const colorScheme of ["light", "dark"] as const)
  test.each(["#ffcc00", "#0f6b5c", "#000000", "#ffffff", "#777777", "#ff0000"])(
    `the accent %s can be read, ${colorScheme}`,
    async (accent) => {
      await b.page.emulateMedia({ colorScheme });
      await open({ ...settings, accent }, "seconds=290&csp=strict");
      await b.page.getByTestId("session-warning").waitFor();
      const background = await b.page
        .getByTestId("extend-session")
        .evaluate((element) => getComputedStyle(element).backgroundColor);
      const part = (at: number) => Number.parseInt(accent.slice(at, at + 2), 16);
      expect(background).toBe(`rgb(${part(1)}, ${part(3)}, ${part(5)})`);
      await b.keysRest();
      // A strict page would not run axe.
      await b.page.goto("about:blank");
      await open({ ...settings, accent }, "seconds=290");
      await b.page.getByTestId("session-warning").waitFor();
      await b.keysRest();
      expect(await violations(b.page)).toEqual([]);
      expect(b.errors).toEqual([]);
    },
  );

const long = "x".repeat(10_000);
test.each<[string, unknown]>([
  ["a text", "x"],
  ["a number", 7],
  ["a list", [1]],
  ["a clock of null", { clock: null, app_name: null, accent: null }],
  ["a clock that is a text", { clock: "top-left" }],
  ["a place that ends a declaration", { clock: { position: "top-left;}" } }],
  ["places that are none", { clock: { position: ["top-left"], hidden: "true", collapsed: 1, texts: [7] } }],
  ["an accent that ends a rule", { accent: "red;}" }],
  ["an accent with more", { accent: "#ffcc00}.root{display:none" }],
  ["texts of 10 kB", { app_name: long, clock: { texts: { en: { warning: long } } } }],
  ["texts that are none", { app_name: {}, clock: { texts: { en: { warning: { a: 1 } } } } }],
  ["languages that are none", { clock: { texts: { constructor: {}, ["__proto__"]: null, en: null } } }],
  ["a link that is a script", { support_url: "javascript:alert(1)" }],
  ["a link that is data", { support_url: "data:text/html,x" }],
])("a broken gate's site changes nothing: %s", async (_, site) => {
  await open(site, "seconds=290");
  const warning = b.page.getByTestId("session-warning");
  await warning.waitFor();
  expect(await warning.locator("h2").textContent()).toBe("Your session ends soon");
  expect(await warning.locator("#text").textContent()).toBe("Save your work.");
  await b.page.getByTestId("close-session-dialog").click();
  expect(await corner()).toBe("bottom-right");
  expect(await chip().locator("b").isVisible()).toBe(true);
  await chip().click();
  await b.page.getByTestId("session-panel").waitFor();
  expect(await b.page.getByTestId("support-link").count()).toBe(0);
  const accent = await b.page
    .getByTestId("extend-session")
    .evaluate((one) => getComputedStyle(one).backgroundColor);
  expect(accent).toBe("rgb(15, 107, 92)");
  expect(b.errors).toEqual([]);
});

test("without site.js the clock shows itself as it is built in", async () => {
  await b.context.route(/__SITE__/, (route) => route.abort());
  await open(settings);
  await chip().waitFor();
  expect(await corner()).toBe("bottom-right");
});

test("a page without settings does not load them", async () => {
  const asked: string[] = [];
  b.page.on("request", (request) => asked.push(request.url()));
  await b.open("seconds=580&mode=live");
  await chip().waitFor();
  await b.clockIsRight();
  expect(asked.filter((url) => url.includes("__SITE__"))).toEqual([]);
});

test("a phone and forced colors show the badge and the name", async () => {
  await b.phone();
  await b.page.emulateMedia({ forcedColors: "active" });
  await b.open(`seconds=290&mode=test&${query({ ...settings, app_name: "N".repeat(300) })}`);
  await b.page.getByTestId("session-warning").waitFor();
  const { x, width } = await b.box("session-warning");
  expect(x).toBeGreaterThanOrEqual(0);
  expect(x + width).toBeLessThanOrEqual(390);
  const name = await b.page.getByTestId("session-warning").locator("small").boundingBox();
  expect(name?.height).toBeLessThan(60);
  await b.page.getByTestId("close-session-dialog").click();
  expect(await b.page.getByTestId("session-mode").isVisible()).toBe(true);
});

test("while the app cannot be used, the paused screen has no button to resume", async () => {
  await b.open("seconds=400");
  await chip().waitFor();
  b.gate.change({ status: "paused", paused_at: Math.floor(Date.now() / 1000), standstill: "maintenance" });
  await b.lookAgain();
  await b.page.getByTestId("session-paused").waitFor();
  expect(await b.page.getByTestId("resume-session").count()).toBe(0);
  expect(await violations(b.page)).toEqual([]);
  b.gate.change({ status: "active", paused_at: undefined, standstill: undefined });
  await b.lookAgain();
  await b.page.getByTestId("session-paused").waitFor({ state: "hidden" });
});
