import { existsSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { BrowserContext, Page } from "playwright-core";
import { rolldown } from "rolldown";
import { afterEach, beforeEach, expect } from "vitest";
import { until } from "../fake";
import { TestBackend, token } from "../package/backend";

export const root = join(import.meta.dirname, "../..");
/** The files that npm packs: tests in this folder need a build. */
export const lib = join(root, "lib");

/** Bundles an app as a provider does: with the built package, and with real frameworks from npm. */
export async function bundle(source: string): Promise<string> {
  const build = await rolldown({
    input: "app",
    cwd: root,
    platform: "browser",
    transform: {
      define: {
        "process.env.NODE_ENV": '"production"',
        __VUE_OPTIONS_API__: "true",
        __VUE_PROD_DEVTOOLS__: "false",
        __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false",
      },
    },
    plugins: [
      {
        name: "app",
        resolveId: (id) =>
          id === "app"
            ? join(root, "app.js")
            : id.startsWith("@marketplace/provider-sdk")
              ? join(lib, `${id.split("/")[2] ?? "index"}.js`)
              : undefined,
        load: (id) => (id === join(root, "app.js") ? source : undefined),
      },
    ],
    onLog: () => {},
  });
  const { output } = await build.generate({ format: "esm", codeSplitting: false });
  await build.close();
  return output[0].code;
}

type Answer = string | ((request: IncomingMessage, response: ServerResponse) => void);

/** An app on its own origin, and the session service on another. */
export interface App {
  origin: string;
  backend: TestBackend;
  api: string;
  /** Paths of the app and what they answer: HTML, or a script where the path ends with .js. Others get `*`. */
  pages: Record<string, Answer>;
  /** Requests to the app. */
  asked: string[];
  /** Opens a page of the app with a launch token. Returns the token. */
  enter(page: Page, path?: string, more?: string): Promise<string>;
}

export function useApp(): App {
  let server: Server;
  const it = { pages: {}, asked: [] as string[] } as unknown as App;
  beforeEach(async () => {
    it.backend = new TestBackend();
    it.api = await it.backend.start();
    it.pages = {};
    it.asked = [];
    server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? "/", "http://app");
      it.asked.push(`${request.method} ${request.url}`);
      const file = pathname.startsWith("/sdk/") && join(lib, pathname.slice(5));
      const answer =
        file && existsSync(file) ? readFileSync(file, "utf8") : (it.pages[pathname] ?? it.pages["*"]);
      if (typeof answer === "function") return answer(request, response);
      if (answer === undefined) return response.writeHead(404).end();
      const script = file || pathname.endsWith(".js");
      response.writeHead(200, { "Content-Type": script ? "text/javascript" : "text/html; charset=utf-8" });
      response.end(answer);
    });
    server.listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    it.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    it.backend.stop();
    server.closeAllConnections();
    server.close();
  });
  it.enter = async (page, path = "/", more = "") => {
    const made = token();
    await page.goto(`${it.origin}${path}${path.includes("?") ? "&" : "?"}session=${made}${more}`);
    return made;
  };
  return it;
}

/** A page with a script that was bundled. */
export const html = (script: string, body = '<div id="app"></div>', lang = "en") =>
  `<!doctype html><html lang="${lang}"><head><meta charset="utf-8"><title>App</title></head><body>${body}<script type="module" src="${script}"></script></body></html>`;

/** A page with the script tag's file, which starts nothing by itself. */
export const plain = (src = "/sdk/marketplace-sdk.umd.js", lang = "en") =>
  `<!doctype html><html lang="${lang}"><head><meta charset="utf-8"><title>App</title><script src="${src}"></script></head><body><h1>App</h1></body></html>`;

export interface Opened {
  status?: string;
  code?: string;
  message?: string;
}

/** Creates an SDK in a page that has the script tag's file, and opens the session. */
export const initialize = (page: Page, settings: object, name = "sdk"): Promise<Opened> =>
  page.evaluate(
    async ({ settings, name }) => {
      const { MarketplaceSDK } = Reflect.get(window, "MarketplaceSDK");
      const errors: string[] = [];
      const sdk = new MarketplaceSDK({
        redirect: false,
        onError: (error: { code: string }) => errors.push(error.code),
        ...settings,
      });
      Object.assign(window, { [name]: sdk, [`${name}Errors`]: errors });
      try {
        return { status: (await sdk.initialize()).status };
      } catch (error) {
        const { code, message } = error as { code: string; message: string };
        return { code, message };
      }
    },
    { settings, name },
  );

export const timers = (page: Page) => page.getByTestId("session-timer");

/** The page shows one timer, with a time in it. */
export async function oneTimer(page: Page): Promise<void> {
  await until(
    async () => /^\d+:\d\d/.test((await timers(page).allTextContents()).join("|")),
    "the page shows a timer",
    60_000,
  );
  expect(await timers(page).count()).toBe(1);
}

/** Neither the address nor any entry of the history shows the token. */
export const address = (page: Page) =>
  page.evaluate(() => location.pathname + location.search + location.hash);

/** A context in which every page reports what went wrong in it. */
export async function visit(context: BrowserContext): Promise<Page & { errors: string[] }> {
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("pageerror", ({ message }) => errors.push(message));
  return Object.assign(page, { errors });
}
