/**
 * A provider's statistics and live updates. They need the provider's key, which belongs on a server:
 * in a page, use a path of your own server that forwards to the session service and adds the key.
 *
 * @packageDocumentation
 */
import { type CallOptions, shared } from "./cancel";
import { createLive, type LiveCounts, type LiveSession, type LiveUpdate } from "./live";
import { askService } from "./service-request";
import { outside, presentZone } from "./zone";

export type { CallOptions } from "./cancel";

export {
  AuthError,
  type AuthErrorCode,
  NetworkError,
  type NetworkErrorCode,
  SDKError,
  type SDKErrorCode,
  ValidationError,
  type ValidationErrorCode,
} from "./errors";
export type { LiveCounts, LiveSession, LiveUpdate } from "./live";

/**
 * The configuration of {@link createStatsClient}.
 *
 * @public
 */
export interface StatsClientConfig {
  /** The URL of the session service, or of the proxy on your server. In a page, a path (`""`, `/market`) also works. */
  apiEndpoint: string;
  /** The provider's id, `prov_…`. */
  providerId: string;
  /** The provider's key, `sg_prv_…`. A secret: set it on a server only. In a page, your server adds it. */
  apiKey?: string | undefined;
  /** Default: the runtime's fetch. */
  fetch?: typeof fetch | undefined;
  /** Default: the runtime's WebSocket. Without one there are no live updates. */
  WebSocket?: typeof WebSocket | undefined;
  /** How long responses are cached, in milliseconds. 0 disables the cache. Default: 10 000. */
  cacheMs?: number | undefined;
  /** The timeout of one request, in milliseconds. Default: 10 000. */
  timeoutMs?: number | undefined;
}

/**
 * A range of days in UTC, such as `2026-01-31`. Default: the last 30 days.
 *
 * @public
 */
export interface Period {
  /** The first day. */
  from?: string | undefined;
  /** The last day. */
  to?: string | undefined;
  /** What the sessions are for. Default: live, the sold ones. */
  mode?: "live" | "test" | "staff" | "preview" | undefined;
}

/**
 * A summary of a provider's statistics.
 *
 * @public
 */
export interface SessionStats {
  /** The provider's id. */
  provider_id: string;
  /** Sessions that have not ended. */
  live: LiveCounts;
  /** Totals since midnight UTC. */
  today: { sessions: number; users: number; captured: number };
  /** Totals of all time. */
  total: { sessions: number; users: number; captured: number; released: number; used_seconds: number };
  /** The Unix time up to which `today` and `total` are counted; 0 if they are not counted yet. */
  as_of: number;
}

/**
 * Statistics by day, and their sum.
 *
 * @public
 */
export interface Analysis<T> {
  /** The provider's id. */
  provider_id: string;
  /** The first day. */
  from: string;
  /** The last day. */
  to: string;
  /** The Unix time up to which the days are counted; 0 if they are not counted yet. */
  as_of: number;
  /** Every day of the period. */
  days: (T & { date: string })[];
  /** The sum of the days. */
  total: T;
}

/**
 * Sessions that were created on a day.
 *
 * @public
 */
export interface SessionDay {
  /** Sessions created. */
  sessions: number;
  /** Those that the user entered. */
  entered: number;
  /** Those ended by the user or the marketplace. */
  completed: number;
  /** Those whose time ran out. */
  expired: number;
  /** Those revoked by the operator or the marketplace, who choose the refund. */
  revoked: number;
  /** Those never entered. */
  canceled: number;
  /** Extensions bought for these sessions. */
  extensions: number;
  /** Tokens held. */
  tokens_allocated: number;
  /** Seconds sold. */
  paid_seconds: number;
  /** Seconds used. */
  used_seconds: number;
}

/**
 * The tokens earned on a day.
 *
 * @public
 */
export interface RevenueDay {
  /** Sessions from which tokens were captured. */
  settlements: number;
  /** Tokens earned. */
  captured: number;
  /** Tokens returned to users. */
  released: number;
  /** Tokens held. */
  held: number;
}

/**
 * Users who had a session created on a day.
 *
 * @public
 */
export interface UserDay {
  /** All users. */
  users: number;
  /** Users without an earlier session. */
  new_users: number;
  /** Users with an earlier session. */
  returning: number;
}

/**
 * A session in the history.
 *
 * @public
 */
export interface SessionRow extends LiveSession {
  /** When it was sold. */
  created_at: number;
  /** When its clock starts: at the sale, or when the user enters. */
  clock: "creation" | "launch";
  /** Until when a pending session can be entered. */
  launch_by?: number;
  /** When it ended. */
  ended_at?: number;
  /** Why it ended: `deadline`, `user_ended`, … */
  end_reason?: string;
  /** How the tokens were split, once the session has ended. */
  settlement?: {
    captured: number;
    released: number;
    used_seconds: number;
    reason: string;
    settled_at: number;
  };
}

/**
 * Selects sessions of a provider.
 *
 * @public
 */
export interface SessionQuery extends Period {
  /** `next_cursor` of the previous page. */
  cursor?: string | undefined;
  /** The number of sessions on a page, at most 200. Default: 50. */
  limit?: number | undefined;
  /** Only sessions with this status. */
  status?: LiveSession["status"] | undefined;
  /** Only sessions of this user. */
  user_id?: string | undefined;
  /** A session id, or the beginning of a user id. */
  q?: string | undefined;
}

/**
 * Reads a provider's statistics. Promises reject with an {@link SDKError}.
 *
 * @public
 */
export interface StatsClient {
  /** Returns a summary. */
  getSessionStats(options?: CallOptions): Promise<SessionStats>;
  /** Returns the number of active sessions. */
  getActiveSessionCount(options?: CallOptions): Promise<number>;
  /**
   * Returns sessions, newest first, by default of all time. Pass `next_cursor` to get the next page;
   * the last page has none.
   */
  getSessions(
    query?: SessionQuery,
    options?: CallOptions,
  ): Promise<{ sessions: SessionRow[]; next_cursor?: string }>;
  /** Returns earnings by day. */
  getRevenueStats(period?: Period, options?: CallOptions): Promise<Analysis<RevenueDay>>;
  /** Returns sessions by day. */
  getAnalytics(kind: "sessions", period?: Period, options?: CallOptions): Promise<Analysis<SessionDay>>;
  /** Returns earnings by day. */
  getAnalytics(kind: "revenue", period?: Period, options?: CallOptions): Promise<Analysis<RevenueDay>>;
  /** Returns users by day. */
  getAnalytics(kind: "users", period?: Period, options?: CallOptions): Promise<Analysis<UserDay>>;
  /**
   * Calls the listener on every change. All listeners share one WebSocket, which reconnects
   * when it fails. While it is disconnected (a `connection` update), poll instead.
   *
   * @returns a function that removes the listener
   */
  subscribe(listener: (update: LiveUpdate) => void): () => void;
}

/** The number of responses that are cached. The oldest is dropped first. */
const MOST_CACHED = 100;

/**
 * Creates a client of the session service's statistics API.
 *
 * @public
 */
export function createStatsClient(config: StatsClientConfig): StatsClient {
  const { apiEndpoint, apiKey, providerId, cacheMs = 10_000 } = config;
  const root = `${apiEndpoint.replace(/\/+$/, "")}/api/v1/providers/${encodeURIComponent(providerId)}`;
  const cache = new Map<string, { until: number; ask: (options?: CallOptions) => Promise<unknown> }>();

  async function request(path: string, signal: AbortSignal): Promise<unknown> {
    return askService(config, root + path + unknownToWorkers(path), signal);
  }

  /** A service worker of the page may answer a GET that it has seen from its cache, however old. */
  function unknownToWorkers(path: string): string {
    if (!globalThis.navigator?.serviceWorker?.controller) return "";
    return `${path.includes("?") ? "&" : "?"}nonce=${Math.random().toString(36).slice(2)}`;
  }

  function get<T>(path: string, query: object = {}, options?: CallOptions): Promise<T> {
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    const params = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
    const address = given.length ? `${path}?${params}` : path;
    const known = cache.get(address);
    if (known && known.until > Date.now()) return known.ask(options) as Promise<T>;
    // After a failure, or if all callers have given up, the next call asks again.
    const ask = shared((signal) => request(address, signal), true);
    cache.delete(address);
    cache.set(address, { until: Date.now() + cacheMs, ask });
    for (const oldest of cache.keys()) {
      if (cache.size <= MOST_CACHED) break;
      cache.delete(oldest);
    }
    return ask(options) as Promise<T>;
  }

  const listeners = new Set<(update: LiveUpdate) => void>();
  const live = createLive({
    setTimeout: (run, ms) => outside(() => setTimeout(run, ms)),
    clearTimeout: (timer) => clearTimeout(timer),
    random: Math.random,
    open() {
      const Socket = config.WebSocket ?? globalThis.WebSocket;
      if (!Socket) return undefined;
      const address = new URL(`${root}/live`, globalThis.location?.href);
      address.protocol = address.protocol.replace("http", "ws");
      // A browser cannot set headers here, and URLs appear in logs.
      return new Socket(address, ["sessiongate.live", ...(apiKey ? [`sessiongate.key.${apiKey}`] : [])]);
    },
    onUpdate(update) {
      // The cached responses are out of date.
      if (update.type === "session" || update.type === "reset") cache.clear();
      for (const listener of [...listeners]) listener(update);
    },
  });
  const leave = () => live.stop();
  const resume = ({ persisted }: PageTransitionEvent) => persisted && live.start();

  return {
    getSessionStats: (options) => get("/stats", {}, options),
    getActiveSessionCount: async (options) => (await get<SessionStats>("/stats", {}, options)).live.active,
    getSessions: (query, options) => get("/sessions", query, options),
    getRevenueStats: (period, options) => get("/analytics/revenue", period, options),
    getAnalytics: (kind: string, period?: Period, options?: CallOptions) =>
      get<never>(`/analytics/${kind}`, period, options),
    subscribe(listener) {
      // Each call is its own subscription, even with the same function.
      const zone = presentZone();
      const own = (update: LiveUpdate) => zone(() => listener(update));
      listeners.add(own);
      if (listeners.size === 1) {
        globalThis.addEventListener?.("pagehide", leave);
        globalThis.addEventListener?.("pageshow", resume);
      }
      outside(() => live.start());
      return () => {
        if (!listeners.delete(own) || listeners.size) return;
        globalThis.removeEventListener?.("pagehide", leave);
        globalThis.removeEventListener?.("pageshow", resume);
        live.stop();
      };
    },
  };
}
