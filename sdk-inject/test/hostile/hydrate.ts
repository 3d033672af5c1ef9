import type { Server } from "node:http";
import { createRequire } from "node:module";
import { rolldown } from "rolldown";
import { expect } from "vitest";
import { chipIsRight, inEveryEngine } from "./engines";

// React hydrates the whole document: an element of ours left in it would be a mismatch.
const page = `
import { createElement as h, useState } from "react";
export function Page() {
  const [count, set] = useState(0);
  return h("html", { lang: "en" },
    h("head", null, h("title", null, "Hydrated")),
    h("body", null, h("button", { id: "count", onClick: () => set(count + 1) }, String(count))));
}`;
const client = `
import { createElement as h, version } from "react";
import { hydrateRoot } from "react-dom/client";
import { Page } from "page";
const begin = () => {
  hydrateRoot(document, h(Page), { onRecoverableError: (error) => (window.mismatch = String(error)) });
  window.hydrated = version;
};
// Late: a page that first waits for something, here for the timer to be there.
if (!location.search) begin();
else {
  const waiting = setInterval(() => {
    if (!document.querySelector("session-gate")) return;
    clearInterval(waiting);
    begin();
  }, 20);
}`;
const server = `
import { createElement as h } from "react";
import { renderToString } from "react-dom/server";
import { Page } from "page";
module.exports = renderToString(h(Page));`;

const require = createRequire(import.meta.url);

async function bundle(version: 18 | 19, code: string, platform: "browser" | "node"): Promise<string> {
  const sources: Record<string, string> = { page, app: code };
  const build = await rolldown({
    input: "app",
    cwd: new URL("../..", import.meta.url).pathname,
    platform,
    resolve: version === 18 ? { alias: { react: "react18", "react-dom": "react-dom18" } } : {},
    transform: { define: { "process.env.NODE_ENV": '"production"' } },
    plugins: [
      {
        name: "sources",
        resolveId: (id) => (id in sources ? `\0${id}.js` : undefined),
        load: (id) => sources[/^\0(\w+)\.js$/.exec(id)?.[1] ?? ""],
      },
    ],
  });
  const { output } = await build.generate({
    format: platform === "node" ? "cjs" : "iife",
    codeSplitting: false,
    exports: "auto",
  });
  return output[0].code;
}

/** The document as that React's server part writes it, with the gate's tag in it. */
async function rendered(version: 18 | 19): Promise<string> {
  const module = { exports: "" as unknown };
  new Function("require", "module", "exports", await bundle(version, server, "node"))(require, module, {});
  return String(module.exports).replace("<head>", '<head><script src="/.session-gate/boot.js"></script>');
}

/** Answers before the gate of memory does. */
function serve(version: 18 | 19) {
  return (http: Server) => {
    const [gate] = http.listeners("request") as [(...given: unknown[]) => void];
    const app = bundle(version, client, "browser");
    const html = rendered(version);
    http.removeAllListeners("request");
    http.on("request", async (request, response) => {
      const path = request.url?.split("?")[0];
      if (path === "/app.js") return response.setHeader("Content-Type", "text/javascript").end(await app);
      if (path !== "/hydrate") return gate(request, response);
      response.setHeader("Content-Type", "text/html");
      response.end(`<!doctype html>${await html}<script defer src="/app.js"></script>`);
    });
  };
}

/** The hostile page of that React, in every engine. */
export function hydrates(version: 18 | 19): void {
  inEveryEngine(
    `React ${version} hydrates the whole document, and the timer is there`,
    async ({ page, base }) => {
      await page.goto(`${base}/?seconds=400`);
      await page.goto(`${base}/hydrate`);
      await page.until(() => Reflect.get(window, "hydrated"));
      expect(await page.run(() => Reflect.get(window, "hydrated"))).toMatch(new RegExp(`^${version}\\.`));
      await page.until(chipIsRight);
      await page.run(() => document.querySelector<HTMLElement>("#count")?.click());
      await page.until(() => document.querySelector("#count")?.textContent === "1");
      expect(await page.run(() => `${Reflect.get(window, "mismatch")}`)).toBe("undefined");
      await page.until(chipIsRight);
    },
    serve(version),
  );
  inEveryEngine(
    `React ${version} that hydrates when the timer is there already works, and the timer stays`,
    async ({ page, base }) => {
      await page.goto(`${base}/?seconds=400`);
      await page.goto(`${base}/hydrate?late`);
      await page.until(() => Reflect.get(window, "hydrated"));
      await page.until(chipIsRight);
      // What React makes of a foreign element is its own; the page must work.
      await page.until(() => {
        if (document.querySelector("#count")?.textContent === "0")
          document.querySelector<HTMLElement>("#count")?.click();
        return document.querySelector("#count")?.textContent === "1";
      });
      await page.until(chipIsRight);
    },
    serve(version),
  );
}
