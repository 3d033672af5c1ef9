/**
 * boot.js: the only script that the gate adds to a page, as the first element of
 * its head. It is a classic script and not async, so that it runs and removes its
 * element before a framework hydrates the document. The rest loads after the page.
 * Errors are silent, because the gate enforces the session and the browser does not.
 */

// Shared by all copies of the SDK on a page, injected or from npm.
const KEY = Symbol.for("sessiongate");
// Also starts on pages that never fire load (a streamed document).
const LATEST_START_MS = 10_000;
const AFTER_LOAD_MS = 50;

try {
  const script = document.currentScript as HTMLScriptElement | null;
  // Copied before removal: the browser hides nonces from attributes.
  const nonce = script?.nonce;
  const folder = script?.src ?? location.href;
  script?.remove();
  if (!(KEY in window) && topOfOurOrigin()) {
    // The page may wrap fetch later, for example to log out on any 401. Keep the original.
    Object.defineProperty(window, KEY, { value: { fetch: window.fetch } });
    const start = () => {
      // import() carries this script's nonce and needs no Trusted Types policy.
      // The element is for browsers whose import() loses the nonce.
      import("./__SDK__").catch(() => {
        try {
          const module = document.createElement("script");
          module.type = "module";
          if (nonce) module.nonce = nonce;
          module.src = new URL("./__SDK__", folder).href;
          module.onload = module.onerror = () => module.remove();
          document.head.append(module);
        } catch {}
      });
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
 * One clock for each top-level app page: a frame in a page of the same origin shows
 * none; an app framed by a page of another origin (a marketplace) shows its own.
 */
function topOfOurOrigin(): boolean {
  if (window.top === window) return true;
  return ![window.top, window.parent].some((outer) => {
    try {
      // Throws for another origin.
      return !!outer?.document;
    } catch {
      return false;
    }
  });
}
