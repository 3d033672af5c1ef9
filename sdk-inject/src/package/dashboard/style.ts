import { type RefObject, useEffect, useRef } from "react";
import css from "./dashboard.css";

let sheet: CSSStyleSheet | undefined;

/** Adds the style sheet to the document or shadow root of an element, once. A constructed style
 *  sheet needs no `unsafe-inline` in the page's policy. */
export function useStyleSheet<T extends HTMLElement>(): RefObject<T | null> {
  const element = useRef<T>(null);
  useEffect(() => {
    const root = element.current?.getRootNode() as Document | ShadowRoot | undefined;
    if (!root) return;
    if (!sheet) {
      sheet = new CSSStyleSheet();
      sheet.replaceSync(css);
    }
    if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.push(sheet);
  }, []);
  return element;
}

/** Formatters of numbers and dates for a language. Days are UTC days, as the service counts them. */
export function formatters(language: string | undefined) {
  const date = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", timeZone: "UTC" });
  const when = { day: "numeric", month: "short", hour: "numeric", minute: "2-digit" } as const;
  const moment = new Intl.DateTimeFormat(language, when);
  const longAgo = new Intl.DateTimeFormat(language, { ...when, year: "numeric" });
  return {
    number: (n: number) => n.toLocaleString(language),
    day: (text: string) => date.format(new Date(`${text}T00:00:00Z`)),
    moment(seconds: number) {
      const at = new Date(seconds * 1000);
      return (at.getFullYear() === new Date().getFullYear() ? moment : longAgo).format(at);
    },
    /** Formats a duration in seconds, minutes or hours. */
    length(seconds: number) {
      const [unit, size] = seconds < 60 ? ["second", 1] : seconds < 5400 ? ["minute", 60] : ["hour", 3600];
      const n = seconds / (size as number);
      return n.toLocaleString(language, { style: "unit", unit: unit as string, maximumFractionDigits: 1 });
    },
  };
}
