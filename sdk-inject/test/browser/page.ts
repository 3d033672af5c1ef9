import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
  type Request,
} from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
// @ts-expect-error a script without types
import { createGate } from "../../dev/server.mjs";
import { until } from "../fake";

/** How long a test waits for a page before it fails. */
export const PAGE_LIMIT_MS = 60_000;
/** How far the time of pages jumps when it is stopped: far more than two calls can lie apart. */
const AHEAD_MS = 20_000;

interface DevGate {
  listener: Parameters<typeof createServer>[1];
  calls: { name: string; headers: Record<string, string>; body?: unknown }[];
  session(): { version: number; expires_at: number; extension: { used: number } };
  change(fields: object): void;
  setSite(site: unknown): void;
  setDown(down: boolean): void;
}

export interface Tools {
  base: string;
  gate: DevGate;
  context: BrowserContext;
  page: Page;
  /** What the console of any page said was wrong. */
  errors: string[];
  open(query: string, page?: Page): Promise<Page>;
  /** The session ends so many seconds from now, wherever its deadline was. Pages see it when they look again. */
  endIn(seconds: number): void;
  /** A page looks at its session, as it does when a user comes back to it, until it has asked the gate. */
  lookAgain(page?: Page): Promise<void>;
  /** The pages to come send no regular heartbeat. */
  withoutHeartbeats(): Promise<unknown>;
  /**
   * Gives the pages to come a time that a test can stop by calling what this returns. Then it goes on
   * by as many milliseconds as what that returns is called with: no machine is too busy for it.
   */
  stoppableTime(): Promise<() => Promise<(ms: number) => Promise<void>>>;
  /**
   * Keeps timers of the pages to come from running, those between these lengths in milliseconds,
   * until what it returns is called: a busy machine cannot be too slow for them.
   */
  hold(...lengths: (readonly [from: number, to: number])[]): Promise<() => Promise<void>>;
  /** Until no key has been pressed for so long that the dialog takes keys again. */
  keysRest(): Promise<void>;
  /** Until the timer shows what is left, within a second and a half and half of what an answer took. */
  clockIsRight(): Promise<void>;
  tab(): Promise<Page>;
  /** A new context of these properties, and a page in it. */
  renew(options: BrowserContextOptions): Promise<void>;
  /** The page is a phone's. */
  phone(): Promise<void>;
  /** Where an element of ours is. */
  box(id: string): Promise<{ x: number; y: number; width: number; height: number }>;
}

/** Debian's Chromium, a process that has shown nothing yet. */
export const launch = () =>
  chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      ..."--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync".split(" "),
      ..."--disable-background-networking --disable-component-update".split(" "),
    ],
  });

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What axe finds wrong in our part of the page. */
export async function violations(page: Page): Promise<string[]> {
  // The dialog has faded in.
  await page.evaluate(() => {
    const moving = document.querySelector("session-gate")?.shadowRoot?.getAnimations() ?? [];
    return Promise.all(moving.map(({ finished }) => finished)).then(() => {});
  });
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const run = Reflect.get(window, "axe").run;
    const found: { passes: unknown[]; violations: { id: string; nodes: { html: string }[] }[] } =
      await run("session-gate");
    if (found.passes.length < 5) return ["axe found nothing to look at"];
    return found.violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
  });
}

/** A real Chromium and the gate of dev/server.mjs, new for each test. */
export function useBrowser(): Tools {
  let browser: Browser;
  let server: ReturnType<typeof createServer>;
  const it: Tools = {
    base: "",
    gate: undefined as unknown as DevGate,
    context: undefined as unknown as BrowserContext,
    page: undefined as unknown as Page,
    errors: [],
    open: async (query: string, page = it.page) => {
      await page.goto(`${it.base}/?market=${it.base}&${query}`);
      return page;
    },
    endIn: (seconds) => it.gate.change({ expires_at: Math.floor(Date.now() / 1000 + seconds) }),
    lookAgain: async (page = it.page) => {
      let asked = false;
      const listen = (request: Request) => {
        asked ||= request.url().endsWith("/.session-gate/session");
      };
      page.on("request", listen);
      try {
        await until(
          async () => {
            // Looks that follow one another in less than two seconds count as one.
            await page.evaluate(() => window.dispatchEvent(new Event("focus")));
            if (!asked) await page.waitForTimeout(200);
            return asked;
          },
          "the page asks for its session",
          PAGE_LIMIT_MS,
        );
      } finally {
        page.off("request", listen);
      }
    },
    withoutHeartbeats: () => it.hold([26_000, 34_000]),
    stoppableTime: async () => {
      await it.context.clock.install();
      // Their answers would set the pages' time right.
      await it.withoutHeartbeats();
      return async () => {
        // Ahead of all pages, whatever they are doing meanwhile: time cannot be set back.
        await it.context.clock.pauseAt(Date.now() + AHEAD_MS);
        return (ms) => it.context.clock.runFor(ms);
      };
    },
    hold: async (...lengths) => {
      const name = `release${lengths}`;
      const init = ({ name, lengths }: { name: string; lengths: (readonly [number, number])[] }) => {
        const plain = window.setTimeout;
        const waiting: (() => void)[] = [];
        let holding = true;
        window.setTimeout = ((run: () => void, ms = 0, ...given: []) =>
          holding && lengths.some(([from, to]) => from <= ms && ms <= to)
            ? waiting.push(run)
            : plain(run, ms, ...given)) as unknown as typeof plain;
        Object.assign(window, {
          [name]() {
            holding = false;
            for (const run of waiting.splice(0)) run();
          },
        });
      };
      await it.context.addInitScript(init, { name, lengths });
      return async () => {
        for (const page of it.context.pages())
          await page.evaluate((release) => Reflect.get(window, release)?.(), name);
      };
    },
    keysRest: () => it.page.waitForTimeout(1300),
    clockIsRight: () =>
      until(
        async () => {
          const text = (await it.page.getByTestId("session-timer").locator("b").textContent()) ?? "";
          const shown = text.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
          const left = it.gate.session().expires_at - Date.now() / 1000;
          // The server's time is known as well as an answer was quick.
          const took = await it.page.evaluate(() =>
            Math.max(
              0,
              ...performance
                .getEntriesByType("resource")
                .filter(({ name }) => /\.session-gate\/[a-z]+$/.test(name))
                .map(({ duration }) => duration),
            ),
          );
          return Math.abs(shown - left) < 1.5 + took / 2000;
        },
        "the timer shows what is left",
        PAGE_LIMIT_MS,
      ),
    renew: async () => {},
    phone: async () => {},
    box: async (id) => {
      const box = await it.page.getByTestId(id).boundingBox();
      if (!box) throw new Error(`${id} is not there`);
      return box;
    },
    tab: async () => {
      const page = await it.context.newPage();
      page.on("pageerror", (error) => it.errors.push(error.message));
      page.on("console", (said) => {
        if (said.type() === "error" && !said.text().includes("Failed to load resource"))
          it.errors.push(said.text());
      });
      return page;
    },
  };
  it.renew = async (options) => {
    await it.context.close();
    it.context = await browser.newContext(options);
    it.context.setDefaultTimeout(PAGE_LIMIT_MS);
    it.page = await it.tab();
  };
  it.phone = () => it.renew({ hasTouch: true, isMobile: true, viewport: { width: 390, height: 760 } });
  beforeAll(async () => {
    browser = await launch();
  });
  beforeEach(async () => {
    it.gate = createGate();
    server = createServer({ maxHeaderSize: 65_536 }, it.gate.listener).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    it.base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    it.context = await browser.newContext();
    it.context.setDefaultTimeout(PAGE_LIMIT_MS);
    it.errors = [];
    it.page = await it.tab();
  });
  afterEach(async () => {
    await it.context.close();
    server.closeAllConnections();
    server.close();
  });
  afterAll(() => browser.close());
  return it;
}
