import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
// @ts-expect-error a script without types
import { createGate } from "../../dev/server.mjs";

interface DevGate {
  listener: Parameters<typeof createServer>[1];
  calls: { name: string; headers: Record<string, string>; body?: unknown }[];
  session(): { version: number; expires_at: number; extension: { used: number } };
  change(fields: object): void;
  setDown(down: boolean): void;
}

interface Tools {
  base: string;
  gate: DevGate;
  context: BrowserContext;
  page: Page;
  /** What the console of any page said was wrong. */
  errors: string[];
  open(query: string, page?: Page): Promise<Page>;
  tab(): Promise<Page>;
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
  beforeAll(async () => {
    browser = await launch();
  });
  beforeEach(async () => {
    it.gate = createGate();
    server = createServer(it.gate.listener).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    it.base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    it.context = await browser.newContext();
    it.context.setDefaultTimeout(8_000);
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
