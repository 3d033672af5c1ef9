/** The user's actions, each of which its callers can give up. */
import { type ActionEffects, type Actions, createActions } from "../actions";
import type { Api } from "../api";
import { GateError } from "../errors";
import type { SessionAnswer } from "../protocol";
import { pause } from "./signals";

export interface ActingEffects extends ActionEffects {
  /** Returns an API whose calls end when the signal is aborted. */
  apiFor(signal: AbortSignal): Pick<Api, "change">;
}

/** Runs one action at a time, until it settles or the signal is aborted. */
export type Act = (act: (actions: Actions) => Promise<void>, signal: AbortSignal) => Promise<void>;

/** After an abort: no further try, and the purchase keeps its idempotency key, because its outcome is unknown. */
const givenUp = () => Promise.reject(new GateError("aborted", {}, 0, Number.POSITIVE_INFINITY));

/**
 * If a change was sent and its response was given up, the core fetches the state, as after any other
 * response that is missing.
 */
export function createActing(effects: ActingEffects): Act {
  const { session, clock } = effects;
  let signal: AbortSignal;
  const actions = createActions({
    ...effects,
    api: { change: (...call) => effects.apiFor(signal).change(...call) },
    session: {
      state: session.state,
      perform: (change: () => Promise<SessionAnswer>) =>
        signal.aborted ? givenUp() : session.perform(change),
    },
    clock: {
      ...clock,
      setTimeout: (run, ms) => void pause(clock, ms, signal).then(run),
    },
  });
  return (act, own) => {
    signal = own;
    return act(actions);
  };
}
