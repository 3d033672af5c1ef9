import { type ChildProcess, spawn } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { createServer } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** How long a test waits for what must happen at some time: no promise, only an end. */
export const PATIENCE_MS = 120_000;

/** What a busy machine may take, beyond the second that the product promises, to run backend, edge and browser. */
export const ALLOWANCE_S = 2;

/** Waits for a condition. */
export async function eventually(done: () => Promise<boolean>, says: () => string): Promise<void> {
  for (const began = Date.now(); !(await done()); ) {
    if (Date.now() - began > PATIENCE_MS) throw new Error(`not within ${PATIENCE_MS / 1000} s: ${says()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/**
 * Tells a story about a session of few seconds, which the story returns false from if the session was
 * over before everything was ready for its end. Then the machine is a busy one, and hears the story
 * again, of a longer session.
 */
export async function beforeItEnds(story: (seconds: number) => Promise<boolean>, ...lengths: number[]): Promise<void> {
  for (const seconds of lengths) if (await story(seconds)) return;
  throw new Error(`within ${lengths.at(-1)} s the page was not ready for the end of its session`);
}

/** Waits for the next day (UTC) where this one is about to end: for tests whose figures are of today. */
export async function withinOneDay(): Promise<void> {
  const day = 86_400_000;
  const left = day - (Date.now() % day);
  if (left < 300_000) await new Promise((resolve) => setTimeout(resolve, left + 1000));
}

/** A running `sessiongate demo`, and what a marketplace does with it. */
export interface System {
  marketplace: string;
  api: string;
  app: string;
  origin: string;
  provider_id: string;
  marketplace_key: string;
  provider_key: string;
  admin_key: string;
  edge_key: string;
  /** All that the marketplace sells; the first is the app above. */
  apps: { provider_id: string; name: string; app: string; origin: string; provider_key: string }[];
  stop(): Promise<void>;
}

export interface Terms {
  user: string;
  seconds: number;
  tokens: number;
  extension?: { additional_seconds: number; tokens: number; max_count: number };
  /** When the paid time starts; by default with the sale. */
  clock?: "creation" | "launch";
}

export interface Session {
  id: string;
  status: string;
  expires_at: number;
  settlement?: { captured: number; released: number };
}

/** Starts the demo on free ports, in a temporary folder, and waits until it is ready. */
export async function start(...args: string[]): Promise<System> {
  const binary = process.env.SESSIONGATE_BIN;
  if (!binary) throw new Error("SESSIONGATE_BIN is not set: run `make test`, or build the program and name it");
  const data = await mkdtemp(join(tmpdir(), "sessiongate-e2e-"));
  const base = await freePorts();
  const child = spawn(binary, ["demo", "--json", "--data", data, "--base-port", String(base), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  child.stderr.on("data", (chunk) => {
    log += chunk;
  });
  const line = await Promise.race([
    firstLine(child),
    new Promise<never>((_, reject) => {
      child.once("exit", (code) => reject(new Error(`the demo ended with ${code}:\n${log}`)));
      setTimeout(() => reject(new Error(`the demo was not ready in time:\n${log}`)), PATIENCE_MS).unref();
    }),
  ]);
  return {
    ...JSON.parse(line),
    stop: async () => {
      if (child.exitCode === null) {
        const gone = new Promise((resolve) => child.once("exit", resolve));
        child.kill("SIGTERM");
        await gone;
      }
      await rm(data, { recursive: true, force: true });
      if (log.includes("eyJ")) throw new Error(`the log holds a token:\n${log}`);
    },
  };
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    if (child.stdout) createInterface(child.stdout).once("line", resolve);
  });
}

/** Sockets that keep ports from other runs of these tests, until this process ends. */
const taken: Socket[] = [];

/**
 * The first of four neighboring ports that nobody listens on and no other test uses. A socket for
 * UDP on the last of them says so: an edge that serves HTTP/3 uses one of the others.
 */
export async function freePorts(): Promise<number> {
  for (let tries = 0; tries < 200; tries++) {
    // Below the range from which the kernel takes ports for outgoing connections.
    const base = 22_000 + 4 * Math.floor(Math.random() * 2_500);
    const socket = await take(base + 3);
    if (!socket) continue;
    const free = await Promise.all([0, 1, 2, 3].map((n) => isFree(base + n)));
    if (free.every(Boolean)) {
      taken.push(socket);
      return base;
    }
    socket.close();
  }
  throw new Error("no four neighboring ports are free");
}

function take(port: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    socket.once("error", () => resolve(undefined));
    socket.bind({ address: "127.0.0.1", port, exclusive: true }, () => resolve(socket.unref()));
  });
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** Calls the API with the marketplace's key. */
export async function api<T>(system: System, method: string, path: string, body?: unknown): Promise<T> {
  const answer = await fetch(system.api + path, {
    method,
    headers: { Authorization: `Bearer ${system.marketplace_key}`, "Content-Type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return JSON.parse(text) as T;
}

/** Credits a user and sells a session; the launch link is for one browser. */
export async function buy(system: System, terms: Terms): Promise<{ session: Session; launch_url: string }> {
  await api(system, "POST", `/api/v1/users/${terms.user}/tokens`, { amount: 500 });
  return api(system, "POST", "/api/v1/sessions", {
    user_id: terms.user,
    provider_id: system.provider_id,
    tokens_allocated: terms.tokens,
    duration_limit_seconds: terms.seconds,
    return_url: `${system.marketplace}/session/complete`,
    ...(terms.extension ? { extension: terms.extension } : {}),
    ...(terms.clock ? { clock: terms.clock } : {}),
  });
}

/** A session as the marketplace sees it. */
export function read(system: System, id: string): Promise<Session> {
  return api(system, "GET", `/api/v1/sessions/${id}`);
}
