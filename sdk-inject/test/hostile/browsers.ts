import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Browser, chromium, firefox } from "playwright-core";
import { until } from "../fake";

/** What a test needs of a browser, whichever it is. */
export interface Page {
  goto(url: string): Promise<void>;
  /** Runs in the page; what it returns must be JSON. */
  run<T>(script: () => T): Promise<Awaited<T>>;
  /** A real click, as of a person. */
  click(selector: string): Promise<void>;
  /** Keys into a field. */
  type(selector: string, text: string): Promise<void>;
  /** A picture of what is seen, as PNG. */
  picture(): Promise<Buffer>;
  /** Until it is true in the page. */
  until(script: () => unknown): Promise<void>;
  /** What the page's console said was wrong, where the engine tells. */
  errors: string[];
}

export interface Engine {
  page(): Promise<Page>;
  stop(): Promise<void>;
}

const poll = (check: () => Promise<unknown>, what: string) =>
  until(() => check().catch(() => false), `in the page: ${what}`, 60_000);

/** The hash of the style that Playwright tries to add to a page before it takes a picture: `body {}`. */
const PICTURE_STYLE = "sha256-YjaKGiklmzC6wjXA513HAMmzus8VE61XCOT+SmwNZWA=";

async function playwright(launch: () => Promise<Browser>): Promise<Engine> {
  const browser = await launch();
  return {
    async page() {
      const page = await (await browser.newContext()).newPage();
      const errors: string[] = [];
      // Firefox reports here what a page's own policy keeps out.
      page.on("pageerror", ({ message }) => {
        if (!/favicon|Same Origin Policy/.test(message) && !message.includes(PICTURE_STYLE))
          errors.push(message);
      });
      return {
        errors,
        click: (selector) => page.click(selector),
        type: (selector, text) => page.locator(selector).pressSequentially(text),
        picture: () => page.screenshot(),
        goto: async (url) => void (await page.goto(url)),
        run: <T>(script: () => T) => page.evaluate(script) as Promise<Awaited<T>>,
        until: (script) => poll(() => page.evaluate(script), `${script}`),
      };
    },
    stop: () => browser.close(),
  };
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

type Call = (method: string, path: string, body?: object) => Promise<never>;

/** A WebDriver on a screen of its own. Screens and ports are found by trying: another may have been faster. */
async function webDriver(): Promise<{ driver: ChildProcess; call: Call }> {
  for (let tries = 1; ; tries++) {
    const port = await freePort();
    const driver = spawn("xvfb-run", ["-a", "WebKitWebDriver", `--port=${port}`], {
      env: { ...process.env, LANG: "en_US.UTF-8" },
      stdio: "ignore",
      detached: true,
    });
    const call: Call = async (method, path, body) => {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        ...(body && { body: JSON.stringify(body) }),
      });
      const { value } = (await answer.json()) as { value: never };
      if (!answer.ok) throw new Error(JSON.stringify(value));
      return value;
    };
    try {
      let ended = false;
      driver.once("exit", () => {
        ended = true;
      });
      await poll(async () => ended || (await call("GET", "/status")), "WebKitWebDriver answers");
      if (ended) throw new Error("WebKitWebDriver has ended");
      return { driver, call };
    } catch (error) {
      try {
        if (driver.pid) process.kill(-driver.pid);
      } catch {} // it has ended by itself
      if (tries === 3) throw error;
    }
  }
}

/** WebKitGTK's MiniBrowser by WebDriver. */
async function webkit(): Promise<Engine> {
  const { driver, call } = await webDriver();
  const options = { binary: "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser", args: ["--automation"] };
  const found = ["webkit2gtk-4.1", "webkit2gtk-4.0", "webkitgtk-6.0"]
    .map((folder) => `/usr/lib/x86_64-linux-gnu/${folder}/MiniBrowser`)
    .find(existsSync);
  if (found) options.binary = found;
  const { sessionId }: { sessionId: string } = await call("POST", "/session", {
    capabilities: { alwaysMatch: { "webkitgtk:browserOptions": options } },
  });
  const root = `/session/${sessionId}`;
  const run = (script: () => unknown) =>
    call("POST", `${root}/execute/sync`, { script: `return (${script})()`, args: [] });
  const at = async (selector: string): Promise<string> => {
    const found: Record<string, string> = await call("POST", `${root}/element`, {
      using: "css selector",
      value: selector,
    });
    return `${root}/element/${Object.values(found)[0]}`;
  };
  return {
    page: async () => ({
      errors: [],
      goto: (url) => call("POST", `${root}/url`, { url }),
      run,
      click: async (selector) => call("POST", `${await at(selector)}/click`, {}),
      type: async (selector, text) => call("POST", `${await at(selector)}/value`, { text }),
      picture: async () => Buffer.from(await call("GET", `${root}/screenshot`), "base64"),
      until: (script) => poll(() => run(script), `${script}`),
    }),
    async stop() {
      await call("DELETE", root).catch(() => {});
      if (driver.pid) process.kill(-driver.pid);
    },
  };
}

const args = [
  ..."--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync".split(" "),
  ..."--disable-background-networking --disable-component-update".split(" "),
];
/** Debian's browsers, each as people have it. */
export const engines: Record<string, () => Promise<Engine>> = {
  chromium: () =>
    playwright(() =>
      chromium.launch({
        executablePath: "/usr/bin/chromium",
        args,
        // As people have it, and not as tests usually do.
        ignoreDefaultArgs: ["--disable-back-forward-cache"],
      }),
    ),
  firefox: () =>
    playwright(() => firefox.launch({ channel: "moz-firefox", executablePath: "/usr/bin/firefox-esr" })),
  webkit,
};
