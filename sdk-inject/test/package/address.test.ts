import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MarketplaceSDK, type SDKConfig, SDKError } from "../../src/package/index";
import { pageRecord } from "../../src/package/page";
import { isLaunchToken } from "../../src/package/token";
import { leavePage, TestBackend, token } from "./backend";

// What is taken from the address, and what is left there.

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
  sessionStorage.clear();
  history.replaceState(null, "", "/");
});

function open(config: Partial<SDKConfig> = {}) {
  const sdk = new MarketplaceSDK({ apiEndpoint, ui: false, redirect: false, ...config });
  made.push(sdk);
  return sdk.initialize();
}
const at = (address: string) => history.replaceState(null, "", address);
const address = () => location.pathname + location.search + location.hash;
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
/** A JWT of the page's own, for example of its login. */
const own = `${part({ alg: "HS256", typ: "JWT" })}.${part({ jti: "x", sub: "user" })}.c2ln`;

describe.each(["morning", "", "a.b.c", "100%", own, `${own}.x`])("the page's own ?session=%s", (value) => {
  test("stays in the address, and is no token", async () => {
    at(`/plan?session=${value}&day=2#top`);
    await expect(open()).rejects.toMatchObject({ code: "MISSING_TOKEN" });
    expect(address()).toBe(`/plan?session=${value}&day=2#top`);
  });

  test("stays beside a launch token, and while the session goes on", async () => {
    at(`/plan?session=${value}&session=${token()}&day=2`);
    expect((await open({ tokenStorage: "session" })).status).toBe("active");
    expect(address()).toBe(`/plan?session=${value}&day=2`);
    at(`/other?session=${value}`);
    expect((await open({ tokenStorage: "session" })).status).toBe("active");
    expect(address()).toBe(`/other?session=${value}`);
    leavePage(); // a reload: the token is in the storage
    expect((await open({ tokenStorage: "session" })).status).toBe("active");
  });
});

test.each([
  ["/?session=TOKEN", "/"],
  ["/?session=TOKEN&session=TOKEN", "/"],
  ["/?a=1&session=TOKEN&b=%20;c", "/?a=1&b=%20;c"],
  ["/a/b?x&session=TOKEN#/route?y=1", "/a/b?x#/route?y=1"],
  ["/?mysession=TOKEN&session=TOKEN", "/?mysession=TOKEN"],
])("of %s remains %s", async (before, after) => {
  const made = token();
  at(before.replaceAll("TOKEN", made));
  await open();
  expect(address()).toBe(after.replaceAll("TOKEN", made));
  at(before.replaceAll("TOKEN", made));
  expect(address()).toBe(after.replaceAll("TOKEN", made));
});

test("a token that is percent-encoded is taken, and leaves the address", async () => {
  at(`/?session=${token().replace("ey", "%65%79")}`);
  await open();
  expect(address()).toBe("/");
});

test("a token in the configuration leaves the address, too", async () => {
  const made = token();
  at(`/?session=${made}&keep=1`);
  await open({ token: made });
  expect(address()).toBe("/?keep=1");
});

test("behind the gate, the address is the gate's and the page's", async () => {
  const gate: typeof fetch = async () =>
    Response.json({ session: backend.session, server_time_ms: Date.now() });
  Object.defineProperty(window, Symbol.for("sessiongate"), { value: { fetch: gate }, configurable: true });
  Object.defineProperty(navigator, "sendBeacon", { value: () => true, configurable: true });
  const made = token();
  at(`/?session=${made}`);
  expect((await open()).status).toBe("active");
  expect(location.search).toBe(`?session=${made}`);
  expect(backend.seen).toEqual([]);
});

test("the record of the page gives calls, not the token", async () => {
  at(`/?session=${token()}`);
  await open();
  const { access } = pageRecord();
  expect(access?.claims.jti).toBe("s-1");
  expect(JSON.stringify(access)).not.toContain("eyJ");
});

test.each([
  "https://api.example",
  "http://localhost:8081",
  "http://127.0.0.1:8081",
  "http://127.8.9.1",
  "http://[::1]:80",
  "http://app.localhost",
])("apiEndpoint may be %s", (endpoint) => {
  expect(() => new MarketplaceSDK({ apiEndpoint: endpoint })).not.toThrow();
});

test.each([
  "http://localhost.evil.example",
  "http://127.evil.example",
  "http://127.0.0.1.evil.example",
  "http://localhost@evil.example",
  "http://[::1].evil.example",
  "http://evil.example/?x=http://localhost",
  "https://",
  "//api.example",
  "/api",
  "javascript:alert(1)",
  "ws://localhost",
])("apiEndpoint may not be %s", (endpoint) => {
  const create = () => new MarketplaceSDK({ apiEndpoint: endpoint });
  expect(create).toThrow(SDKError);
  expect(create).toThrow(expect.objectContaining({ code: "INVALID_CONFIG" }));
});

test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 30 * 86_400_000])(
  "no interval may be %d ms",
  (ms) => {
    for (const setting of ["heartbeatIntervalMs", "timeoutMs"])
      expect(() => new MarketplaceSDK({ apiEndpoint, [setting]: ms })).toThrow(/from 1 to 2147483647/);
  },
);

test("a launch token is told by its type", () => {
  expect(isLaunchToken(token())).toBe(true);
  for (const other of [
    own,
    "",
    "x",
    `${part({ typ: "launch+jwt" })}.${part({})}.c2ln`,
    `${part({ typ: "session+jwt" })}.${part({ jti: "s" })}.x`,
  ])
    expect(isLaunchToken(other)).toBe(false);
});
