import { shadesOf } from "../../../../../sdk-inject/src/contrast";
import type { ApiError } from "../api";
import type { Site } from "./model";

const MAX_GRACE_S = 3600;
const MAX_SESSIONS = 1_000_000;

/** What is wrong with the settings, by name, before the service is asked. */
export function problemsOf({ upload_grace_seconds, max_sessions, brand }: Site): Record<string, string> {
  const problems: Record<string, string> = {};
  if (!(upload_grace_seconds >= 0 && upload_grace_seconds <= MAX_GRACE_S))
    problems.upload_grace_seconds = "Enter 0 to 3600 seconds.";
  if (!(max_sessions >= 0 && max_sessions <= MAX_SESSIONS)) problems.max_sessions = "Enter 0 to 1,000,000.";
  if (brand.accent && !/^#[0-9a-f]{3}$/i.test(brand.accent) && !shadesOf(brand.accent))
    problems["brand.accent"] = "Enter a color such as #0f6b5c.";
  for (const name of ["shop_url", "support_url", "logo_url"] as const) {
    const text = brand[name];
    if (
      text &&
      !/^https:\/\/[^/]/i.test(text) &&
      !/^http:\/\/(localhost|127\.0\.0\.1|\[::1\])([:/]|$)/i.test(text)
    )
      problems[`brand.${name}`] = "Enter an address that begins with https://.";
  }
  return problems;
}

/** The errors of a refused change, by the name of the setting, and what belongs to none. */
export function errorsOf(error: ApiError, names: string[]): { fields: Record<string, string>; rest: string } {
  const fields: Record<string, string> = {};
  // "site.brand.accent must be …", where the service has no more than a text.
  const [, named = "", said = ""] = /^(site\.[\w.[\]-]*\w\]?):? (.*)$/s.exec(error.message) ?? [];
  const all = error.fields.length || !named ? error.fields : [{ field: named, message: said }];
  let rest = all.length ? "" : error.message;
  for (const { field, message } of all) {
    const path = field.replace(/^site\./, "").replace(/\[(\d+)\]/g, ".$1");
    const name = names.find((one) => path === one || path.startsWith(`${one}.`));
    if (!name) rest ||= error.message;
    // A text has a field of its own.
    else if (name === "clock.texts") fields[path] = message;
    else
      fields[name] = [fields[name], lineOf(path.slice(name.length + 1)), message].filter(Boolean).join(" ");
  }
  return { fields, rest };
}

/** "Line 3:" for the third of a list. */
const lineOf = (index: string) => (/^\d+$/.test(index) ? `Line ${Number(index) + 1}:` : "");
