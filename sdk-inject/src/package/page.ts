import type { TokenClaims } from "./token";

/** The property of window through which boot.js, sdk.js and all copies of this package find each other. */
const KEY = Symbol.for("sessiongate");

/** What they share, for the life of the page. Copies of other versions read it, too: no name changes. */
export interface PageRecord {
  /** Set by boot.js: the page is behind the gate. The page's own fetch, before the page wrapped it. */
  fetch?: typeof fetch;
  /** The session whose timer the page shows. */
  session?: unknown;
  /** The access to the session service that the page's launch token gives. */
  access?: Access;
  /** SDKs that show their timer when the present one is removed. */
  waiting?: (() => void)[];
  /** Set by sdk.js: shows the gate's own timer, unless one is shown. */
  start?: () => unknown;
}

/** Calls of the session service with the session's token, which stays inside. */
export interface Access {
  claims: TokenClaims;
  call: typeof fetch;
}

/** Returns the record of the page, which outlives every SDK on it. */
export function pageRecord(): PageRecord {
  const claims = window as unknown as Record<symbol, PageRecord | undefined>;
  if (!claims[KEY]) Object.defineProperty(window, KEY, { value: {}, configurable: true });
  return claims[KEY] ?? {};
}

/**
 * A page shows one timer. Calls `mount` now, if none is shown, else when the one that is shown is
 * removed. Returns a function that gives the place up: to another SDK on the page, else to the gate.
 */
export function takePlace(page: PageRecord, session: unknown, mount: () => void): () => void {
  const turn = () => {
    if (page.session) return;
    page.session = session;
    mount();
  };
  page.waiting = [...(page.waiting ?? []), turn];
  turn();
  return () => {
    page.waiting = page.waiting?.filter((one) => one !== turn) ?? [];
    if (page.session !== session) return;
    delete page.session;
    for (const next of page.waiting) next();
    void Promise.resolve(page.start?.()).catch(() => {});
  };
}
