// Fails when modules below a folder import one another in a circle, types counted too.
//   node scripts/circles.mjs src [folder…]
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** The circles among the TypeScript modules below a folder, each as the modules in it. */
export function circlesIn(folder) {
  const root = resolve(folder);
  const modules = new Map(
    readdirSync(root, { recursive: true })
      .filter((name) => /\.tsx?$/.test(name) && !name.endsWith(".d.ts"))
      .map((name) => [join(root, name), []]),
  );
  for (const [module, imports] of modules)
    for (const [, from] of readFileSync(module, "utf8").matchAll(
      /(?:\bfrom\s*|\bimport\s*\(?\s*)["'](\.[^"']+)["']/g,
    )) {
      const at = resolve(dirname(module), from);
      const found = [at, `${at}.ts`, `${at}.tsx`].find((name) => modules.has(name));
      if (found) imports.push(found);
    }
  const circles = [];
  const done = new Set();
  const visit = (module, path) => {
    const start = path.indexOf(module);
    if (start >= 0) circles.push([...path.slice(start), module].map((name) => name.slice(root.length + 1)));
    if (start >= 0 || done.has(module)) return;
    for (const next of modules.get(module)) visit(next, [...path, module]);
    done.add(module);
  };
  for (const module of modules.keys()) visit(module, []);
  return circles;
}

const folders = process.argv.slice(2);
const circles = folders.flatMap(circlesIn);
for (const circle of circles) console.error(`circle of imports: ${circle.join(" → ")}`);
if (circles.length) process.exit(1);
