/**
 * A provider's figures, and what happens now. Needs a provider's key, which belongs on a server:
 * in a page, name your own server, which passes on to the session service and adds the key.
 *
 * @packageDocumentation
 */
import { SDKError } from "./errors";
import { createLive, type LiveCounts, type LiveSession, type LiveUpdate } from "./live";

export { SDKError, type SDKErrorCode } from "./errors";
export type { LiveCounts, LiveSession, LiveUpdate } from "./live";

/**
 * How to reach the session service as a provider.
 *
 * @public
 */
export interface StatsClientConfig {
  /** The session service, or what stands for it on your own server: a URL, or in a page a path (`""`, `/market`). */
  apiEndpoint: string;
  /** `prov_…`. */
  providerId: string;
  /** `sg_prv_…`. A secret: on a server only. In a page your server adds it. */
  apiKey?: string;
  /** Default: the runtime's own. */
  fetch?: typeof fetch;
  /** Default: the runtime's own; without one there are no live updates. */
  WebSocket?: typeof WebSocket;
  /** Answers are reused this long, in milliseconds. Default: 10 000; 0: never. */
  cacheMs?: number;
  /** In milliseconds. Default: 10 000. */
  timeoutMs?: number;
}

/**
 * A period of days in UTC, as `2026-01-31`. Default: the last 30 days.
 *
 * @public
 */
export interface Period {
  /** The first day. */
  from?: string;
  /** The last day. */
  to?: string;
}

/**
 * A provider's figures at a glance, as the API has them.
 *
 * @public
 */
export interface SessionStats {
  /** Whose figures. */
  provider_id: string;
  /** Not over yet. */
  live: LiveCounts;
  /** Since midnight, UTC. */
  today: { sessions: number; users: number; captured: number };
  /** Since the beginning. */
  total: { sessions: number; users: number; captured: number; released: number; used_seconds: number };
  /** Up to when `today` and `total` are counted, in Unix seconds; 0: not yet. */
  as_of: number;
}

/**
 * Days, and their sum.
 *
 * @public
 */
export interface Analysis<T> {
  /** Whose figures. */
  provider_id: string;
  /** The first day. */
  from: string;
  /** The last day. */
  to: string;
  /** Up to when is counted, in Unix seconds; 0: not yet. */
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
  /** Created. */
  sessions: number;
  /** Of them, entered by their user. */
  entered: number;
  /** Ended by the user or the marketplace. */
  completed: number;
  /** Their time ran out. */
  expired: number;
  /** Ended by the operator or the marketplace, with a chosen refund. */
  revoked: number;
  /** Never entered. */
  canceled: number;
  /** Set aside. */
  tokens_allocated: number;
  /** Sold. */
  paid_seconds: number;
  /** Of them, used. */
  used_seconds: number;
}

/**
 * What a day brought in, in tokens.
 *
 * @public
 */
export interface RevenueDay {
  /** Sessions of which something was captured. */
  settlements: number;
  /** Earned. */
  captured: number;
  /** Given back. */
  released: number;
  /** Set aside. */
  held: number;
}

/**
 * Users with a session created on a day.
 *
 * @public
 */
export interface UserDay {
  /** All of them. */
  users: number;
  /** Of them, those who never had one before. */
  new_users: number;
  /** The others. */
  returning: number;
}

/**
 * A session of the history.
 *
 * @public
 */
export interface SessionRow extends LiveSession {
  /** When it was sold. */
  created_at: number;
  /** When it was over. */
  ended_at?: number;
  /** Why: `deadline`, `user_ended`, … */
  end_reason?: string;
  /** Who got which tokens, once it is over. */
  settlement?: { captured: number; released: number; used_seconds: number };
}

/**
 * Reads a provider's figures. Every method rejects with an {@link SDKError}.
 *
 * @public
 */
export interface StatsClient {
  /** Figures at a glance. */
  getSessionStats(): Promise<SessionStats>;
  /** How many sessions run now. */
  getActiveSessionCount(): Promise<number>;
  /** Sessions, newest first. `next_cursor` asks for the next page; absent on the last. */
  getSessions(query?: {
    cursor?: string;
    limit?: number;
    status?: LiveSession["status"];
  }): Promise<{ sessions: SessionRow[]; next_cursor?: string }>;
  /** Earnings by day. */
  getRevenueStats(period?: Period): Promise<Analysis<RevenueDay>>;
  /** Figures by day. */
  getAnalytics(kind: "sessions", period?: Period): Promise<Analysis<SessionDay>>;
  /** Earnings by day. */
  getAnalytics(kind: "revenue", period?: Period): Promise<Analysis<RevenueDay>>;
  /** Users by day. */
  getAnalytics(kind: "users", period?: Period): Promise<Analysis<UserDay>>;
  /**
   * Tells of every change as it happens, by one WebSocket for all who listen; connects anew
   * when it breaks. While it is broken (`connection`), ask now and then.
   *
   * @returns what stops it
   */
  subscribe(listener: (update: LiveUpdate) => void): () => void;
}

/**
 * Reads a provider's figures, by the session service's API.
 *
 * @public
 */
export function createStatsClient(config: StatsClientConfig): StatsClient {
  const { apiEndpoint, apiKey, providerId, cacheMs = 10_000, timeoutMs = 10_000 } = config;
  const root = `${apiEndpoint.replace(/\/+$/, "")}/api/v1/providers/${encodeURIComponent(providerId)}`;
  const cache = new Map<string, { until: number; answer: Promise<unknown> }>();

  async function ask(path: string): Promise<unknown> {
    let response: Response;
    try {
      response = await (config.fetch ?? fetch)(root + path, {
        headers: apiKey ? { Authorization: `Bearer ${apiKey}` } : {},
        signal: AbortSignal.timeout(timeoutMs),
      });
    } catch (error) {
      const late = (error as Error).name === "TimeoutError";
      throw new SDKError("The session service could not be reached.", late ? "TIMEOUT" : "NETWORK");
    }
    const answer = (await response.json().catch(() => undefined)) as Record<string, unknown> | undefined;
    if (response.ok && answer) return answer;
    const { code, detail, title } = answer ?? {};
    const name = typeof code === "string" ? code.toUpperCase() : `HTTP_${response.status}`;
    throw new SDKError(
      String(detail ?? title ?? name),
      response.ok ? "INVALID_ANSWER" : (name as Uppercase<string>),
      response.status,
    );
  }

  function get<T>(path: string, query: object = {}): Promise<T> {
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    const words = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
    const address = given.length ? `${path}?${words}` : path;
    const known = cache.get(address);
    if (known && known.until > Date.now()) return known.answer as Promise<T>;
    const answer = ask(address);
    cache.set(address, { until: Date.now() + cacheMs, answer });
    answer.catch(() => cache.delete(address));
    return answer as Promise<T>;
  }

  const listeners = new Set<(update: LiveUpdate) => void>();
  const live = createLive({
    setTimeout: (run, ms) => setTimeout(run, ms),
    clearTimeout: (timer) => clearTimeout(timer),
    random: Math.random,
    open() {
      const Socket = config.WebSocket ?? globalThis.WebSocket;
      if (!Socket) return undefined;
      const address = new URL(`${root}/live`, globalThis.location?.href);
      address.protocol = address.protocol.replace("http", "ws");
      // A browser can't set headers here, and a URL is what logs keep.
      return new Socket(address, ["sessiongate.live", ...(apiKey ? [`sessiongate.key.${apiKey}`] : [])]);
    },
    onUpdate(update) {
      // What was read before is no longer so.
      if (update.type === "session" || update.type === "reset") cache.clear();
      for (const listener of [...listeners]) listener(update);
    },
  });
  const leave = () => live.stop();
  const comeBack = ({ persisted }: PageTransitionEvent) => persisted && live.start();

  return {
    getSessionStats: () => get("/stats"),
    getActiveSessionCount: async () => (await get<SessionStats>("/stats")).live.active,
    getSessions: (query) => get("/sessions", query),
    getRevenueStats: (period) => get("/analytics/revenue", period),
    getAnalytics: (kind: string, period?: Period) => get<never>(`/analytics/${kind}`, period),
    subscribe(listener) {
      // Each call is a subscription of its own, of the same function too.
      const own = (update: LiveUpdate) => listener(update);
      listeners.add(own);
      if (listeners.size === 1) {
        globalThis.addEventListener?.("pagehide", leave);
        globalThis.addEventListener?.("pageshow", comeBack);
      }
      live.start();
      return () => {
        if (!listeners.delete(own) || listeners.size) return;
        globalThis.removeEventListener?.("pagehide", leave);
        globalThis.removeEventListener?.("pageshow", comeBack);
        live.stop();
      };
    },
  };
}
