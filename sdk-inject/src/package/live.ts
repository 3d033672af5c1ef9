import { retryDelay } from "../backoff";

/**
 * How many sessions there are that are not over.
 *
 * @public
 */
export interface LiveCounts {
  /** Running. */
  active: number;
  /** Their clock stands still. */
  paused: number;
  /** Sold, and not entered yet. */
  pending: number;
}

/**
 * A session as it is after a change. Times are Unix seconds.
 *
 * @public
 */
export interface LiveSession {
  /** The JWT's `jti`. */
  id: string;
  /** The marketplace's id of the user. */
  user_id: string;
  /** Whose app it is for. */
  provider_id: string;
  /** Where it stands. The last four never change again. */
  status: "pending" | "active" | "paused" | "completed" | "expired" | "revoked" | "canceled";
  /** Grows with every change. */
  version: number;
  /** The deadline; 0 while pending. */
  expires_at: number;
  /** When its clock started. */
  started_at?: number;
  /** What was sold, with extensions. */
  duration_limit_seconds: number;
  /** What was set aside for it. */
  tokens_allocated: number;
}

/**
 * What {@link StatsClient.subscribe} tells of. `reset`: something was missed, read anew.
 *
 * @public
 */
export type LiveUpdate =
  | { type: "counts"; counts: LiveCounts }
  | { type: "session"; session: LiveSession }
  | { type: "reset" }
  | { type: "connection"; connected: boolean };

export interface LiveEffects {
  /** Opens a WebSocket; undefined where there are none. */
  open(): WebSocket | undefined;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: never): void;
  random(): number;
  onUpdate(update: LiveUpdate): void;
}

/** Keeps a WebSocket open while it is wanted: again after failures, ever later. */
export function createLive({ open, random, onUpdate, ...clock }: LiveEffects) {
  let socket: WebSocket | undefined;
  let timer: unknown;
  let failures = 0;
  let connected = false;

  const tell = (now: boolean) => {
    connected = now;
    onUpdate({ type: "connection", connected });
  };

  function connect() {
    timer = undefined;
    let mine: WebSocket | undefined;
    try {
      mine = open();
    } catch {} // an address that can't be one, or is not allowed here: nor later
    if (!mine) return tell(false);
    socket = mine;
    mine.onmessage = ({ data }) => {
      let update: LiveUpdate;
      try {
        update = JSON.parse(String(data));
      } catch {
        return; // not ours
      }
      if (socket !== mine) return;
      failures = 0;
      if (!connected) tell(true);
      if (/^(counts|session|reset)$/.test(update?.type)) onUpdate(update);
    };
    mine.onclose = () => {
      if (socket !== mine) return;
      socket = undefined;
      tell(false);
      timer = clock.setTimeout(connect, retryDelay(++failures, random()));
    };
  }

  return {
    start() {
      if (!socket && !timer) connect();
    },
    /** Also before the page goes: an open WebSocket keeps it out of the back/forward cache. */
    stop() {
      clock.clearTimeout(timer as never);
      timer = undefined;
      connected = false;
      const closing = socket;
      socket = undefined;
      closing?.close();
    },
  };
}
