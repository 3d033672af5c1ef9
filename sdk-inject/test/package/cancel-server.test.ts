// @vitest-environment node
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { createProviderClient, verifyWebhook } from "../../src/package/server";
import { until } from "../fake";
import { counted } from "./counted";

const undo: (() => void)[] = [];
afterEach(() => {
  for (const one of undo.splice(0)) one();
});

test("statistics: a request is shared, aborted when all have given up, and asked again", async () => {
  let asked = 0;
  let closed = 0;
  let hang = true;
  const server = createServer((_, response) => {
    asked++;
    response.on("close", () => {
      if (!response.writableEnded) closed++;
    });
    if (!hang) response.end(JSON.stringify({ live: { active: 3 } }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  undo.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const client = createProviderClient({
    apiEndpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    apiKey: "k",
    providerId: "p",
  });
  const [one, other] = [counted(), counted()];
  const both = [client.getSessionStats(one), client.getActiveSessionCount(other)];
  one.abort("one");
  await expect(both[0]).rejects.toBe("one");
  await until(() => asked === 1);
  expect(closed).toBe(0);
  other.abort("other");
  await expect(both[1]).rejects.toBe("other");
  hang = false;
  expect(await client.getActiveSessionCount({ signal: counted().signal })).toBe(3);
  expect([asked, one.listeners(), other.listeners()]).toEqual([2, 0, 0]);
  await expect(client.getSessions({}, { signal: AbortSignal.abort("before") })).rejects.toBe("before");
  expect(asked).toBe(2);
});

test("verifyWebhook takes a signal", async () => {
  await expect(verifyWebhook("", {}, "whsec_x", { signal: AbortSignal.abort("before") })).rejects.toBe(
    "before",
  );
  await expect(verifyWebhook("", {}, "whsec_x", { now: 0 })).rejects.toMatchObject({
    code: "INVALID_SIGNATURE",
  });
});
