/** What a page reports, which is loaded when its session is open: analytics, and their delivery. */
import type { Clock } from "../clock";
import { GateError } from "../errors";
import { createAnalytics } from "./analytics";
import { createEventQueue } from "./event-queue";

export interface ReportingEffects {
  /** The id of the session. */
  id: string;
  fetch: typeof globalThis.fetch;
  /** Where the events go. */
  address: string;
  clock: Clock;
  random(): number;
  newKey(): string;
}

export type Reporting = ReturnType<typeof createAnalytics>;

export function createReporting({ id, fetch, address, clock, random, newKey }: ReportingEffects): Reporting {
  return createAnalytics({
    clock,
    random,
    newKey,
    eventQueue: createEventQueue(() => localStorage, id, clock.now),
    async send({ key, events }, keepalive) {
      const response = await fetch(address, {
        method: "POST",
        headers: { "Content-Type": "application/json", "Idempotency-Key": key },
        body: JSON.stringify({ events }),
        cache: "no-store",
        keepalive,
      });
      if (!response.ok) throw new GateError("refused", {}, response.status);
    },
  });
}
