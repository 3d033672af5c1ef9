import { count, length, number, words } from "./format";
import type { TimelineEntry } from "./types";

export interface TimelineItem {
  at: number;
  kind: TimelineEntry["kind"];
  title: string;
  text: string;
  tone: string;
  /** The delivery's page, for a link. */
  delivery?: { webhook: string; id: string };
}

const transitions: Record<string, [title: string, tone: string]> = {
  created: ["Sold", ""],
  redeemed: ["Entered by its user", "good"],
  relaunched: ["New link made: the old browser is out", "coin"],
  started: ["Clock started", "good"],
  paused: ["Paused", "coin"],
  resumed: ["Clock resumed", "good"],
  extended: ["Extended", "good"],
  warning: ["User warned", "warn"],
  completed: ["Ended", "good"],
  expired: ["Cut off: its time ran out", "danger"],
  revoked: ["Revoked", "danger"],
  canceled: ["Canceled", ""],
};

const ledgers: Record<string, string> = {
  hold: "Tokens set aside",
  capture: "Tokens earned",
  release: "Tokens given back",
  credit: "Tokens credited",
};

const offline: Record<string, string> = {
  counted: "the time counts as used",
  after_end: "the session was over, so nobody paid for it",
  elsewhere: "the link had been used in another browser",
};

/** Converts an entry to the text shown. */
export function describeEntry({ at_ms, kind, name, detail }: TimelineEntry): TimelineItem {
  const item = (title: string, text = "", tone = ""): TimelineItem => ({
    at: at_ms,
    kind,
    title,
    text,
    tone,
  });
  const d = detail ?? {};
  switch (kind) {
    case "session": {
      if (name === "admitted_offline")
        return item(
          "Admitted by an edge that could not reach the service",
          parts(
            amount(d.served_ms, (ms) => `served for ${length(Math.ceil(ms / 1000))}`),
            offline[String(d.outcome)] ?? "",
          ),
          d.outcome === "counted" ? "warn" : "danger",
        );
      // The status tells which kind of end it was.
      const [title, tone] = transitions[name === "ended" ? String(d.status) : name] ?? [words(name), ""];
      // "completed" would repeat the title.
      return item(title, typeof d.reason === "string" && d.reason !== d.status ? words(d.reason) : "", tone);
    }
    case "extension":
      return item(
        "More time bought",
        parts(
          amount(d.seconds, length),
          amount(d.tokens, (n) => `for ${count(n, "token")}`),
        ),
        "good",
      );
    case "ledger":
      return item(
        ledgers[String(d.kind ?? name)] ?? words(name),
        parts(
          amount(d.amount, (n) => count(n, "token")),
          d.debit && d.credit ? `${d.debit} → ${d.credit}` : "",
        ),
        "coin",
      );
    case "delivery": {
      const delivery = item(
        `Webhook ${String(d.type ?? name)}`,
        parts(
          words(String(d.status ?? "")),
          amount(d.attempts, (n) => count(n, "attempt")),
          amount(d.last_status, (n) => n > 0 && `HTTP ${n}`),
        ),
        d.status === "failed" ? "danger" : d.status === "delivered" ? "good" : "coin",
      );
      if (typeof d.webhook_id === "string" && typeof d.delivery_id === "string")
        delivery.delivery = { webhook: d.webhook_id, id: d.delivery_id };
      return delivery;
    }
    case "heartbeats":
      return item(
        "Heartbeats",
        parts(
          amount(d.count, (n) => `${number(n)} so far`),
          amount(d.active, (n) => `${number(n)} with the user at work`),
        ),
      );
    default:
      return item(`Page: ${words(name)}`, Object.keys(d).length ? JSON.stringify(d) : "");
  }
}

const parts = (...texts: unknown[]): string =>
  texts.filter((text) => typeof text === "string" && text).join(" · ");

function amount(value: unknown, format: (n: number) => unknown): string {
  const text = typeof value === "number" ? format(value) : "";
  return typeof text === "string" ? text : "";
}

/** The kinds of the entries, for the filter. */
export function kindsOf(entries: TimelineEntry[]): TimelineEntry["kind"][] {
  return [...new Set(entries.map(({ kind }) => kind))];
}

export const kindNames: Record<TimelineEntry["kind"], string> = {
  session: "Session",
  extension: "Extensions",
  ledger: "Tokens",
  delivery: "Webhooks",
  heartbeats: "Heartbeats",
  page: "Pages",
};
