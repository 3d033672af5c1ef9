import { keepToken, takeToken } from "./address";
import { backendFetch } from "./backend";
import type { SDKConfig } from "./config";
import { failure } from "./errors";
import type { Access, PageRecord } from "./page";
import { decodeToken } from "./token";

/** What only the SDK that has opened the access gets: the others on the page share calls, not the token. */
export interface Opened {
  getToken?: () => string;
}

/**
 * Returns the access to the session service: that of a token in the configuration or the URL, else
 * the one that an earlier SDK on the page opened. Undefined behind the gate, which holds the token.
 *
 * @throws SDKError `MISSING_TOKEN`, `INVALID_CONFIG`, or a code of {@link decodeToken}
 */
export function openAccess(config: SDKConfig, page: PageRecord, opened: Opened = {}): Access | undefined {
  // Behind the gate, what the URL contains is the gate's or the page's.
  const token = page.fetch && !config.token ? undefined : takeToken(config, !!page.access);
  if (!token) {
    if (page.access || page.fetch) return page.access;
    throw failure("The page's URL contains no launch token (?session=…).", "MISSING_TOKEN");
  }
  const claims = decodeToken(token);
  // A launch token opens the session once: the same one again means the access that it has opened.
  if (JSON.stringify(page.access?.claims) === JSON.stringify(claims)) return page.access;
  const endpoint = config.apiEndpoint?.replace(/\/+$/, "");
  if (!endpoint)
    throw failure("apiEndpoint is missing. Set it to the URL of the session service.", "INVALID_CONFIG");
  const { fetch } = window;
  let present = token;
  opened.getToken = () => present;
  page.access = {
    claims,
    call: backendFetch({
      fetch: (input, init) => fetch.call(window, input, init),
      endpoint,
      token,
      claims,
      keep(session) {
        present = session;
        keepToken(config, session);
      },
    }),
  };
  return page.access;
}
