/**
 * boot.js: the only script that the gate adds to a page, as the first element of
 * its head. It is a classic script and not async, so that it runs and removes its
 * element before a framework hydrates the document, and listens before any other
 * script can. The rest loads after the page. Errors are silent, because the gate
 * enforces the session and the browser does not.
 */
import { type Input, listenFirst } from "./input";

// Shared by all copies of the SDK on a page, injected or from npm.
const KEY = Symbol.for("sessiongate");
// Also starts on pages that never fire load (a streamed document).
const LATEST_START_MS = 10_000;
const AFTER_LOAD_MS = 50;

try {
  const script = document.currentScript as HTMLScriptElement | null;
  // Copied before removal: the browser hides nonces from attributes.
  const { nonce, integrity, src } = script ?? ({} as Partial<HTMLScriptElement>);
  script?.remove();
  // A sandboxed page has no origin: no session, and no right to load the rest.
  if (self.origin !== "null" && !(KEY in window) && !isClockOutside()) {
    // The page may wrap fetch later, for example to log out on any 401. Keep the original.
    const claim: Input & { fetch: typeof fetch } = { fetch: window.fetch };
    Object.defineProperty(window, KEY, { value: claim });
    claim.listen = listenFirst(claim);
    claim.listen();
    const add = (name: string, hash = "") => {
      const module = document.createElement("script");
      module.type = "module";
      if (nonce) module.nonce = nonce;
      module.integrity = hash;
      module.src = new URL(name, src ?? location.href).href;
      module.onload = module.onerror = () => module.remove();
      document.head?.append(module);
    };
    const start = () => {
      // The gate's tag carries a hash where the page's Integrity-Policy demands one of every script.
      if (integrity) add("./__INTEGRITY__", "__HASH_OF_INTEGRITY__");
      // import() carries this script's nonce and needs no Trusted Types policy.
      // The element is for browsers whose import() loses the nonce.
      else import("./__SDK__").catch(() => add("./__SDK__"));
    };
    const whenLoaded = () => {
      const soon = () => setTimeout(start, AFTER_LOAD_MS);
      if (document.readyState === "complete") soon();
      else {
        addEventListener("load", soon, { once: true });
        setTimeout(start, LATEST_START_MS);
      }
    };
    // A prerendered page may never be shown. Wait until it is.
    if ((document as { prerendering?: boolean }).prerendering)
      document.addEventListener("prerenderingchange", whenLoaded, { once: true });
    else whenLoaded();
  }
} catch {}

/**
 * One clock for each top-level app page: a frame shows none if a page around it, of the same
 * origin, has one. An app framed by a page of another origin (a marketplace), or by one without
 * our script (XHTML, no-transform), shows its own.
 */
function isClockOutside(): boolean {
  return (
    window.top !== window &&
    [window.top, window.parent].some((outer) => {
      try {
        // Throws for another origin.
        return !!outer && KEY in outer;
      } catch {
        return false;
      }
    })
  );
}
