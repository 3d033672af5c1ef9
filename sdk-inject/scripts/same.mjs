// Fails when the committed dist/ is not what was just built, to the byte.
import { execFileSync } from "node:child_process";

const changed = execFileSync("git", ["status", "--porcelain", "--", "dist", "api"], { encoding: "utf8" });
if (changed) {
  console.error(`Not what is committed; run \`npm run build\` (or \`npm run api\`) and commit:\n${changed}`);
  process.exit(1);
}
