import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually, freePorts } from "./system.ts";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const quiet = { ...process.env, NEXT_TELEMETRY_DISABLED: "1", FORCE_COLOR: "0" };

function run(command: string, args: string[], cwd: string, settings = {}) {
  execFileSync(command, args, { cwd, env: { ...quiet, ...settings }, stdio: "pipe" });
}

/** Builds the provider's package, where that was not done; another test may be about it. */
export function buildPackage() {
  const build = "{ [ -d node_modules ] || npm ci; } && { [ -e lib/index.d.cts ] || node scripts/package.mjs; }";
  run("flock", ["package-lock.json", "sh", "-c", build], join(root, "sdk-inject"));
}

export interface Served {
  url: string;
  stop(): void;
}

/** Installs an example's packages, where that was not done; another test may be about it. */
function packages(name: string): string {
  const cwd = join(root, "examples", name);
  run("flock", ["package-lock.json", "sh", "-c", "[ -d node_modules ] || npm ci"], cwd);
  return cwd;
}

/** Builds an example, where there is something to build, and serves it. */
export async function serve(name: string, settings: Record<string, string>): Promise<Served> {
  let cwd = join(root, "examples", name);
  if (name !== "vanilla") {
    cwd = packages(name);
    // Next.js takes no links: it has a copy, which may be an older one.
    if (name === "nextjs")
      cpSync(join(root, "sdk-inject", "lib"), join(cwd, "node_modules/@marketplace/provider-sdk/lib"), { recursive: true });
    run("npm", ["run", "build"], cwd, settings);
  }
  const port = await freePorts();
  const [command, args] = {
    vanilla: [process.execPath, ["serve.mjs"]],
    nextjs: [process.execPath, ["node_modules/next/dist/bin/next", "start", "-H", "127.0.0.1", "-p", `${port}`]],
  }[name] ?? [process.execPath, ["node_modules/vite/bin/vite.js", "preview", "--host", "127.0.0.1", "--strictPort"]];
  return listen(command as string, args as string[], cwd, port, settings);
}

/** Builds and serves the app of the Next.js recipe, with the packages of the Next.js example. */
export async function serveNext(sources: string, files: Record<string, string>): Promise<Served> {
  // Below the packages: Turbopack takes no links that lead out of the workspace.
  const cwd = join(packages("nextjs"), ".recipe");
  rmSync(cwd, { recursive: true, force: true });
  cpSync(sources, cwd, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
  const next = join(cwd, "../node_modules/next/dist/bin/next");
  run(process.execPath, [next, "build"], cwd);
  const port = await freePorts();
  return listen(process.execPath, [next, "start", "-H", "127.0.0.1", "-p", `${port}`], cwd, port);
}

async function listen(command: string, args: string[], cwd: string, port: number, settings = {}): Promise<Served> {
  const child: ChildProcess = spawn(command, args, {
    cwd,
    env: { ...quiet, PORT: `${port}`, ...settings },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (log += chunk));
  const url = `http://127.0.0.1:${port}`;
  try {
    await eventually(
      async () => {
        if (child.exitCode !== null) throw new Error(`${cwd} ended:\n${log}`);
        return fetch(url).then((answer) => answer.ok, () => false);
      },
      () => `${cwd} answers:\n${log}`,
    );
  } catch (error) {
    child.kill("SIGTERM");
    throw error;
  }
  return { url, stop: () => child.kill("SIGTERM") };
}
