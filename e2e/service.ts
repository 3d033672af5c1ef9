import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { freePorts, PATIENCE_MS } from "./system.ts";

/** A running `sessiongate backend` alone, as an operator starts it. */
export interface Service {
  api: string;
  admin_key: string;
  /** Makes a key on the machine itself. */
  key(role: string, provider?: string): string;
  call<T>(method: string, path: string, body?: unknown): Promise<T>;
  stop(): Promise<void>;
}

/** Starts the session service on a free port, in a temporary folder, and waits until it answers. */
export async function serve(...args: string[]): Promise<Service> {
  const binary = process.env.SESSIONGATE_BIN;
  if (!binary) throw new Error("SESSIONGATE_BIN is not set: run `make test`, or build the program and name it");
  const data = await mkdtemp(join(tmpdir(), "sessiongate-service-"));
  const listen = `127.0.0.1:${await freePorts()}`;
  const child = spawn(binary, ["backend", "--listen", listen, "--data", data, ...args], { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  await new Promise<void>((ready, reject) => {
    createInterface({ input: child.stderr }).on("line", (line) => {
      log += `${line}\n`;
      if (line.includes("session service is ready")) ready();
    });
    child.once("exit", (code) => reject(new Error(`the service ended with ${code}:\n${log}`)));
    setTimeout(() => reject(new Error(`the service was not ready in time:\n${log}`)), PATIENCE_MS).unref();
  });
  const key = (role: string, provider?: string) => {
    const said = execFileSync(binary, ["apikey", "create", "--data", data, "--role", role, ...(provider ? ["--provider", provider] : [])], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    const made = /sg_\w+_[\w-]+/.exec(said)?.[0];
    if (!made) throw new Error("apikey create shows no key");
    return made;
  };
  const admin_key = key("admin");
  const api = `http://${listen}`;
  return {
    api,
    admin_key,
    key,
    async call<T>(method: string, path: string, body?: unknown) {
      const answer = await fetch(api + path, {
        method,
        headers: { Authorization: `Bearer ${admin_key}`, "Content-Type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      return JSON.parse(text) as T;
    },
    async stop() {
      if (child.exitCode === null) {
        const gone = once(child, "exit");
        child.kill("SIGTERM");
        await gone;
      }
      await rm(data, { recursive: true, force: true });
      if (/sg_(adm|prv|mkt|edge|link)_/.test(log)) throw new Error(`the log holds a key:\n${log}`);
    },
  };
}
