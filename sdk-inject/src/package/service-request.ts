import { failure, type SDKErrorCode } from "./errors";
import { either } from "./signals";

/** What a request of a provider's server needs. */
export interface ServiceAccess {
  apiKey?: string | undefined;
  fetch?: typeof fetch | undefined;
  timeoutMs?: number | undefined;
}

/**
 * Sends a request to the session service and returns its JSON; undefined for 204.
 *
 * @throws an SDKError, also after an abort: callers that gave up have already got their signal's reason
 */
export async function askService(
  { apiKey, fetch: own, timeoutMs = 10_000 }: ServiceAccess,
  url: string,
  signal: AbortSignal,
  init: { method?: string; body?: string; headers?: Record<string, string> } = {},
): Promise<Record<string, unknown> | undefined> {
  let response: Response;
  try {
    response = await (own ?? fetch)(url, {
      ...init,
      headers: { ...init.headers, ...(apiKey && { Authorization: `Bearer ${apiKey}` }) },
      cache: "no-store",
      signal: either(AbortSignal.timeout(timeoutMs), signal),
    });
  } catch (error) {
    const timedOut = (error as Error).name === "TimeoutError";
    throw failure(
      "No response from the session service. Check apiEndpoint and the network.",
      timedOut ? "TIMEOUT" : "NETWORK",
    );
  }
  const { status, ok } = response;
  if (status === 204) return undefined;
  const answer = (await response.json().catch(() => undefined)) as Record<string, unknown> | undefined;
  if (ok && answer) return answer;
  const { code, detail, title } = answer ?? {};
  const name = typeof code === "string" ? code.toUpperCase() : `HTTP_${status}`;
  throw failure(String(detail ?? title ?? name), ok ? "INVALID_ANSWER" : (name as SDKErrorCode), status);
}
