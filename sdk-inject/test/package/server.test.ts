// @vitest-environment node
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { createProviderClient, verifyWebhook } from "../../src/package/server";

const secret = `whsec_${Buffer.from("a secret of a provider").toString("base64")}`;
const now = 1_700_000_000_000;
const body = JSON.stringify({
  type: "session.ended",
  timestamp: "2023-11-14T22:13:20Z",
  data: { id: "s-1", who: "Zoë" },
});

function headers(over: Record<string, string> = {}, text = body) {
  const id = over["webhook-id"] ?? "msg_1";
  const timestamp = over["webhook-timestamp"] ?? `${now / 1000}`;
  const mac = createHmac("sha256", Buffer.from("a secret of a provider")).update(
    `${id}.${timestamp}.${text}`,
  );
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": `v1a,zzz v1,${mac.digest("base64")}`,
    ...over,
  };
}

test("a genuine webhook is read, from text or bytes, by any of the secrets", async () => {
  expect((await verifyWebhook(body, headers(), secret, now)).type).toBe("session.ended");
  const bytes = new TextEncoder().encode(body);
  const event = await verifyWebhook(bytes, new Headers(headers()), ["whsec_b2xk", secret], now);
  expect(event.data).toEqual({ id: "s-1", who: "Zoë" });
});

test.each([
  ["another body", body.replace("s-1", "s-2"), headers(), secret],
  ["another secret", body, headers(), "whsec_b3RoZXI="],
  ["a secret that is none", body, headers(), "whsec_%%"],
  ["a missing header", body, headers({ "webhook-signature": "" }), secret],
  ["a replay", body, headers({ "webhook-timestamp": `${now / 1000 - 301}` }), secret],
  ["a clock that is ahead", body, headers({ "webhook-timestamp": `${now / 1000 + 301}` }), secret],
  ["a time that is none", body, headers({ "webhook-timestamp": "soon" }), secret],
])("refuses %s", async (_, text, given, key) => {
  await expect(verifyWebhook(text, given, key, now)).rejects.toMatchObject({ code: "INVALID_SIGNATURE" });
});

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

async function api(answers: Record<string, [number, object]>) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.headers.authorization} ${request.url}`);
    const [status, answer] = answers[(request.url ?? "").split("?")[0] ?? ""] ?? [404, { code: "not_found" }];
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stops.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { asked, apiEndpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

test("reads a provider's figures with its key, and asks once for what it knows", async () => {
  const root = "/api/v1/providers/prov_1";
  const { asked, apiEndpoint } = await api({
    [`${root}/stats`]: [200, { live: { active: 3, paused: 0, pending: 1 } }],
    [`${root}/sessions`]: [200, { sessions: [] }],
    [`${root}/analytics/revenue`]: [200, { days: [] }],
    [`${root}/analytics/users`]: [200, { days: [] }],
  });
  const client = createProviderClient({ apiEndpoint, apiKey: "sg_prv_x", providerId: "prov_1" });
  expect(await client.getActiveSessionCount()).toBe(3);
  expect((await client.getSessionStats()).live.pending).toBe(1);
  await client.getRevenueStats({ from: "2026-01-01", to: "2026-01-31" });
  await client.getAnalytics("users");
  await client.getSessions({ limit: 5 });
  expect(asked).toEqual([
    `Bearer sg_prv_x ${root}/stats`,
    `Bearer sg_prv_x ${root}/analytics/revenue?from=2026-01-01&to=2026-01-31`,
    `Bearer sg_prv_x ${root}/analytics/users`,
    `Bearer sg_prv_x ${root}/sessions?limit=5`,
  ]);
});

test("a refusal and a dead server are errors with codes", async () => {
  const { apiEndpoint } = await api({});
  const client = createProviderClient({ apiEndpoint, apiKey: "k", providerId: "p" });
  await expect(client.getSessionStats()).rejects.toMatchObject({ code: "NOT_FOUND", statusCode: 404 });
  const dead = createProviderClient({ apiEndpoint: "http://127.0.0.1:9", apiKey: "k", providerId: "p" });
  await expect(dead.getSessionStats()).rejects.toMatchObject({ code: "NETWORK" });
});
