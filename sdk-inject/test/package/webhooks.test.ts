// @vitest-environment node
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { AuthError, createProviderClient } from "../../src/package/server";

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

async function client(answer: (asked: string, body: string) => [number, object?]) {
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const line = `${request.method} ${request.url}${body && ` ${body}`}`;
    asked.push(`${request.headers.authorization} ${line}`);
    const [status, json] = answer(`${request.method} ${request.url}`, body);
    response.writeHead(status, { "Content-Type": "application/json" }).end(json && JSON.stringify(json));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stops.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const apiEndpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return { asked, ...createProviderClient({ apiEndpoint, apiKey: "sg_prv_x", providerId: "prov/1" }) };
}

const root = "/api/v1/providers/prov%2F1/webhooks";

test("webhooks are created, listed over pages, tested and deleted with the provider's key", async () => {
  const { webhooks, asked } = await client((line) => {
    if (line === `POST ${root}`) return [201, { webhook: { id: "wh_1" }, secret: "whsec_x" }];
    if (line === `GET ${root}`) return [200, { webhooks: [{ id: "wh_1" }], next_cursor: "a b" }];
    if (line === `GET ${root}?cursor=a%20b`) return [200, { webhooks: [{ id: "wh_2" }] }];
    if (line === `DELETE ${root}/wh_1`) return [204];
    return [200, { delivered: true, delivery: {}, attempt: { status: 200 } }];
  });
  expect(
    (await webhooks.create({ url: "https://hooks.app.example/", events: ["session.ended"] })).secret,
  ).toBe("whsec_x");
  expect((await webhooks.list()).map(({ id }) => id)).toEqual(["wh_1", "wh_2"]);
  expect((await webhooks.test("wh_1", { type: "session.ended" })).delivered).toBe(true);
  await webhooks.test("wh_1");
  expect(await webhooks.delete("wh_1")).toBeUndefined();
  expect(asked).toEqual([
    `Bearer sg_prv_x POST ${root} {"url":"https://hooks.app.example/","events":["session.ended"]}`,
    `Bearer sg_prv_x GET ${root}`,
    `Bearer sg_prv_x GET ${root}?cursor=a%20b`,
    `Bearer sg_prv_x POST /api/v1/webhooks/test {"webhook_id":"wh_1","type":"session.ended"}`,
    `Bearer sg_prv_x POST /api/v1/webhooks/test {"webhook_id":"wh_1"}`,
    `Bearer sg_prv_x DELETE ${root}/wh_1`,
  ]);
});

test("a refusal has its class and code, and never the key", async () => {
  const { webhooks } = await client(() => [403, { code: "forbidden", detail: "Not this provider." }]);
  const error = await webhooks.delete("wh_1").catch((failed: unknown) => failed);
  expect(error).toBeInstanceOf(AuthError);
  expect(error).toMatchObject({ code: "FORBIDDEN", statusCode: 403, message: "Not this provider." });
  expect(JSON.stringify(error)).not.toContain("sg_prv_x");
});

test("a list whose pages never end is read to a bound", async () => {
  const { webhooks, asked } = await client(() => [200, { webhooks: [], next_cursor: "again" }]);
  expect(await webhooks.list()).toEqual([]);
  expect(asked.length).toBe(20);
});

test("calls can be given up, before and while they are under way", async () => {
  const aborter = new AbortController();
  const { webhooks, asked } = await client(() => {
    aborter.abort("enough");
    return [200, { webhooks: [], next_cursor: "again" }];
  });
  await expect(webhooks.list({ signal: AbortSignal.abort("before") })).rejects.toBe("before");
  expect(asked).toEqual([]);
  await expect(webhooks.list({ signal: aborter.signal })).rejects.toBe("enough");
  expect(asked.length).toBe(1);
});
