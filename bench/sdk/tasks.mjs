// What the script in a page costs that page: the longest task in which a script of ours takes part,
// in processor time of its thread. Each load is the first of a browser process, so that what a process
// does once counts each time. The aim is 10 ms. Run by `make bench`; needs the packages of sdk-inject,
// and its build.
//
//   node bench/sdk/tasks.mjs [loads]
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { createGate } from "../../sdk-inject/dev/server.mjs";

const { chromium } = createRequire(fileURLToPath(new URL("../../sdk-inject/package.json", import.meta.url)))("playwright-core");
const LOADS = Number(process.argv[2] ?? 5);
const AIM_MS = 10;
const categories = ["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline", "v8.execute", "v8"];
const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync", "--disable-background-networking", "--disable-component-update"];
const views = [
  ["the timer, and its ticks", "seconds=580", "session-timer"],
  ["the warning", "seconds=290", "session-warning"],
  ["the warning in Arabic", "seconds=290&lang=ar", "session-warning"],
  ["the panel, with the time of the end", "seconds=580", "session-timer", "session-timer"],
  ["the paused screen", "seconds=400&status=paused", "session-paused"],
  ["the question before the end", "seconds=290", "session-warning", "end-session"],
];

/** The milliseconds of every task in which a script of ours ran. */
function ours(events) {
  const within = (outer, inner) => outer.pid === inner.pid && outer.tid === inner.tid && inner.ts >= outer.ts && inner.ts <= outer.ts + (outer.dur ?? 0);
  const scripts = events.filter(({ args }) => /\/\.session-gate\//.test(`${args?.data?.url ?? ""} ${args?.data?.scriptName ?? ""}`));
  return events
    .filter(({ name, ph }) => /RunTask$/.test(name) && ph === "X")
    .filter((task) => scripts.some((script) => within(task, script)))
    .map(({ tdur }) => tdur / 1000);
}

/** Opens a page in a browser of its own; the longest task of ours there. */
async function load(base, query, id, button) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args });
  try {
    const page = await browser.newPage();
    await browser.startTracing(page, { categories });
    await page.goto(`${base}/?market=${base}&${query}`);
    await page.getByTestId(id).waitFor();
    if (button) await page.getByTestId(button).click();
    await page.waitForTimeout(1200);
    const tasks = ours(JSON.parse((await browser.stopTracing()).toString()).traceEvents);
    if (tasks.length < 4) throw new Error("the trace holds no tasks of ours");
    return Math.max(...tasks);
  } finally {
    await browser.close();
  }
}

const server = createServer(createGate().listener).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
try {
  for (const [what, query, id, button] of views) {
    const all = [];
    for (let i = 0; i < LOADS; i++) all.push(await load(`http://127.0.0.1:${server.address().port}`, query, id, button));
    const sorted = all.toSorted((a, b) => a - b);
    console.log(`longest task, ${what}: median ${sorted[LOADS >> 1].toFixed(1)} ms, worst ${sorted.at(-1).toFixed(1)} ms, aim ${AIM_MS} ms`);
  }
} finally {
  server.closeAllConnections();
  server.close();
}
