import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliDecompressSync } from "node:zlib";

const root = join(import.meta.dirname, "..");

/** Chromium 103 of June 2022, which an npm package contains compressed. */
export function oldestChromium(): string {
  const file = join(root, "node_modules/.cache/chromium-oldest");
  if (!existsSync(file)) {
    mkdirSync(join(file, ".."), { recursive: true });
    const own = `${file}-${process.pid}`;
    writeFileSync(
      own,
      brotliDecompressSync(readFileSync(join(root, "node_modules/chromium-oldest/bin/chromium.br"))),
    );
    chmodSync(own, 0o755);
    renameSync(own, file);
  }
  return file;
}
