import type { Api } from "./api";
import { retryDelay } from "./backoff";
import type { Clock } from "./clock";
import { GateError } from "./errors";
import type { Extension, SessionAnswer } from "./protocol";
import type { Session } from "./session";
import { stateOf } from "./state";

/** The user's actions on the session. Each rejects with a {@link GateError}. */
export interface Actions {
  /** Buys the offered time at the offered price. */
  extend(offer: Extension): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  end(): Promise<void>;
}

export interface ActionEffects {
  api: Pick<Api, "change">;
  session: Pick<Session, "perform" | "state">;
  clock: Clock;
  random(): number;
  /** Returns a new random idempotency key. */
  newKey(): string;
}

const TRIES = 3;
/** The user waits for an action. A longer Retry-After is shown as an error. */
const LONGEST_WAIT_MS = 5_000;

/** Whether the same call may succeed later: its outcome is unknown, or it was deferred. */
export function isTransient({ status, code }: GateError): boolean {
  return status < 400 || status === 429 || status >= 500 || code === "invalid_answer";
}

export function createActions({ api, session, clock, random, newKey }: ActionEffects): Actions {
  let purchase: { key: string; offer: string; version: number } | undefined;
  let buying: Promise<void> | undefined;

  /** Retries while the outcome is unknown. */
  async function persist(change: () => Promise<SessionAnswer>): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await session.perform(change);
      } catch (caught) {
        const error = caught as GateError;
        const wait = error.retryAfterMs || retryDelay(tries, random()) / 2;
        if (!isTransient(error) || tries === TRIES || wait > LONGEST_WAIT_MS) throw error;
        await new Promise<void>((resolve) => clock.setTimeout(resolve, wait));
      }
    }
  }

  /**
   * A purchase keeps its idempotency key over retries and further clicks until its outcome is
   * known, so that a lost response never charges twice.
   */
  async function buy(offer: Extension): Promise<void> {
    const { additional_seconds, tokens, used } = offer;
    const state = session.state();
    // Another price or count of purchases means a new purchase.
    const meant = [additional_seconds, tokens, used].join();
    if (purchase?.offer !== meant)
      purchase = { key: newKey(), offer: meant, version: "view" in state ? state.view.version : 0 };
    const { key, version } = purchase;
    try {
      await persist(async () => {
        const answer = await api.change("extend", { additional_seconds, tokens_to_deduct: tokens }, key);
        // Bought, but the gate does not know it yet: treat it as no response.
        if (answer.session.version <= version) throw new GateError("invalid_answer");
        return answer;
      });
      purchase = undefined;
    } catch (error) {
      if (!isTransient(error as GateError)) purchase = undefined;
      throw error;
    }
  }

  return {
    extend(offer) {
      buying ??= buy(offer).finally(() => {
        buying = undefined;
      });
      return buying;
    },
    pause: () => persist(() => api.change("pause")),
    resume: () => persist(() => api.change("resume")),
    end: () =>
      persist(async () => {
        const answer = await api.change("end");
        const { session: after } = answer;
        // The session has ended, even if the gate does not know it yet.
        return stateOf(after).phase === "ended"
          ? answer
          : { ...answer, session: { ...after, status: "completed" } };
      }),
  };
}
