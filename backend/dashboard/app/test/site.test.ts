import { describe, expect, it } from "vitest";
import { ApiError } from "../src/api";
import { changeOf, DEFAULTS, namesOf, type Site } from "../src/site/model";
import { pathProblems, pathsOf } from "../src/site/paths";
import { errorsOf, problemsOf } from "../src/site/problems";

const site = (part: Partial<Site>): Site => ({ ...DEFAULTS, ...part });

describe("open paths", () => {
  it("are read as people mean them", () => {
    expect(pathsOf("robots.txt\n\n  /hooks/* \nhttps://app.example.com/a/b\n/robots.txt")).toEqual([
      "/robots.txt",
      "/hooks/*",
      "/a/b",
    ]);
  });

  it.each([
    ["/", "whole app"],
    ["/*", "whole app"],
    ["//*", "whole app"],
    ["*", "whole app"],
    ["https://app.example.com", "whole app"],
    ["/a?b=1", "Leave out ?"],
    ["/a#b", "Leave out ?"],
    ["/hooks/../app", "different ways"],
    ["/a%2fb", "different ways"],
    ["/a\\b", "different ways"],
    ["/a;b", "different ways"],
    ["/a//b", "different ways"],
    ["/a b", "without spaces"],
    ["/.session-gate/session", "gate"],
    ["/.SESSION-gate/*", "gate"],
    ["/.s*", "gate"],
    ["/a*b", "one star"],
    ["/*/a/*", "one star"],
    [`/${"a".repeat(200)}`, "200 bytes"],
  ])("%s is refused at its line", (path, why) => {
    const [problem, ...more] = pathProblems(`/robots.txt\n\n${path}\n/ok`);
    expect(problem).toMatchObject({ line: 3 });
    expect(problem?.text).toContain(why);
    expect(more).toEqual([]);
  });

  it.each(["/robots.txt", "/hooks/*", "/.well-known/*", "/*.css", "/api/v1/stripe-webhook", "/a~b"])(
    "%s is fine",
    (path) => {
      expect(pathProblems(path)).toEqual([]);
    },
  );

  it("are at most a hundred", () => {
    const lines = Array.from({ length: 101 }, (_, i) => `/${i}`).join("\n");
    expect(pathProblems(lines)).toEqual([{ line: 101, text: expect.stringContaining("At most 100") }]);
  });
});

describe("a change", () => {
  it("has what differs, and nothing else", () => {
    const from = site({
      open_paths: ["/a"],
      brand: { ...DEFAULTS.brand, app_name: "Old", accent: "#112233" },
    });
    const to = site({
      open_paths: ["/a"],
      max_sessions: 5,
      brand: { ...from.brand, app_name: "New" },
      clock: { ...DEFAULTS.clock, texts: { de: { warning: "Bald" } } },
    });
    const change = changeOf(from, to);
    expect(change).toEqual({
      max_sessions: 5,
      brand: { app_name: "New" },
      clock: { texts: { de: { warning: "Bald" } } },
    });
    expect(namesOf(change)).toEqual(["max_sessions", "brand.app_name", "clock.texts"]);
    expect(changeOf(from, from)).toEqual({});
  });

  it("undoes itself", () => {
    const from = site({ open_paths: ["/a"] });
    const to = site({ maintenance: { on: true, message: "Soon", until: 5 } });
    expect(changeOf(to, from)).toEqual({
      open_paths: ["/a"],
      maintenance: { on: false, message: "", until: 0 },
    });
  });

  it("does not depend on the order of names", () => {
    const from = site({ clock: { ...DEFAULTS.clock, texts: { de: { warning: "a", ended: "b" }, en: {} } } });
    const to = site({ clock: { ...DEFAULTS.clock, texts: { en: {}, de: { ended: "b", warning: "a" } } } });
    expect(changeOf(from, to)).toEqual({});
  });
});

describe("errors", () => {
  const names = ["open_paths", "brand.accent", "brand.logo_url", "clock.texts"];

  it("of the service are at their fields", () => {
    const fields = [
      { field: "site.open_paths[2]", message: "This opens the whole app." },
      { field: "site.brand.accent", message: "No color." },
      { field: "site.clock.texts.de.warning", message: "Too long." },
    ];
    expect(errorsOf(new ApiError("Refused.", 422, "invalid_request", fields), names)).toEqual({
      fields: {
        open_paths: "Line 3: This opens the whole app.",
        "brand.accent": "No color.",
        "clock.texts.de.warning": "Too long.",
      },
      rest: "",
    });
  });

  it("that belong to no field are kept", () => {
    expect(errorsOf(new ApiError("Not responding.", 0, "offline"), names)).toEqual({
      fields: {},
      rest: "Not responding.",
    });
    const fields = [{ field: "site", message: "Too large." }];
    expect(errorsOf(new ApiError("site: Too large.", 422, "", fields), names).rest).toBe("site: Too large.");
  });

  it("are found before the service is asked", () => {
    const brand = { ...DEFAULTS.brand, accent: "red", logo_url: "ftp://x", shop_url: "http://localhost:9/a" };
    expect(
      Object.keys(problemsOf(site({ upload_grace_seconds: Number.NaN, max_sessions: 1e7, brand }))),
    ).toEqual(["upload_grace_seconds", "max_sessions", "brand.accent", "brand.logo_url"]);
    expect(problemsOf(site({ brand: { ...DEFAULTS.brand, accent: "#0f6b5c" } }))).toEqual({});
  });
});
