import { expect, test } from "vitest";
import { PAGE_LIMIT_MS, useBrowser } from "./page";

// What an old browser, an add-on or a user's settings took away, and what a page says about
// addresses. The clock runs all the same, and its calls go to the page's own gate.

const b = useBrowser();

const gone: [string, () => void][] = [
  ["navigator.sendBeacon", () => Reflect.deleteProperty(Navigator.prototype, "sendBeacon")],
  ["navigator.locks", () => Reflect.deleteProperty(Navigator.prototype, "locks")],
  ["navigator.languages", () => Reflect.deleteProperty(Navigator.prototype, "languages")],
  ["navigator.language", () => Reflect.deleteProperty(Navigator.prototype, "language")],
  ["BroadcastChannel", () => Reflect.deleteProperty(window, "BroadcastChannel")],
  ["AbortSignal.timeout", () => Reflect.deleteProperty(AbortSignal, "timeout")],
  [
    "popovers",
    () => {
      for (const name of ["popover", "showPopover", "hidePopover"])
        Reflect.deleteProperty(HTMLElement.prototype, name);
    },
  ],
  [
    "storage, locks and channels, because cookies are blocked",
    () => {
      const refuse = () => {
        throw new DOMException("blocked", "SecurityError");
      };
      for (const name of ["localStorage", "sessionStorage"])
        Object.defineProperty(window, name, { get: refuse });
      Object.assign(window, { BroadcastChannel: refuse });
      LockManager.prototype.request = () => Promise.reject(new DOMException("blocked", "SecurityError"));
    },
  ],
];

test.each(gone)("without %s the clock runs, warns and leaves", async (_, act) => {
  await b.page.addInitScript(act);
  await b.open("seconds=290");
  await b.page.getByTestId("session-warning").waitFor();
  await b.page.getByTestId("extend-session").click();
  await b.page.getByTestId("session-warning").waitFor({ state: "hidden" });
  await b.clockIsRight();
  await b.page.goto(`${b.base}/receipt`);
  const last = () =>
    b.gate.calls.some(({ name, body }) => name === "heartbeat" && !(body as { active: boolean }).active);
  await expect.poll(last, { timeout: PAGE_LIMIT_MS }).toBe(true);
  expect(b.errors).toEqual([]);
});

test("where cookies are blocked, heartbeats go on and the connection counts as good", async () => {
  await b.page.addInitScript(gone.at(-1)?.[1] ?? (() => {}));
  // A heartbeat comes every half minute: at once, here.
  await b.page.addInitScript(() => {
    const plain = window.setTimeout;
    window.setTimeout = ((run: () => void, ms = 0) =>
      plain(run, ms > 26_000 && ms < 34_000 ? 300 : ms)) as typeof plain;
  });
  await b.open("seconds=580");
  const beats = () => b.gate.calls.filter(({ name }) => name === "heartbeat").length;
  await expect.poll(beats, { timeout: PAGE_LIMIT_MS }).toBeGreaterThan(0);
  await b.page.waitForTimeout(1_000);
  expect(await b.page.getByTestId("session-timer").textContent()).not.toContain("Reconnecting");
});

const bases = [
  "http://127.0.0.1:1/",
  "https://cdn.example/assets/",
  "/deep/er/",
  "//other.example",
  "data:,",
];

test.each(bases)("<base href=%s> does not lead calls or files away", async (href) => {
  const asked: string[] = [];
  b.page.on("request", (request) => asked.push(request.url()));
  await b.open(`seconds=290&head=${encodeURIComponent(`<base href="${href}">`)}`);
  await b.page.getByTestId("session-warning").waitFor();
  await b.page.getByTestId("extend-session").click();
  await b.page.getByTestId("session-warning").waitFor({ state: "hidden" });
  const ours = asked.filter((url) => url.includes("session-gate"));
  expect(ours.length).toBeGreaterThan(4);
  expect(ours.filter((url) => !url.startsWith(b.base))).toEqual([]);
});

test("a page that sets its base by script, and one that writes the variable origin", async () => {
  const script = `var origin="https://other.example";document.head.append(Object.assign(document.createElement("base"),{href:"https://other.example/"}))`;
  await b.open(`seconds=290&head=${encodeURIComponent(`<script>${script}</script>`)}`);
  await b.page.getByTestId("extend-session").click();
  await b.page.getByTestId("session-warning").waitFor({ state: "hidden" });
});

test("a page whose address holds a name and a password", async () => {
  await b.page.goto(`${b.base.replace("//", "//ada:secret@")}/?seconds=400`);
  await b.page.getByTestId("session-timer").waitFor();
  await b.clockIsRight();
});

test.each(["30 days", "a date in a year", "a negative number"])(
  "a Retry-After of %s is no flood",
  async (kind) => {
    const value = {
      "30 days": "2592000",
      "a date in a year": new Date(Date.now() + 365 * 86_400_000).toUTCString(),
      "a negative number": "-5",
    }[kind];
    const beats: number[] = [];
    await b.page.route("**/.session-gate/heartbeat", (route) => {
      beats.push(performance.now());
      return route.fulfill({ status: 503, headers: { "Retry-After": value ?? "" }, body: "maintenance" });
    });
    await b.page.addInitScript(() => {
      const plain = window.setTimeout;
      window.setTimeout = ((run: () => void, ms = 0) =>
        plain(run, ms > 26_000 && ms < 34_000 ? 300 : ms)) as typeof plain;
    });
    await b.open("seconds=580");
    await expect.poll(() => beats.length, { timeout: PAGE_LIMIT_MS }).toBeGreaterThan(0);
    await b.page.waitForTimeout(3_000);
    // At most one a second, however long a busy machine took for the three.
    const ms = performance.now() - (beats[0] ?? 0);
    expect(beats.length).toBeLessThanOrEqual(1 + ms / 1000);
  },
);

test("filling in a form asks the gate nothing", async () => {
  await b.open(`seconds=580&body=${encodeURIComponent("<input><input><input><input><input>".repeat(4))}`);
  await b.page.getByTestId("session-timer").waitFor();
  await b.page.waitForTimeout(2_100);
  const asked: string[] = [];
  b.page.on("request", (request) => asked.push(request.url()));
  await b.page.locator("input").first().focus();
  for (let i = 0; i < 4; i++) {
    await b.page.waitForTimeout(2_100);
    await b.page.keyboard.press("Tab");
  }
  expect(asked.filter((url) => !url.endsWith("/heartbeat"))).toEqual([]);
});
