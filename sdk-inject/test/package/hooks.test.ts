import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { SDKConfig, SDKRequest, SDKResponse } from "../../src/package/index";
import { MarketplaceSDK, NetworkError } from "../../src/package/index";
import { until } from "../fake";
import { leavePage, TestBackend, token } from "./backend";

let backend: TestBackend;
let apiEndpoint: string;
const made: MarketplaceSDK[] = [];

beforeEach(async () => {
  backend = new TestBackend();
  apiEndpoint = await backend.start();
});

afterEach(() => {
  for (const sdk of made.splice(0)) sdk.destroy();
  backend.stop();
  leavePage();
  localStorage.clear();
  vi.restoreAllMocks();
});

function create(config: Partial<SDKConfig> = {}): MarketplaceSDK {
  const sdk = new MarketplaceSDK({ apiEndpoint, token: token(), ui: false, redirect: false, ...config });
  made.push(sdk);
  return sdk;
}

const on = (path: string) => backend.seen.filter((one) => one.path === path);

test("hooks add headers to each request, and see operation, status and duration", async () => {
  const seen: string[] = [];
  const answers: SDKResponse[] = [];
  const sdk = create({
    hooks: {
      beforeRequest: async ({ operation, method, origin, headers }) => {
        seen.push(`${method} ${origin} ${operation}`);
        headers.set("X-Trace", `of-${operation}`);
      },
      afterResponse: (_, response) => void answers.push(response),
    },
  });
  await sdk.initialize();
  await sdk.extend();
  expect(seen).toEqual([`POST ${apiEndpoint} session`, `POST ${apiEndpoint} extend`]);
  expect(on("launch")[0]?.headers["x-trace"]).toBe("of-session");
  expect(on("extend")[0]?.headers["x-trace"]).toBe("of-extend");
  await until(() => answers.length === 2);
  for (const { status, ok, durationMs } of answers) {
    expect([status, ok]).toEqual([200, true]);
    expect(durationMs).toBeGreaterThanOrEqual(0);
  }
});

test("a hook cannot change the headers by which the server knows the session", async () => {
  const launch = token();
  const sdk = create({
    token: launch,
    hooks: {
      beforeRequest({ headers }) {
        for (const name of ["Authorization", "Content-Type", "Idempotency-Key"]) headers.set(name, "theirs");
        headers.delete("Content-Type");
      },
    },
  });
  await sdk.initialize();
  await sdk.extend();
  expect(on("launch")[0]?.headers.authorization).toBe(`Bearer ${launch}`);
  for (const { headers } of backend.seen) {
    expect(headers["content-type"]).toBe("application/json");
    expect([headers.authorization, headers["idempotency-key"]]).not.toContain("theirs");
  }
});

test("hooks do not see the token, unless the SDK that redeemed it asks the request", async () => {
  const requests: SDKRequest[] = [];
  const launch = token();
  const hooks = { beforeRequest: (request: SDKRequest) => void requests.push(request) };
  await create({ token: launch, hooks }).initialize();
  const [first] = requests;
  expect(JSON.stringify([first, [...(first?.headers ?? [])]])).not.toContain("eyJ");
  expect(first?.getToken()).toBe(backend.issued[0]);
  // Another instance shares the calls, and not the token.
  requests.length = 0;
  await create({ token: launch, hooks }).initialize();
  expect(requests.length).toBeGreaterThan(0);
  expect(requests[0]?.getToken()).toBeUndefined();
});

test.each([
  [
    "throws",
    () => {
      throw new Error(`theirs eyJhbGciOi.eyJqdGki.c2ln`);
    },
  ],
  ["rejects", () => Promise.reject(new Error("theirs eyJhbGciOi.eyJqdGki.c2ln"))],
  [
    "throws no Error",
    () => {
      throw "theirs";
    },
  ],
])("a hook that %s is reported with its name, and the session goes on", async (_, hook) => {
  const onError = vi.fn();
  const hooks = { beforeRequest: hook as never, afterResponse: hook as never };
  const sdk = create({ onError, hooks });
  await sdk.initialize();
  await sdk.extend();
  await sdk.pauseTimer();
  const errors = onError.mock.calls.map(([error]) => error);
  expect(errors[0]).toMatchObject({ code: "HOOK_FAILED" });
  expect(errors[0].message).toMatch(/^hooks\.beforeRequest failed: /);
  expect(errors.map(({ message }) => message).join()).not.toContain("eyJ");
  expect(sdk.getSessionData()?.status).toBe("paused");
});

test("a hook that never settles delays a request by a bound", async () => {
  const onError = vi.fn();
  const sdk = create({ onError, hooks: { beforeRequest: () => new Promise(() => {}) } });
  expect((await sdk.initialize()).sessionId).toBe("s-1");
  expect(onError.mock.calls[0]?.[0].message).toContain("did not settle within 2 s");
});

test("onRequestError sees a request without a response, and none that was given up", async () => {
  const failed = vi.fn();
  const sdk = create({ hooks: { onRequestError: failed } });
  backend.script.set("launch", ["drop"]);
  await sdk.initialize();
  expect(failed).toHaveBeenCalledOnce();
  const [request, error] = failed.mock.calls[0] ?? [];
  expect([request.operation, error instanceof NetworkError, error.code]).toEqual([
    "session",
    true,
    "NETWORK",
  ]);
  const aborter = new AbortController();
  const call = sdk.extend({ signal: aborter.signal });
  aborter.abort();
  await expect(call).rejects.toMatchObject({ name: "AbortError" });
  // The state is fetched, and has arrived before the page goes.
  await until(() => backend.count("validate"));
  await sdk.pauseTimer();
  expect(failed).toHaveBeenCalledOnce();
});

test("afterResponse also sees refusals of the server", async () => {
  const statuses: number[] = [];
  const sdk = create({ hooks: { afterResponse: (_, { status }) => void statuses.push(status) } });
  await sdk.initialize();
  backend.script.set("pause", [[403, "pause_not_allowed"]]);
  await expect(sdk.pauseTimer()).rejects.toMatchObject({ code: "PAUSE_NOT_ALLOWED" });
  expect(statuses).toContain(403);
});

test("behind the gate, hooks see the gate's requests and no token", async () => {
  const requests: SDKRequest[] = [];
  const sent: Headers[] = [];
  const gate: typeof fetch = async (_, init) => {
    sent.push(new Headers(init?.headers));
    return new Response(JSON.stringify({ session: backend.session, server_time_ms: Date.now() }));
  };
  Object.defineProperty(navigator, "sendBeacon", { value: () => true, configurable: true });
  Object.defineProperty(window, Symbol.for("sessiongate"), { value: { fetch: gate }, configurable: true });
  const sdk = create({
    token: undefined as never,
    hooks: {
      beforeRequest(request) {
        requests.push(request);
        request.headers.set("X-Trace", "1");
      },
    },
  });
  await sdk.initialize();
  expect([requests[0]?.operation, requests[0]?.origin, requests[0]?.getToken()]).toEqual([
    "session",
    location.origin,
    undefined,
  ]);
  expect(sent[0]?.get("X-Trace")).toBe("1");
});
