import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { MarketplaceSDK } from "../../src/package/index";
import { clock, LONGEST_MS } from "../../src/package/platform";
import { either } from "../../src/package/signals";
import { until } from "../fake";
import { leavePage, TestBackend, token } from "./backend";

// Delays that setTimeout cannot have, browsers without what is new, and browsers that block storage.

let backend: TestBackend;
let apiEndpoint: string;
const made: MarketplaceSDK[] = [];

beforeEach(async () => {
  backend = new TestBackend();
  apiEndpoint = await backend.start();
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  for (const sdk of made.splice(0)) sdk.destroy();
  backend.stop();
  leavePage();
  localStorage.clear();
});

function create(config: object = {}): MarketplaceSDK {
  const sdk = new MarketplaceSDK({ apiEndpoint, token: token(), ui: false, redirect: false, ...config });
  made.push(sdk);
  return sdk;
}

test.each([2_592_000_000, LONGEST_MS + 1, Number.POSITIVE_INFINITY])(
  "a delay of %d ms is not taken for none",
  async (ms) => {
    const ran = vi.fn();
    const timer = clock.setTimeout(ran, ms);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(ran).not.toHaveBeenCalled();
    clock.clearTimeout(timer);
  },
);

/** A service whose heartbeats are answered by a CDN's page about maintenance. */
async function inMaintenance(retryAfter: string): Promise<Server> {
  const server = createServer((request, response) => {
    const { url = "", method = "GET", headers } = request;
    const allow = {
      "Access-Control-Allow-Origin": "*",
      "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key",
      "Access-Control-Expose-Headers": "Retry-After",
    };
    if (method === "OPTIONS") return void response.writeHead(204, allow).end();
    if (url.endsWith("/heartbeat")) {
      beats++;
      return void response.writeHead(503, { ...allow, "Retry-After": retryAfter }).end("maintenance");
    }
    const passed = fetch(apiEndpoint + url, {
      method,
      headers: { Authorization: headers.authorization ?? "", "Content-Type": "application/json" },
      body: "{}",
    });
    void passed
      .then(async (answer) => response.writeHead(answer.status, allow).end(await answer.text()))
      .catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return server;
}
let beats = 0;

test.each(["2592000", "99999999999", "Fri, 31 Dec 2999 23:59:59 GMT"])(
  "a Retry-After of %s does not make heartbeats come at once",
  async (retryAfter) => {
    beats = 0;
    const server = await inMaintenance(retryAfter);
    try {
      const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      await create({ apiEndpoint: endpoint, heartbeatIntervalMs: 50 }).initialize();
      await until(() => beats > 0);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      expect(beats).toBe(1);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  },
);

test("a signal is aborted with either of two, with its reason", () => {
  for (const index of [0, 1] as const) {
    const both = [new AbortController(), new AbortController()] as const;
    const signal = either(both[0].signal, both[1].signal);
    expect(signal.aborted).toBe(false);
    both[index].abort("why");
    expect([signal.aborted, signal.reason]).toEqual([true, "why"]);
    expect(either(both[index].signal, new AbortController().signal).aborted).toBe(true);
    expect(either(new AbortController().signal, both[index].signal).aborted).toBe(true);
  }
  const only = new AbortController().signal;
  expect(either(only, null)).toBe(only);
});

test("a browser without AbortSignal.any opens the session, and destroy() stops its requests", async () => {
  Reflect.deleteProperty(AbortSignal, "any");
  const sdk = create();
  expect((await sdk.initialize()).status).toBe("active");
  sdk.destroy();
  await expect(sdk.initialize()).rejects.toMatchObject({ code: "DESTROYED" });
});

/** Blocked with cookies: they exist, and throw, with a code that is a number. */
const blocked = () => {
  throw new DOMException("The operation is insecure.", "SecurityError");
};

test.each(["BroadcastChannel", "locks", "localStorage", "sessionStorage"])(
  "where %s is blocked, heartbeats arrive",
  async (what) => {
    const channel = class {
      constructor() {
        blocked();
      }
    };
    if (what === "BroadcastChannel") vi.stubGlobal(what, channel);
    else if (what === "locks")
      vi.stubGlobal(
        "navigator",
        Object.create(navigator, { locks: { value: { request: async () => blocked() } } }),
      );
    else vi.spyOn(window, what as "localStorage", "get").mockImplementation(blocked);
    const failures: number[] = [];
    const sdk = create({
      heartbeatIntervalMs: 60,
      tokenStorage: "session",
      pauseWhenHidden: true,
      onHeartbeat: (data: { failures: number }) => failures.push(data.failures),
    });
    expect((await sdk.initialize()).status).toBe("active");
    await until(() => backend.count("heartbeat") > 2);
    expect(new Set(failures)).toEqual(new Set([0]));
    await sdk.endSession();
  },
);

test.each([
  [new DOMException("blocked", "SecurityError"), "UNEXPECTED", /blocked/],
  [new TypeError("x is not a function"), "UNEXPECTED", /x is not a function/],
  ["thrown text", "UNEXPECTED", /thrown text/],
])("an error that is not ours (%s) keeps its message", async (error, code, message) => {
  const sdk = create({
    onBeforeEnd: () => {
      throw error;
    },
  });
  const { sdkError } = await import("../../src/package/causes");
  expect(sdkError(error)).toMatchObject({ name: "SDKError", code, message: expect.stringMatching(message) });
  // An app that fails to save keeps nobody from ending the session.
  await sdk.initialize();
  await sdk.endSession();
});
