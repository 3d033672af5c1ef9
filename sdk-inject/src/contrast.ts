/**
 * The shades of a provider's accent that can be read, in light and dark. The rules and
 * the results are those of internal/contrast, which the gate's own pages use; a table of
 * vectors holds the two together.
 */

type Color = readonly number[];

/** The colors that follow from an accent in one color scheme, as #rrggbb. */
export interface Shades {
  /** The accent itself, as the background of buttons. */
  fill: string;
  /** Text on `fill`: black or white. */
  ink: string;
  /** The accent for text, lines and focus rings: as near to it as WCAG AA allows. */
  text: string;
  /** A tint of the surface, as the background of pictures. */
  soft: string;
}

/** The contrast that WCAG 2.2 demands of text at level AA. */
export const AA = 4.5;
const BLACK = [0, 0, 0];
const WHITE = [255, 255, 255];
/** The page and what stands on it; where a color goes that has too little contrast; the part of
 *  the accent in `soft`. */
const SCHEMES: [surfaces: [Color, Color], toward: Color, tint: number][] = [
  [[[0xf6, 0xf6, 0xf3], WHITE], BLACK, 0.12],
  [
    [
      [0x12, 0x14, 0x17],
      [0x1b, 0x1e, 0x23],
    ],
    WHITE,
    0.2,
  ],
];

/** The shades in light and dark; undefined for what is no #rrggbb. */
export function shadesOf(accent: unknown): Shades[] | undefined {
  const color = parse(accent);
  if (!color) return undefined;
  return SCHEMES.map(([surfaces, toward, tint]) => {
    let text: Color = color;
    for (let step = 1; step <= 20 && surfaces.some((surface) => ratio(text, surface) < AA); step++)
      text = mix(color, toward, step / 20);
    return {
      fill: hex(color),
      ink: hex(ratio(color, WHITE) < ratio(color, BLACK) ? BLACK : WHITE),
      text: hex(text),
      soft: hex(mix(surfaces[1], color, tint)),
    };
  });
}

/** The contrast ratio of WCAG 2.2, from 1 to 21; 0 for what is no #rrggbb. */
export function contrastOf(one: unknown, other: unknown): number {
  const [a, b] = [parse(one), parse(other)];
  return a && b ? ratio(a, b) : 0;
}

function parse(color: unknown): Color | undefined {
  const digits = typeof color === "string" && /^#[\da-f]{6}$/i.test(color) && color.match(/[\da-f]{2}/gi);
  return digits ? digits.map((two) => Number.parseInt(two, 16)) : undefined;
}

const hex = (color: Color) => `#${color.map((part) => part.toString(16).padStart(2, "0")).join("")}`;

/** A part of the way from one color to another. */
const mix = (from: Color, to: Color, part: number) =>
  from.map((value, i) => Math.floor(value + ((to[i] ?? 0) - value) * part + 0.5));

/** The contrast ratio of WCAG 2.2. */
function ratio(one: Color, other: Color): number {
  const [darker = 0, lighter = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
}

/** The relative luminance of WCAG 2.2. */
function luminance(color: Color): number {
  const [r = 0, g = 0, b = 0] = color.map((value) => {
    const s = value / 255;
    return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
