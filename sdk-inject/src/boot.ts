/**
 * boot.js: the only thing the gate writes into a page, as the first element of
 * its head. It is classic and not async, so that it has run and removed its own
 * element before a framework hydrates the document. The rest is loaded after
 * the page has loaded; whatever fails here fails silently, because enforcement
 * is the gate's and never the browser's.
 */

// Shared by every copy of ours on a page, injected or from npm.
const KEY = Symbol.for("sessiongate");
// Also starts on pages whose load event never comes (a streamed document).
const LATEST_START_MS = 10_000;
const AFTER_LOAD_MS = 50;

try {
  const script = document.currentScript as HTMLScriptElement | null;
  // Copied before removal: the browser hides nonces from attributes.
  const nonce = script?.nonce;
  const folder = script?.src ?? location.href;
  script?.remove();
  if (!(KEY in window) && topOfOurOrigin()) {
    // The page may wrap fetch later (to log out on any 401, say); ours is the one of now.
    Object.defineProperty(window, KEY, { value: { fetch: window.fetch } });
    const start = () => {
      // import() carries this script's nonce and needs no Trusted Types policy.
      // The element is for browsers that lose the nonce on the way.
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
    // A prerendered page may never be seen; its clock is shown when it is.
    if ((document as { prerendering?: boolean }).prerendering)
      document.addEventListener("prerenderingchange", whenLoaded, { once: true });
    else whenLoaded();
  }
} catch {}

/**
 * One clock for each window of ours: a frame inside a page of the same origin
 * leaves it to that page; an app framed by a foreign page (a marketplace) shows
 * its own.
 */
function topOfOurOrigin(): boolean {
  if (window.top === window) return true;
  return ![window.top, window.parent].some((outer) => {
    try {
      // Throws for a foreign origin.
      return !!outer?.document;
    } catch {
      return false;
    }
  });
}
