import type { Server } from "node:http";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { rolldown } from "rolldown";
import { expect } from "vitest";
import { chipIsRight, inEveryEngine } from "./engines";

// React hydrates the whole document: an element of ours left in it would be a mismatch.
const app = `
import { createElement as h, useState } from "react";
import { hydrateRoot } from "react-dom/client";
${page.toString()}
hydrateRoot(document, h(page, { h, useState }), {
  onRecoverableError: (error) => (window.mismatch = String(error)),
});
window.hydrated = true;
`;

function page({
  h,
  useState,
}: {
  h: typeof createElement;
  useState: (n: number) => [number, (n: number) => void];
}) {
  const [count, set] = useState(0);
  return h(
    "html",
    { lang: "en" },
    h("head", null, h("title", null, "Hydrated")),
    h("body", null, h("button", { id: "count", onClick: () => set(count + 1) }, String(count))),
  );
}

async function bundle(): Promise<string> {
  const build = await rolldown({
    input: "app",
    platform: "browser",
    transform: { define: { "process.env.NODE_ENV": '"production"' } },
    plugins: [
      {
        name: "app",
        resolveId: (id) => (id === "app" ? "\0app.js" : undefined),
        load: (id) => (id === "\0app.js" ? app : undefined),
      },
    ],
  });
  const { output } = await build.generate({ format: "iife", codeSplitting: false });
  return output[0].code;
}

/** Answers before the gate of memory does. */
function serve(server: Server) {
  const [gate] = server.listeners("request") as [(...given: unknown[]) => void];
  const script = bundle();
  server.removeAllListeners("request");
  server.on("request", async (request, response) => {
    if (request.url === "/app.js")
      return response.setHeader("Content-Type", "text/javascript").end(await script);
    if (request.url !== "/hydrate") return gate(request, response);
    const element = createElement(
      page as never,
      { h: createElement, useState: () => [0, () => {}] } as never,
    );
    const html = renderToString(element)
      .replace("<head>", '<head><script src="/.session-gate/boot.js"></script>')
      .replace("</body>", "</body>");
    response.setHeader("Content-Type", "text/html");
    response.end(`<!doctype html>${html}<script defer src="/app.js"></script>`);
  });
}

inEveryEngine(
  "React 19 hydrates the whole document, and the timer is there",
  async ({ page, base }) => {
    await page.goto(`${base}/?seconds=400`);
    await page.goto(`${base}/hydrate`);
    await page.until(() => Reflect.get(window, "hydrated"));
    await page.until(chipIsRight);
    await page.run(() => document.querySelector<HTMLElement>("#count")?.click());
    await page.until(() => document.querySelector("#count")?.textContent === "1");
    expect(await page.run(() => `${Reflect.get(window, "mismatch")}`)).toBe("undefined");
    await page.until(chipIsRight);
  },
  serve,
);
