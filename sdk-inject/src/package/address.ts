import type { SDKConfig } from "./config";
import { SDKError } from "./errors";

const PARAM = "session";
const STORED = "sessiongate-token";

/**
 * The launch token: configured, or from the page's address, which it is taken out of, or
 * `kept` from an earlier look at that. Undefined when there is none.
 *
 * @throws SDKError `INVALID_CONFIG` where the page is not the one that the SDK is set up for
 */
export function takeToken(config: SDKConfig, kept: string | undefined): string | undefined {
  const url = new URL(location.href);
  const { tokenStorage, callbackDomain: domain } = config;
  let found = config.token ?? url.searchParams.get(PARAM) ?? kept;
  if (url.searchParams.has(PARAM)) {
    // By hand: URLSearchParams would respell the page's own parameters.
    url.search = url.search.replace(/([?&])session=[^&]*(&?)/, (_, first, next) => (next ? first : ""));
    history.replaceState(history.state, "", url);
  }
  if (found && domain && location.hostname !== domain && !location.hostname.endsWith(`.${domain}`))
    throw new SDKError(`The SDK is set up for ${domain}.`, "INVALID_CONFIG");
  if (tokenStorage === "session")
    try {
      if (found) sessionStorage.setItem(STORED, found);
      else found = sessionStorage.getItem(STORED) ?? undefined;
    } catch {}
  return found;
}

/** When the session is over, its token is of no use. */
export function forgetToken(): void {
  try {
    sessionStorage.removeItem(STORED);
  } catch {}
}
