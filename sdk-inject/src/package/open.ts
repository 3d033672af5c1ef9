import type { Api } from "../api";
import { GateError } from "../errors";
import type { SessionView } from "../protocol";
import type { Session } from "../session";
import { sdkError } from "./causes";
import { clock } from "./platform";
import { pause } from "./signals";

const TRIES = 3;

/**
 * Fetches the session for the first time. Retries failures, but not refusals.
 *
 * @throws a GateError or an SDKError if the session cannot be opened
 */
export async function openSession(
  session: Session,
  api: Pick<Api, "session">,
  signal: AbortSignal,
): Promise<SessionView> {
  for (let tries = 1; ; tries++) {
    try {
      await session.perform(() => api.session());
      break;
    } catch (error) {
      const { status, code } = error as GateError;
      const refused = status >= 400 && status < 500 && status !== 429;
      if (tries === TRIES || refused || signal.aborted || code === "circuit_open") throw error;
      await pause(clock, 500 * tries * (0.5 + Math.random()), signal);
    }
  }
  const state = session.state();
  if ("view" in state) return state.view;
  throw sdkError(
    new GateError(state.phase === "ended" ? `session_${state.reason}` : "session_missing", {}, 401),
  );
}
