/**
 * For the provider's own server: verifies webhooks and reads statistics. Runs wherever Web Crypto
 * and fetch are available. Do not use it in a browser, because it needs secrets.
 *
 * @packageDocumentation
 */
import { type CallOptions, orAborted } from "./cancel";
import { failure } from "./errors";
import { createStatsClient, type StatsClient, type StatsClientConfig } from "./stats";
import { createWebhooksClient, type WebhooksClient } from "./webhooks";

export * from "./stats";
export type { NewWebhook, TestedWebhook, Webhook, WebhooksClient } from "./webhooks";

/**
 * The headers of a webhook: those of a Request, Node's `req.headers`, or a plain object.
 *
 * @public
 */
export type WebhookHeaders = Headers | Record<string, string | string[] | undefined>;

/** The accepted difference between the timestamp and now, in seconds. It limits replays. */
const TOLERANCE_S = 300;

/**
 * Verifies a webhook's signature (Standard Webhooks, HMAC-SHA256) and parses its body.
 * Pass the raw body, not one that was parsed and serialized again.
 *
 * @param body - the request's body, as text or bytes
 * @param secret - `whsec_…`, or several during a rotation
 * @param options - a signal, or `now` in Unix milliseconds for tests, also as the number alone
 * @returns the event
 * @throws {@link SDKError} `INVALID_SIGNATURE`
 * @public
 */
export function verifyWebhook<T = WebhookEvent>(
  body: string | Uint8Array,
  headers: WebhookHeaders,
  secret: string | readonly string[],
  options: number | (CallOptions & { now?: number | undefined }) = {},
): Promise<T> {
  const { now = Date.now(), signal } =
    typeof options === "number" ? { now: options, signal: undefined } : options;
  if (signal?.aborted) return Promise.reject(signal.reason);
  return orAborted(verify<T>(body, headers, secret, now), signal);
}

async function verify<T>(
  body: string | Uint8Array,
  headers: WebhookHeaders,
  secret: string | readonly string[],
  now: number,
): Promise<T> {
  const read = (name: string) => {
    if (headers instanceof Headers) return headers.get(name) ?? "";
    const value = headers[name];
    return (Array.isArray(value) ? value[0] : value) ?? "";
  };
  const refuse = (why: string): never => {
    throw failure(`Webhook verification failed: ${why}.`, "INVALID_SIGNATURE");
  };
  const id = read("webhook-id");
  const timestamp = read("webhook-timestamp");
  const signatures = read("webhook-signature");
  if (!id || !timestamp || !signatures) refuse("a webhook-* header is missing");
  if (!/^\d+$/.test(timestamp) || Math.abs(now / 1000 - Number(timestamp)) > TOLERANCE_S)
    refuse("the timestamp is invalid or more than 5 minutes from now");
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
  return refuse("no signature matches");
}

/**
 * The body of a webhook.
 *
 * @public
 */
export interface WebhookEvent {
  /** `session.started`, `session.extended`, `session.ended`, … */
  type: string;
  /** When the event happened, in RFC 3339 format. */
  timestamp: string;
  /** The session at that time. */
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
 * The configuration of {@link createProviderClient}.
 *
 * @public
 */
export interface ProviderClientConfig extends StatsClientConfig {
  /** The provider's key, `sg_prv_…`. A secret. */
  apiKey: string;
}

/**
 * A client of a provider's statistics and webhooks.
 *
 * @public
 */
export interface ProviderClient extends StatsClient {
  /** Registers, lists, deletes and tests the provider's webhooks. */
  webhooks: WebhooksClient;
}

/**
 * Creates a client with a provider's key: {@link createStatsClient} for a server, and webhooks.
 *
 * @public
 */
export function createProviderClient(config: ProviderClientConfig): ProviderClient {
  return { ...createStatsClient(config), webhooks: createWebhooksClient(config) };
}
