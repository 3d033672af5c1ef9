import { type CallOptions, orAborted } from "./cancel";
import { askService, type ServiceAccess } from "./service-request";

/**
 * A webhook of a provider. Times are Unix seconds.
 *
 * @public
 */
export interface Webhook {
  /** `wh_…` */
  id: string;
  /** Where messages are sent. */
  url: string;
  /** The types of messages; all if it is empty. */
  events: string[];
  /** For people. */
  description?: string;
  /** `live`: messages about live sessions. `test`: about all others. */
  mode: "live" | "test";
  /** Whether messages are sent. */
  enabled: boolean;
  /** Why it is disabled. */
  disabled_reason?: "gone" | "failing" | "requested";
  /** When it was created. */
  created_at: number;
  /** When it was changed. */
  updated_at: number;
}

/**
 * A webhook to create.
 *
 * @public
 */
export interface NewWebhook {
  /** An https URL with a public address. */
  url: string;
  /** The types of messages. Default: all. */
  events?: string[] | undefined;
  /** For people, at most 200 characters. */
  description?: string | undefined;
  /** Default: `live`. */
  mode?: "live" | "test" | undefined;
}

/**
 * The result of a test.
 *
 * @public
 */
export interface TestedWebhook {
  /** Whether the receiver answered with a 2xx status. */
  delivered: boolean;
  /** The message that was sent. */
  delivery: Record<string, unknown>;
  /** What the receiver answered. */
  attempt: { status: number; response: string; took_ms: number };
}

/**
 * The webhooks of a provider. Promises reject with an {@link SDKError}.
 *
 * @public
 */
export interface WebhooksClient {
  /**
   * Registers a webhook. The secret is shown only here: store it. After an error without a response,
   * list the webhooks before you try again.
   */
  create(webhook: NewWebhook, options?: CallOptions): Promise<{ webhook: Webhook; secret: string }>;
  /** Returns all webhooks, oldest first: a provider has at most 20. */
  list(options?: CallOptions): Promise<Webhook[]>;
  /** Deletes a webhook and its deliveries. */
  delete(id: string, options?: CallOptions): Promise<void>;
  /** Sends a test message and returns the receiver's answer. Default: a `webhook.test`. */
  test(id: string, options?: CallOptions & { type?: string | undefined }): Promise<TestedWebhook>;
}

/** A provider has at most 20 webhooks, and a page has 50: more pages than this are an error of the service. */
const MOST_PAGES = 20;

export function createWebhooksClient(
  config: ServiceAccess & { apiEndpoint: string; providerId: string },
): WebhooksClient {
  const root = `${config.apiEndpoint.replace(/\/+$/, "")}/api/v1`;
  const own = `${root}/providers/${encodeURIComponent(config.providerId)}/webhooks`;

  async function call<T>(
    method: string,
    url: string,
    { signal }: CallOptions = {},
    body?: object,
  ): Promise<T> {
    signal?.throwIfAborted();
    const aborter = new AbortController();
    const asked = askService(config, url, aborter.signal, {
      method,
      ...(body && { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
    });
    return (await orAborted(asked, signal, () => aborter.abort())) as T;
  }

  return {
    create: (webhook, options) => call("POST", own, options, webhook),
    async list(options) {
      const all: Webhook[] = [];
      let query = "";
      for (let page = 0; page < MOST_PAGES; page++) {
        const answer = await call<{ webhooks: Webhook[]; next_cursor?: string }>("GET", own + query, options);
        all.push(...answer.webhooks);
        if (!answer.next_cursor) break;
        query = `?cursor=${encodeURIComponent(answer.next_cursor)}`;
      }
      return all;
    },
    delete: (id, options) => call("DELETE", `${own}/${encodeURIComponent(id)}`, options),
    test: (id, { type, ...options } = {}) =>
      call("POST", `${root}/webhooks/test`, options, { webhook_id: id, ...(type && { type }) }),
  };
}
