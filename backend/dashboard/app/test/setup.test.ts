import { expect, test } from "vitest";
import { done, type Known, nextStep } from "../src/setup";
import type { Check, DomainState, PageReport, Provider } from "../src/types";

const provider = {
  id: "prov_a",
  name: "A",
  domains: [],
  domain_states: {},
  origin_url: "",
  app_url: "",
  policies: {},
} as unknown as Provider;
const fresh: Known = { provider, checks: undefined, pages: [], webhooks: 0 };
const page = (injected: boolean) =>
  ({ host: "a.example", path: "/", outcome: "prefix", injected }) as PageReport;
const checks = (name: Check["name"], grade: "ok" | "failed") => ({
  url: "",
  at: 0,
  failed: 0,
  checks: [{ name, grade, found: "", remedy: "" }],
});

test("progress is what the service knows", () => {
  expect(done(fresh)).toEqual({ app: false, origin: false, dns: false, page: false, webhooks: false });
  const all = done({
    provider: {
      ...provider,
      domains: ["a.example"],
      domain_states: { "a.example": "vouched" },
      origin_url: "https://o.example",
    },
    checks: undefined,
    pages: [page(true)],
    webhooks: 1,
  });
  expect(Object.values(all)).toEqual([true, true, true, true, true]);
  expect(nextStep(all)).toBe("webhooks");
});

test("one goes on where one left", () => {
  const at = (known: Partial<Known>) => nextStep(done({ ...fresh, ...known }));
  const named = { ...provider, domains: ["a.example"], domain_states: { "a.example": "vouched" as const } };
  const whole = { ...named, origin_url: "https://o.example" };
  expect(at({})).toBe("app");
  expect(at({ provider: named })).toBe("origin");
  expect(at({ provider: whole })).toBe("dns");
  expect(at({ provider: whole, checks: checks("dns", "failed") })).toBe("dns");
  expect(at({ provider: whole, checks: checks("dns", "ok") })).toBe("page");
  expect(at({ provider: whole, checks: checks("gate", "ok") })).toBe("page");
  expect(at({ provider: whole, pages: [page(false)] })).toBe("page");
  expect(at({ provider: whole, pages: [page(true)] })).toBe("webhooks");
  const as = (state: DomainState) => ({ ...whole, domain_states: { "a.example": state } });
  expect(at({ provider: as("proven") })).toBe("page");
  expect(at({ provider: as("pending"), pages: [page(true)] })).toBe("dns");
  expect(at({ provider: as("suspended"), checks: checks("gate", "ok") })).toBe("dns");
});
