// Completes package-lock.json with the optional builds for other platforms that
// the registry at hand did not have: without their entries `npm ci` refuses the
// lock as incomplete, and a contributor's own platform would be missing.
//   npm install && node scripts/lock.mjs   (in the folder of the lock)
import { readFileSync, writeFileSync } from "node:fs";

const file = new URL("package-lock.json", `file://${process.cwd()}/`);
const lock = JSON.parse(readFileSync(file, "utf8"));
const systems = ["android", "darwin", "freebsd", "linux", "openharmony", "win32"];
const processors = {
  x64: "x64",
  arm64: "arm64",
  arm: "arm",
  ppc64: "ppc64",
  s390x: "s390x",
  wasm32: "wasm32",
};

/** Whether Node, starting in `from`, finds that version of that package. */
function found(from, name, version) {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf("node_modules/") - 1))) {
    const there = lock.packages[`${at ? `${at}/` : ""}node_modules/${name}`];
    if (there) return there.version === version;
    if (!at) return false;
  }
}

for (const [from, entry] of Object.entries(lock.packages))
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    const version = range.replace(/^[~^]/, "");
    if (found(from, name, version)) continue;
    const slot = lock.packages[`node_modules/${name}`]
      ? `${from}/node_modules/${name}`
      : `node_modules/${name}`;
    const words = name.split(/[-/]/);
    const os = name === "fsevents" ? "darwin" : systems.find((system) => words.includes(system));
    const cpu = processors[words.find((word) => word in processors)];
    lock.packages[slot] = {
      version,
      ...(cpu && { cpu: [cpu] }),
      dev: true,
      optional: true,
      ...(os && { os: [os] }),
    };
  }

const sorted = Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1));
lock.packages = Object.fromEntries(sorted);
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
