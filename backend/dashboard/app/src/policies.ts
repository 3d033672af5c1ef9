import { count, length, number } from "./format";
import type { Policies } from "./types";

/** The thresholds of a provider that sets none, in seconds. */
const DEFAULT_WARNINGS = [300, 60];

/** Explains the policies in sentences, by the example of an hour for 60 tokens. */
export function policySummary({
  settlement,
  pause,
  warning_seconds,
  launch_window_seconds,
}: Policies): string[] {
  const sentences = [
    settlement === "prorated"
      ? "A user who bought 60 minutes for 60 tokens and ends after 20 pays 20 tokens; 40 go back."
      : "A user who bought 60 minutes for 60 tokens and ends after 20 pays all 60 tokens.",
    "A session that nobody enters is charged or released as its sale said. If the sale said nothing, it is charged like any other if its clock starts at the sale, and released if its clock starts on entry.",
  ];
  sentences.push(
    pause?.max_count && pause.max_seconds
      ? `Users may pause ${pause.max_count === 1 ? "once" : `up to ${number(pause.max_count)} times`}, for ${length(pause.max_seconds)} in all. The paid clock stands still meanwhile.`
      : "Users can't pause: the paid clock runs until the end.",
  );
  const warnings = warning_seconds?.length ? warning_seconds : DEFAULT_WARNINGS;
  sentences.push(`They are warned ${warnings.map((s) => length(s)).join(" and ")} before the end.`);
  sentences.push(
    `A session whose clock starts on entry waits ${length(launch_window_seconds || 900)} for its user; after that it is canceled and the tokens go back.`,
  );
  return sentences;
}

/** Parses warning times in minutes from a text field; undefined if the text is invalid. */
export function warningsOf(text: string): number[] | undefined {
  const minutes = text
    .split(/[\s,;]+/)
    .filter(Boolean)
    .map(Number);
  if (minutes.length > 10 || minutes.some((m) => !(m > 0) || m > 1440)) return undefined;
  return [...new Set(minutes.map((m) => Math.round(m * 60)))].sort((a, b) => b - a);
}

export const warningsText = (seconds: number[] = []): string =>
  seconds.map((s) => String(+(s / 60).toFixed(2))).join(", ");

/** The name of a webhook's state, and the reason for it. */
export function webhookState(webhook: {
  enabled: boolean;
  disabled_reason?: string;
  failing_since?: number;
}): {
  name: string;
  tone: string;
  why: string;
} {
  if (!webhook.enabled) {
    const why = {
      gone: "It answered 410 Gone, so nothing is sent to it any more.",
      failing: "Every attempt failed for five days.",
      requested: "You turned it off.",
    } as Record<string, string>;
    return { name: "Off", tone: "", why: why[webhook.disabled_reason ?? ""] ?? "It is turned off." };
  }
  if (webhook.failing_since)
    return {
      name: "Failing",
      tone: "warn",
      why: "Every attempt has failed lately, so attempts are up to a minute apart. See the responses below.",
    };
  return { name: "On", tone: "good", why: "" };
}

/** Describes the last response to a delivery. */
export const answered = (status: number | undefined, attempts: number): string =>
  status ? `HTTP ${status}` : attempts ? "No answer" : "Not tried yet";

export const tries = (n: number): string => count(n, "attempt");
