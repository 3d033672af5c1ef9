import type { Server } from "node:http";
import { expect } from "vitest";
import { until } from "../fake";
import { inEveryEngine } from "../hostile/engines";

// The back/forward cache keeps a page as it was, if nothing of it forbids that: no open
// channel, no held lock, no unload listener, no running request. The pages tell the server
// themselves what became of them, since tools lose hold of a page that is restored.

const first = `<!doctype html><html lang="en"><head><script src="/.session-gate/boot.js"></script>
<meta charset="utf-8"><title>First</title></head><body>First<script>
const tell = (what) => fetch("/tell", { method: "POST", body: JSON.stringify(what) });
const shown = () => document.querySelector("session-gate")?.shadowRoot?.querySelector("b")?.textContent ?? "";
let left = false;
let frozen = "";
addEventListener("pagehide", () => (frozen = shown()));
addEventListener("pageshow", async ({ persisted }) => {
  if (!left) return;
  // Ticks show the old deadline until the gate has answered.
  for (let i = 0; i < 600 && !/^1:/.test(shown()); i++) await new Promise((r) => setTimeout(r, 100));
  tell({ persisted, frozen, shown: shown() });
});
const go = setInterval(() => {
  if (!shown() || left) return;
  left = true;
  clearInterval(go);
  // Some beats first: what a heartbeat leaves behind must not be in the way, either.
  setTimeout(() => (location.href = "/away"), 1500);
}, 50);
</script></body></html>`;
const away = `<!doctype html><title>Away</title>Away<script>setTimeout(() => history.back(), 600)</script>`;

/** While the page is away. */
let meanwhile = () => {};
let told: { persisted: boolean; frozen: string; shown: string } | undefined;

function serve(server: Server) {
  const [gate] = server.listeners("request") as [(...given: unknown[]) => void];
  told = undefined;
  server.removeAllListeners("request");
  server.on("request", async (request, response) => {
    if (request.url === "/tell") {
      let text = "";
      for await (const chunk of request) text += chunk;
      told = JSON.parse(text);
      return response.end();
    }
    const page = { "/first": first, "/away": away }[request.url ?? ""];
    if (!page) return gate(request, response);
    if (page === away) meanwhile();
    response.setHeader("Content-Type", "text/html");
    response.end(page);
  });
}

inEveryEngine(
  "a page with a running clock enters the back/forward cache, and is right when it comes back",
  async ({ page, base, gate }) => {
    await page.goto(`${base}/?seconds=590`);
    meanwhile = () =>
      gate.change({ expires_at: gate.session().expires_at + 3600, duration_limit_seconds: 4200 });
    await page.goto(`${base}/first`);
    await until(() => told, "the page tells what became of it", 90_000);
    expect(told).toMatchObject({
      persisted: true,
      frozen: expect.stringMatching(/^\d:\d\d$/),
      shown: expect.stringMatching(/^1:0\d:\d\d$/),
    });
  },
  serve,
);
