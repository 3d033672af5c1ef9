import type { Check, PageReport, Provider } from "./types";

export const nameOf = (check: Check): string => check.name;

const checkNames: Record<string, string> = {
  dns: "DNS",
  ownership: "Ownership",
  tls: "TLS certificate",
  gate: "Gate",
  time: "Clocks",
  refusal: "Refusal without a session",
  websocket: "WebSocket",
  injection: "Clock in pages",
  policy: "Content security policy",
  origin_lock: "Origin lock",
};
export const titleOf = (check: Check): string => checkNames[nameOf(check)] ?? nameOf(check);

export interface Grade {
  name: string;
  tone: string;
}
const grades: Record<string, Grade> = {
  ok: { name: "OK", tone: "good" },
  warning: { name: "Warning", tone: "warn" },
  failed: { name: "Failed", tone: "danger" },
};
export const gradeOf = ({ grade }: Check): Grade => grades[grade] ?? { name: "Not checked", tone: "" };

/** The URLs at which visitors open a provider's app. */
export function addressesOf({ domains, app_url }: Provider): string[] {
  const urls = domains.map((domain) => `https://${domain.includes(":") ? `[${domain}]` : domain}/`);
  // app_url has the port and the scheme if they are not the defaults.
  const own = app_url ? new URL(app_url) : undefined;
  if (!own) return urls;
  return [own.href, ...urls.filter((url) => new URL(url).hostname !== own.hostname)];
}

const outcomes: Record<string, string> = {
  prefix: "Clock added",
  identity: "Clock added",
  reencode: "Clock added, recompressed",
};
/** Describes what the edge did with a page. */
export const outcomeOf = ({ outcome, injected }: PageReport): string =>
  outcomes[outcome] ?? (injected ? "Clock added" : `No clock: ${outcome.replace(/[_-]+/g, " ")}`);
