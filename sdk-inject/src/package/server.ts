/**
 * For the provider's own server, in any runtime with Web Crypto and fetch: checks
 * webhooks, reads statistics. Never for a browser: it takes secrets.
 *
 * @packageDocumentation
 */
import { SDKError } from "./errors";

export { SDKError, type SDKErrorCode } from "./errors";

/**
 * A webhook's headers: of a Request, of Node's `req.headers`, or a plain object.
 *
 * @public
 */
export type WebhookHeaders = Headers | Record<string, string | string[] | undefined>;

/** How old or early a delivery may be, in seconds: a replayed one is refused. */
const TOLERANCE_S = 300;

/**
 * Checks a webhook's signature (Standard Webhooks, HMAC-SHA256) and reads its body.
 * Hand in the body as it arrived, not parsed and written anew.
 *
 * @param body - the request's body, as text or bytes
 * @param secret - `whsec_…`; several during a rotation
 * @param now - Unix milliseconds, for tests
 * @returns the event
 * @throws {@link SDKError} `INVALID_SIGNATURE`
 * @public
 */
export async function verifyWebhook<T = WebhookEvent>(
  body: string | Uint8Array,
  headers: WebhookHeaders,
  secret: string | readonly string[],
  now: number = Date.now(),
): Promise<T> {
  const read = (name: string) => {
    if (headers instanceof Headers) return headers.get(name) ?? "";
    const value = headers[name];
    return (Array.isArray(value) ? value[0] : value) ?? "";
  };
  const refuse = (why: string): never => {
    throw new SDKError(`The webhook is not genuine: ${why}.`, "INVALID_SIGNATURE");
  };
  const id = read("webhook-id");
  const timestamp = read("webhook-timestamp");
  const signatures = read("webhook-signature");
  if (!id || !timestamp || !signatures) refuse("a header is missing");
  if (!/^\d+$/.test(timestamp) || Math.abs(now / 1000 - Number(timestamp)) > TOLERANCE_S)
    refuse("it is too old, or a clock is wrong");
  const text = typeof body === "string" ? body : new TextDecoder().decode(body);
  const signed = new TextEncoder().encode(`${id}.${timestamp}.${text}`);
  for (const one of typeof secret === "string" ? [secret] : secret) {
    const key = await crypto.subtle.importKey(
      "raw",
      bytesOf(one.replace(/^whsec_/, "")),
      { name: "HMAC", hash: "SHA-256" },
      false,
      ["verify"],
    );
    for (const signature of signatures.split(" ")) {
      const [version, value] = signature.split(",");
      // verify compares in constant time.
      if (version === "v1" && value && (await crypto.subtle.verify("HMAC", key, bytesOf(value), signed)))
        return JSON.parse(text) as T;
    }
  }
  return refuse("no signature fits");
}

/**
 * What a webhook says.
 *
 * @public
 */
export interface WebhookEvent {
  /** `session.started`, `session.extended`, `session.ended`, … */
  type: string;
  /** RFC 3339. */
  timestamp: string;
  /** The session, as it then was. */
  data: Record<string, unknown>;
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  try {
    const text = atob(base64);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return bytes;
  } catch {
    return new Uint8Array(1);
  }
}

/**
 * How to reach the session service as a provider.
 *
 * @public
 */
export interface ProviderClientConfig {
  /** The session service. */
  apiEndpoint: string;
  /** `sg_prv_…`. A secret. */
  apiKey: string;
  /** `prov_…`. */
  providerId: string;
  /** Default: the runtime's own. */
  fetch?: typeof fetch;
  /** Answers are reused this long, in milliseconds. Default: 10 000; 0: never. */
  cacheMs?: number;
  /** In milliseconds. Default: 10 000. */
  timeoutMs?: number;
}

/**
 * A period of days, as `2026-01-31`.
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
 * A provider's figures. Each answers the API's JSON.
 *
 * @public
 */
export interface ProviderClient {
  /** Totals. */
  getSessionStats(): Promise<Record<string, unknown>>;
  /** How many sessions run now. */
  getActiveSessionCount(): Promise<number>;
  /** Sessions, newest first. */
  getSessions(query?: { cursor?: string; limit?: number }): Promise<Record<string, unknown>>;
  /** Figures by day. */
  getAnalytics(kind: "sessions" | "revenue" | "users", period?: Period): Promise<Record<string, unknown>>;
  /** Earnings by day. */
  getRevenueStats(period?: Period): Promise<Record<string, unknown>>;
}

/**
 * Reads a provider's statistics.
 *
 * @public
 */
export function createProviderClient(config: ProviderClientConfig): ProviderClient {
  const { apiEndpoint, apiKey, providerId, cacheMs = 10_000, timeoutMs = 10_000 } = config;
  const call = config.fetch ?? fetch;
  const root = `${apiEndpoint.replace(/\/+$/, "")}/api/v1/providers/${encodeURIComponent(providerId)}`;
  const cache = new Map<string, { until: number; answer: Promise<Record<string, unknown>> }>();

  async function ask(path: string): Promise<Record<string, unknown>> {
    let response: Response;
    try {
      response = await call(root + path, {
        headers: { Authorization: `Bearer ${apiKey}` },
        signal: AbortSignal.timeout(timeoutMs),
      });
    } catch (error) {
      const late = (error as Error).name === "TimeoutError";
      throw new SDKError("The session service could not be reached.", late ? "TIMEOUT" : "NETWORK");
    }
    const answer = (await response.json().catch(() => ({}))) as Record<string, unknown>;
    if (!response.ok) {
      const code = typeof answer.code === "string" ? answer.code.toUpperCase() : `HTTP_${response.status}`;
      throw new SDKError(
        String(answer.detail ?? answer.title ?? code),
        code as Uppercase<string>,
        response.status,
      );
    }
    return answer;
  }

  function get(path: string, query: object = {}): Promise<Record<string, unknown>> {
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    const address = given.length
      ? `${path}?${new URLSearchParams(given.map(([k, v]) => [k, String(v)]))}`
      : path;
    const known = cache.get(address);
    if (known && known.until > Date.now()) return known.answer;
    const answer = ask(address);
    cache.set(address, { until: Date.now() + cacheMs, answer });
    answer.catch(() => cache.delete(address));
    return answer;
  }

  return {
    getSessionStats: () => get("/stats"),
    async getActiveSessionCount() {
      const stats = await get("/stats");
      return Number(stats.active_sessions ?? 0);
    },
    getSessions: (query) => get("/sessions", query),
    getAnalytics: (kind, period) => get(`/analytics/${kind}`, period),
    getRevenueStats: (period) => get("/analytics/revenue", period),
  };
}
