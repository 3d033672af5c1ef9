/**
 * For the provider's own server, in any runtime with Web Crypto and fetch: checks
 * webhooks, reads statistics. Never for a browser: it takes secrets.
 *
 * @packageDocumentation
 */
import { SDKError } from "./errors";
import { createStatsClient, type StatsClient, type StatsClientConfig } from "./stats";

export * from "./stats";

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
export interface ProviderClientConfig extends StatsClientConfig {
  /** `sg_prv_…`. A secret. */
  apiKey: string;
}

/**
 * Reads a provider's statistics with its key: {@link createStatsClient} for a server.
 *
 * @public
 */
export const createProviderClient: (config: ProviderClientConfig) => StatsClient = createStatsClient;
