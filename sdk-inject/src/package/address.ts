import type { SDKConfig } from "./config";
import { SDKError } from "./errors";

const PARAM = "session";
const STORED = "sessiongate-token";

/**
 * Returns the launch token: the configured one, else the one in the page's URL, else `kept`, the
 * one that an earlier call found. Removes the token from the URL. Undefined if there is none.
 *
 * @throws SDKError `INVALID_CONFIG` if the page's host does not match `callbackDomain`
 */
export function takeToken(config: SDKConfig, kept: string | undefined): string | undefined {
  const url = new URL(location.href);
  const { tokenStorage, callbackDomain: domain } = config;
  let found = config.token ?? url.searchParams.get(PARAM) ?? kept;
  if (url.searchParams.has(PARAM)) {
    // A regular expression, because URLSearchParams would re-encode the page's own parameters.
    url.search = url.search.replace(/([?&])session=[^&]*(&?)/, (_, first, next) => (next ? first : ""));
    history.replaceState(history.state, "", url);
  }
  if (found && domain && location.hostname !== domain && !location.hostname.endsWith(`.${domain}`))
    throw new SDKError(`callbackDomain is ${domain}, but the page is on another host.`, "INVALID_CONFIG");
  if (tokenStorage === "session")
    try {
      if (found) sessionStorage.setItem(STORED, found);
      else found = sessionStorage.getItem(STORED) ?? undefined;
    } catch {}
  return found;
}

/** Deletes the stored token when the session has ended. */
export function forgetToken(): void {
  try {
    sessionStorage.removeItem(STORED);
  } catch {}
}
