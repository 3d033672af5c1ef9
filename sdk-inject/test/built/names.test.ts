import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
// @ts-expect-error a script without types
import { only, open, ours } from "../../scripts/names.mjs";

// The build shortens names of properties. Those of the package's API must not be among them.

/** Members that apps name in their own objects, which are read by string keys; and what is passed through. */
const readByKey = ["Texts", "SessionRow"];

test("no member of the API has a name that the build shortens", () => {
  const short: RegExp = only(ours.filter((name: string) => !open.includes(name)));
  const found: string[] = [];
  let members = 0;
  for (const file of readdirSync("api")) {
    let owner = "";
    for (const line of readFileSync(`api/${file}`, "utf8").split("\n")) {
      owner = /^export (?:interface|class|type) (\w+)/.exec(line)?.[1] ?? owner;
      const member = /^\s+(?:readonly )?(\w+)\??[(:]/.exec(line)?.[1];
      if (!member) continue;
      members++;
      if (short.test(member) && !readByKey.includes(owner)) found.push(`${file}: ${owner}.${member}`);
    }
  }
  expect([found, members > 200]).toEqual([[], true]);
});

test("the built package reads the settings that an app names", async () => {
  const { MarketplaceSDK } = await import("../../lib/index.js" as string);
  const config = { apiEndpoint: "https://api.example", telemetry: { endpoint: "https://errors.example/" } };
  expect(() => new MarketplaceSDK(config)).not.toThrow();
  expect(() => new MarketplaceSDK({ ...config, telemetry: { endpoint: "" } })).toThrow(/telemetry/);
});
