import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { dataOf } from "../src/preview/data";
import { inScheme, type Scene } from "../src/preview/scene";
import { print } from "../src/preview/template";
import { DEFAULTS } from "../src/site/model";

const page = readFileSync(new URL("../../../../caddymodule/pages/refusal.html", import.meta.url), "utf8");

describe("the pages of the gate", () => {
  const scene: Scene = { view: "refused", dark: false, language: "en", name: "Acme <b>", site: DEFAULTS };

  it.each(["refused", "maintenance"] as const)("%s: every name in the template has a value", (view) => {
    const text = print(page, dataOf({ ...scene, view }));
    expect(text).not.toMatch(/\{\{|undefined/);
    expect(text).toContain("<h1>");
  });

  it("are in the language of the preview", () => {
    expect(print(page, dataOf({ ...scene, language: "de" }))).toContain('lang="de"');
    expect(print(page, dataOf({ ...scene, language: "ar" }))).toContain('dir="rtl"');
    expect(print(page, dataOf({ ...scene, language: "ja" }))).toContain('lang="en"');
  });
});

describe("a template", () => {
  it("prints what is true, and escapes it", () => {
    const source = '{{if or .A (and .B (not .C))}}<{{.B}}>{{else if eq .C "x"}}x{{else}}none{{end}}.';
    expect(print(source, { A: "", B: "<&\"'>", C: "" })).toBe("<&#60;&#38;&#34;&#39;&#62;>.");
    expect(print(source, { A: "", B: "", C: "x" })).toBe("x.");
    expect(print(source, { A: "", B: 0, C: "y" })).toBe("none.");
  });

  it.each(["{{range .A}}{{end}}", "{{.B}}", "{{if .A}}", "{{end}}", "{{template}}", "{{.A | html}}"])(
    "%s is an error",
    (source) => {
      expect(() => print(source, { A: "a" })).toThrow("template");
    },
  );
});

it("a style sheet is for light or for dark", () => {
  const css = ":root{color-scheme: light dark}@media (prefers-color-scheme:dark){a{b:c}}";
  expect(inScheme(css, true)).toBe(":root{color-scheme: dark}@media all{a{b:c}}");
  expect(inScheme(css, false)).toBe(":root{color-scheme: light}@media not all{a{b:c}}");
});
