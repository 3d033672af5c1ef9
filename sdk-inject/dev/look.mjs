// Takes pictures of every state of the interface: npm run build && npm run look -- [folder]
import { mkdirSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { createGate } from "./server.mjs";

const folder = process.argv[2] ?? "/tmp/w";
const only = process.argv[3];
mkdirSync(folder, { recursive: true });
const gate = createGate();
setTimeout(() => process.exit(1), 600_000).unref();
const server = createServer(gate.listener).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const base = `http://127.0.0.1:${server.address().port}`;

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: [
    ..."--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking".split(" "),
    ..."--disable-component-update --disable-sync".split(" "),
  ],
});

const chip = (page) => page.getByTestId("session-timer");
const click = (page, id) => page.getByTestId(id).click();
const ready = (page, id) => page.getByTestId(id).waitFor({ state: "visible", timeout: 6000 });
const shots = {
  timer: ["seconds=582", (page) => ready(page, "session-timer")],
  warn: ["seconds=200&warn=60", (page) => ready(page, "session-timer")],
  panel: [
    "seconds=582&pause=1",
    async (page) => {
      await chip(page).click();
      await ready(page, "session-panel");
    },
  ],
  dialog: ["seconds=290", (page) => ready(page, "session-warning")],
  last: ["seconds=42&offer=off", (page) => ready(page, "session-warning")],
  confirm: [
    "seconds=290",
    async (page) => {
      await ready(page, "session-warning");
      await click(page, "end-session");
      await ready(page, "confirm-end-session");
      await page.waitForTimeout(500);
    },
  ],
  consent: [
    "seconds=290&offer=consent",
    async (page) => {
      await ready(page, "session-warning");
      await page.waitForTimeout(800);
      await click(page, "extend-session");
      await page.getByRole("alert").getByRole("link").waitFor();
    },
  ],
  extended: [
    "seconds=290",
    async (page) => {
      await ready(page, "session-warning");
      await page.waitForTimeout(800);
      await click(page, "extend-session");
      await page.getByTestId("session-warning").waitFor({ state: "hidden" });
    },
  ],
  paused: ["seconds=400&status=paused&pause=1", (page) => ready(page, "session-paused")],
  ended: ["seconds=2&total=600", (page) => ready(page, "session-ended")],
  bare: ["seconds=1&back=off", (page) => ready(page, "session-ended")],
  hostile: ["seconds=290&hostile=1", (page) => ready(page, "session-warning")],
  strict: ["seconds=290&csp=strict", (page) => ready(page, "session-warning")],
  nonce: ["seconds=290&csp=nonce", (page) => ready(page, "session-warning")],
  de: [
    "seconds=290&lang=de",
    async (page) => {
      await ready(page, "session-warning");
    },
  ],
  ja: [
    "seconds=582&lang=ja&pause=1",
    async (page) => {
      await chip(page).click();
      await ready(page, "session-panel");
    },
  ],
  ar: ["seconds=290&lang=ar&rtl=1", (page) => ready(page, "session-warning")],
  arend: ["seconds=2&total=600&lang=ar&rtl=1", (page) => ready(page, "session-ended")],
  arpaused: ["seconds=400&status=paused&lang=ar&rtl=1", (page) => ready(page, "session-paused")],
  forced: [
    "seconds=290",
    async (page) => {
      await page.emulateMedia({ forcedColors: "active" });
      await ready(page, "session-warning");
    },
  ],
  forcedtimer: [
    "seconds=582",
    async (page) => {
      await page.emulateMedia({ forcedColors: "active" });
      await ready(page, "session-timer");
    },
  ],
  bar: [
    `seconds=582&body=${encodeURIComponent(
      '<div style="position:fixed;bottom:0;left:0;right:0;height:56px;display:flex;background:#ccc"><button style="flex:1">Back</button><button style="flex:1">Next</button></div>',
    )}`,
    (page) => ready(page, "session-timer"),
  ],
  stay: ["seconds=2&total=600&back=off", (page) => ready(page, "stay-on-page")],
  full: [
    "seconds=400",
    async (page) => {
      await ready(page, "session-timer");
      await page.evaluate(() => {
        document.querySelector("#own").onclick = () => document.querySelector("main").requestFullscreen();
      });
      await page.click("#own");
      await chip(page).click();
      await ready(page, "session-panel");
    },
  ],
  rtl: ["seconds=582&rtl=1", (page) => ready(page, "session-timer")],
};
const sizes = {
  desktop: { width: 1100, height: 720 },
  phone: { width: 390, height: 760 },
  narrow: { width: 320, height: 568 },
  lying: { width: 667, height: 320 },
};

for (const [device, viewport] of Object.entries(sizes))
  for (const colorScheme of ["light", "dark"])
    for (const [name, [query, act]] of Object.entries(shots)) {
      if (only && !only.split(",").includes(name)) continue;
      const page = await browser.newPage({ viewport, colorScheme, reducedMotion: "reduce" });
      page.on("console", (message) => message.type() === "error" && console.log(name, message.text()));
      page.on("pageerror", (error) => console.log(name, error.message));
      try {
        await page.goto(`${base}/?${query}`);
        await act(page);
        await page.waitForTimeout(150);
        await page.screenshot({ path: join(folder, `sdk-${name}-${device}-${colorScheme}.png`) });
      } catch (error) {
        console.log("FAILED", name, device, colorScheme, error.message.split("\n")[0]);
      }
      await page.close();
    }
await browser.close();
server.close();
