import type { Site } from "../site/model";

/** What the preview shows. */
export type View = "clock" | "warning" | "ended" | "refused" | "maintenance";

/** What the page of the site settings tells the preview. */
export interface Scene {
  view: View;
  dark: boolean;
  /** The language of the page, such as `de`. */
  language: string;
  /** The app's name if the site sets none. */
  name: string;
  site: Site;
}

/** What the preview says once it can show something. */
export const READY = "sessiongate-preview-ready";

/**
 * A style sheet for light or for dark, whatever the browser prefers, and without motion: the preview
 * shows both beside each other.
 */
export function inScheme(css: string, dark: boolean): string {
  return css
    .replace(/\(prefers-color-scheme:\s*dark\)/g, dark ? "all" : "not all")
    .replace(/\(prefers-reduced-motion:\s*no-preference\)/g, "not all")
    .replace(/color-scheme:\s*light dark/g, `color-scheme: ${dark ? "dark" : "light"}`);
}
