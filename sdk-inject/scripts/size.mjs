// Fails when a part outgrows its limit, in bytes of gzip level 9.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const dist = join(dirname(fileURLToPath(import.meta.url)), "../dist");
const size = (name) => gzipSync(readFileSync(join(dist, name)), { level: 9 }).length;

const boot = size("boot.js");
const visit = boot + size("sdk.js");
const dialog = visit + size("dialog.js");
const largest = (prefix) =>
  Math.max(
    ...readdirSync(dist)
      .filter((name) => name.startsWith(prefix))
      .map(size),
  );
const parts = [
  { what: "boot.js", bytes: boot, limit: 768 },
  { what: "an ordinary visit (boot.js, sdk.js)", bytes: visit, limit: 6 * 1024 },
  { what: "with the dialog opened (and dialog.js)", bytes: dialog, limit: 9 * 1024 },
  { what: "on demand: acting and the end (actions.js)", bytes: size("actions.js"), limit: 4400 },
  { what: "on demand: dragging (move.js)", bytes: size("move.js"), limit: 900 },
  { what: "on demand: a site's settings (site.js)", bytes: size("site.js"), limit: 2600 },
  { what: "on demand: pages with an Integrity-Policy", bytes: size("integrity.js"), limit: 2400 },
  { what: "on demand: finding another language", bytes: size("languages.js"), limit: 400 },
  { what: "on demand: the largest language's chip", bytes: largest("chip-"), limit: 260 },
  { what: "on demand: the largest language's dialogs", bytes: largest("words-"), limit: 1600 },
];
const lib = join(dist, "../lib");
/** What a page loads before anything is seen: an entry and all that it imports statically. */
function core(entry, seen = new Set()) {
  if (seen.has(entry)) return 0;
  seen.add(entry);
  const code = readFileSync(join(lib, entry));
  let bytes = gzipSync(code, { level: 9 }).length;
  for (const [, from] of code.toString().matchAll(/(?:from|import)\s*["'`]\.{1,2}\/([^"'`]+)["'`]/g))
    bytes += core(entry.startsWith("parts/") && !from.startsWith("parts/") ? `parts/${from}` : from, seen);
  return bytes;
}
if (existsSync(lib)) {
  const index = core("index.js");
  const umd = gzipSync(readFileSync(join(lib, "marketplace-sdk.umd.js")), { level: 9 }).length;
  parts.push(
    { what: "npm: index.js and what it imports", bytes: index, limit: 10 * 1024 },
    { what: "npm: marketplace-sdk.umd.js, the timer included", bytes: umd, limit: 26 * 1024 },
    { what: "npm: react.js, beyond that", bytes: core("react.js") - index, limit: 2.5 * 1024 },
    { what: "npm: vue.js, beyond that", bytes: core("vue.js") - index, limit: 2.5 * 1024 },
    { what: "npm: stats.js and what it imports", bytes: core("stats.js"), limit: 3 * 1024 },
    { what: "npm: dashboard.js and what it imports", bytes: core("dashboard.js"), limit: 8 * 1024 },
  );
}

let failed = false;
for (const { what, bytes, limit } of parts) {
  const over = bytes > limit;
  failed ||= over;
  console.log(`${over ? "OVER" : "ok  "} ${String(bytes).padStart(5)} B gzip  ${what}: limit ${limit}`);
}
process.exit(failed ? 1 : 0);
