import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type Shades, shadesOf } from "../src/contrast";

// internal/contrast holds Go to the same table.
const file = new URL("../../internal/contrast/testdata/vectors.json", import.meta.url);
const vectors: { accent: string; light: Shades; dark: Shades }[] = JSON.parse(readFileSync(file, "utf8"));

test.each(vectors)("the shades of $accent are those of the gate's pages", ({ accent, light, dark }) => {
  expect(shadesOf(accent)).toEqual([light, dark]);
});

test.each([
  "",
  "red",
  "#fff",
  "#0f6b5",
  "#0f6b5cc",
  "0f6b5c",
  "#0f6b5g",
  "#0f6b5c;x",
  "red;}",
  "#0f6b5c\n",
  7,
  null,
  undefined,
  {},
  ["#0f6b5c"],
])("%j is no accent", (accent) => {
  expect(shadesOf(accent)).toBeUndefined();
});
