// The rules of internal/contrast: a provider's accent color as it stays readable. A test holds both to
// the same results.

/** The contrast that WCAG 2.2 asks of text at level AA. */
export const AA = 4.5;

/** The colors that follow from an accent in one color scheme. */
export interface Shades {
  /** The accent itself, as the background of buttons. */
  fill: string;
  /** Text on the fill: black or white. */
  ink: string;
  /** The accent for text and lines on the page. */
  text: string;
  /** A tint of the surface. */
  soft: string;
}

type Color = readonly [number, number, number];
const BLACK: Color = [0, 0, 0];
const WHITE: Color = [255, 255, 255];

/** The surfaces of light and dark pages, and where a color goes that has too little contrast. */
const light = { page: [0xf6, 0xf6, 0xf3], card: WHITE, toward: BLACK, tint: 0.12 } as const;
const dark = { page: [0x12, 0x14, 0x17], card: [0x1b, 0x1e, 0x23], toward: WHITE, tint: 0.2 } as const;

/** The shades of an accent; undefined if it is not `#rrggbb`. */
export function shadesOf(accent: string): { light: Shades; dark: Shades } | undefined {
  const color = parse(accent);
  return color && { light: shades(light, color), dark: shades(dark, color) };
}

function shades({ page, card, toward, tint }: typeof light | typeof dark, accent: Color): Shades {
  const ink = ratio(accent, WHITE) < ratio(accent, BLACK) ? BLACK : WHITE;
  let text = accent;
  for (let step = 1; step <= 20 && (ratio(text, page) < AA || ratio(text, card) < AA); step++)
    text = mix(accent, toward, step / 20);
  return { fill: hex(accent), ink: hex(ink), text: hex(text), soft: hex(mix(card, accent, tint)) };
}

/** The contrast ratio of WCAG 2.2, from 1 to 21. */
export function contrastOf(a: string, b: string): number {
  const [one, other] = [parse(a), parse(b)];
  return one && other ? ratio(one, other) : 0;
}

function parse(text: string): Color | undefined {
  if (!/^#[0-9a-f]{6}$/i.test(text)) return undefined;
  const n = Number.parseInt(text.slice(1), 16);
  return [n >> 16, (n >> 8) & 255, n & 255];
}

const hex = (color: Color) => `#${color.map((part) => part.toString(16).padStart(2, "0")).join("")}`;

const mix = (from: Color, to: Color, part: number) =>
  from.map((value, i) => Math.floor(value + ((to[i] ?? 0) - value) * part + 0.5)) as unknown as Color;

function ratio(a: Color, b: Color): number {
  const [one, other] = [luminance(a), luminance(b)];
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}

function luminance(color: Color): number {
  const [r = 0, g = 0, b = 0] = color.map((value) => {
    const s = value / 255;
    return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
