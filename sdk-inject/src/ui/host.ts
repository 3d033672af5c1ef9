import type { Make } from "./dom";

/** The host of the interface: a shadow root on the document's element, in the top layer. */
export interface Host {
  /** The element inside the shadow root that holds everything; the page can't style it. */
  root: HTMLElement;
  adopt(css: string): void;
  remove(): void;
}

/** No element of the page is named so; no registered element is needed for a shadow root. */
const TAG = "session-gate";

export function createHost(doc: Document, el: Make, onAttach: () => void, onReplaced: () => void): Host {
  const element = el(TAG as "div");
  const shadow = element.attachShadow({ mode: "open" });
  const root = el("div", { class: "root" });
  shadow.append(root);
  // Manual: no other popover and no Escape closes it. Without popovers (before 2024)
  // the highest z-index has to do.
  element.popover = "manual";

  const life = new AbortController();
  const first = doc.documentElement;
  /** A fullscreen element that cannot show our children, such as a video. */
  let unfit: Element | null = null;

  // Also needed after a modal dialog or popover of the page opened above the host.
  const raise = (event?: Event) => {
    attach();
    try {
      if (event?.target === element || (event as ToggleEvent | undefined)?.newState === "closed") return;
      // Hiding would lose the focus.
      if (shadow.activeElement && element.matches(":popover-open")) return;
      element.hidePopover();
      element.showPopover();
    } catch {}
  };
  // Apps replace the body, the whole element (document.open), or prune what they don't know.
  const observer = new MutationObserver(() => attach());
  const attach = () => {
    const home = doc.documentElement;
    const full = doc.fullscreenElement;
    // What is outside of a fullscreen element can be seen above it, and not be pressed.
    const parent = full && full !== unfit ? full : home;
    if (!parent || element.parentNode === parent) return;
    // document.open() has also taken the listeners of everything in it: start anew.
    if (home !== first) return onReplaced();
    parent.append(element);
    if (!element.getClientRects()[0]) unfit = full;
    for (const node of [doc, parent]) observer.observe(node, { childList: true });
    raise();
    onAttach();
  };
  attach();
  for (const event of ["toggle", "fullscreenchange"])
    doc.addEventListener(event, raise, { capture: true, signal: life.signal });

  return {
    root,
    adopt(css) {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(css);
      shadow.adoptedStyleSheets = [...shadow.adoptedStyleSheets, sheet];
    },
    remove() {
      observer.disconnect();
      life.abort();
      element.remove();
    },
  };
}
