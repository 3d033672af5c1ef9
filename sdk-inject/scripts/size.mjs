// Fails when a part outgrows its budget, in bytes of gzip level 9.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const dist = join(dirname(fileURLToPath(import.meta.url)), "../dist");
const size = (name) => gzipSync(readFileSync(join(dist, name)), { level: 9 }).length;

const boot = size("boot.js");
const visit = boot + size("sdk.js");
const all = visit + size("dialog.js");
const budgets = [
  ["boot.js", boot, 1024],
  ["an ordinary visit (boot.js, sdk.js)", visit, 5 * 1024],
  ["with the dialog opened (and dialog.js)", all, 7 * 1024],
];

let failed = false;
for (const [what, bytes, limit] of budgets) {
  const over = bytes > limit;
  failed ||= over;
  console.log(`${over ? "OVER" : "ok  "} ${String(bytes).padStart(5)} of ${limit} B gzip  ${what}`);
}
process.exit(failed ? 1 : 0);
