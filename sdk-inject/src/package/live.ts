import { retryDelay } from "../backoff";

/**
 * The number of sessions that have not ended, by status.
 *
 * @public
 */
export interface LiveCounts {
  /** Active: the clock is running. */
  active: number;
  /** Paused. */
  paused: number;
  /** Sold, but not entered yet. */
  pending: number;
}

/**
 * The state of a session after a change. Times are Unix seconds.
 *
 * @public
 */
export interface LiveSession {
  /** The JWT's `jti`. */
  id: string;
  /** The marketplace's id for the user. */
  user_id: string;
  /** The provider of the app. */
  provider_id: string;
  /** The status. The last four are final. */
  status: "pending" | "active" | "paused" | "completed" | "expired" | "revoked" | "canceled";
  /** Increases with every change. */
  version: number;
  /** The deadline; 0 while pending. */
  expires_at: number;
  /** When the clock started. */
  started_at?: number;
  /** The time sold, including extensions. */
  duration_limit_seconds: number;
  /** The tokens held for the session. */
  tokens_allocated: number;
}

/**
 * An update from {@link StatsClient.subscribe}. After `reset`, updates were missed: read the data again.
 *
 * @public
 */
export type LiveUpdate =
  | { type: "counts"; counts: LiveCounts }
  | { type: "session"; session: LiveSession }
  | { type: "reset" }
  | { type: "connection"; connected: boolean };

export interface LiveEffects {
  /** Opens a WebSocket. Returns undefined if the runtime has none. */
  open(): WebSocket | undefined;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: never): void;
  random(): number;
  onUpdate(update: LiveUpdate): void;
}

/** Keeps a WebSocket open between start and stop. Reconnects with backoff. */
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
    } catch {} // An invalid or forbidden URL: a retry would fail, too.
    if (!mine) return tell(false);
    socket = mine;
    mine.onmessage = ({ data }) => {
      let update: LiveUpdate;
      try {
        update = JSON.parse(String(data));
      } catch {
        return; // not a message of this protocol
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
    /** Call it on pagehide, too: an open WebSocket keeps the page out of the back/forward cache. */
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
