import type { SDKConfig } from "./config";
import { failure } from "./errors";
import { isLaunchToken } from "./token";

const STORED = "sessiongate-token";
/** The tokens that this page's address never shows. */
const taken = new Set<string>();

/**
 * Returns the token: the configured one, else the launch token in the page's URL, else the stored
 * one unless `kept`. Removes the token from the URL. Undefined if there is none.
 *
 * @throws SDKError `INVALID_CONFIG` if the page's host does not match `callbackDomain`
 */
export function takeToken(config: SDKConfig, kept: boolean): string | undefined {
  const { callbackDomain: domain, token } = config;
  // The page may use the same parameter for something else.
  const found = token ?? new URL(location.href).searchParams.getAll("session").find(isLaunchToken);
  if (found) keepOut(found);
  if ((found || kept) && domain && location.hostname !== domain && !location.hostname.endsWith(`.${domain}`))
    throw failure(`callbackDomain is ${domain}, but the page is on another host.`, "INVALID_CONFIG");
  return keepToken(config, found, kept);
}

/** Stores a token if the configuration wants that. Returns it, else the stored one unless `kept`. */
export function keepToken({ tokenStorage }: SDKConfig, token?: string, kept?: boolean): string | undefined {
  if (tokenStorage === "session")
    try {
      if (token) sessionStorage.setItem(STORED, token);
      else if (!kept) return sessionStorage.getItem(STORED) ?? undefined;
    } catch {}
  return token;
}

/** Deletes the stored token when the session has ended. */
export function forgetToken(): void {
  try {
    sessionStorage.removeItem(STORED);
  } catch {}
}

/**
 * Removes the token from the URL, now and whenever it returns: a client-side router has read the
 * first URL and writes its parameters again, and Back leads to entries that have the token.
 */
function keepOut(token: string): void {
  if (!taken.size) {
    for (const name of ["pushState", "replaceState"] as const) {
      const plain = history[name];
      history[name] = (state, unused, url) =>
        plain.call(history, state, unused, url == null ? url : withoutTokens(`${url}`));
    }
    for (const event of ["popstate", "hashchange", "pageshow"]) addEventListener(event, clean, true);
    const { navigation } = window as { navigation?: EventTarget };
    navigation?.addEventListener("currententrychange", clean);
  }
  taken.add(token);
  clean();
}

function clean() {
  const { href } = location;
  const url = withoutTokens(href);
  if (url !== href) history.replaceState(history.state, "", url);
}

/** Removes the parameter from a URL that has one of the tokens. Leaves other URLs as they are. */
function withoutTokens(url: string): string {
  // Resolved first: without its only parameter, "?session=…" would mean the page's present query.
  return strip(url) === url ? url : strip(new URL(url, document.baseURI).href);
}

/** By hand, because URLSearchParams would encode the page's own parameters again. */
function strip(url: string): string {
  let rest = "";
  let first = "";
  for (const part of url.split(/(?=[?&#])/)) {
    const [mark = ""] = part;
    const [, value] = /^[?&]session=(.*)/.exec(part) ?? [];
    if (value && taken.has(decoded(value))) first ||= mark;
    else {
      // The next parameter takes the place of a first one.
      rest += first === "?" && mark === "&" ? first + part.slice(1) : part;
      first = "";
    }
  }
  return rest;
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
