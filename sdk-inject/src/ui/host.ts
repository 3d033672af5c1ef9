import type { Make } from "./dom";

/** Where our interface lives: a shadow root on the document's element, in the top layer. */
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

  // Also when a modal dialog or popover of the page came above us.
  const raise = (event?: Event) => {
    try {
      if (event?.target === element || (event as ToggleEvent | undefined)?.newState === "closed") return;
      // Hiding would take the keyboard's place away.
      if (shadow.activeElement && element.matches(":popover-open")) return;
      element.hidePopover();
      element.showPopover();
    } catch {}
  };
  // Apps replace the body, the whole element (document.open), or prune what they don't know.
  const observer = new MutationObserver(() => attach());
  const first = doc.documentElement;
  const attach = () => {
    const parent = doc.documentElement;
    if (!parent || element.parentNode === parent) return;
    // document.open() has also taken the listeners of everything in it: start anew.
    if (parent !== first) return onReplaced();
    parent.append(element);
    for (const node of [doc, parent]) observer.observe(node, { childList: true });
    raise();
    onAttach();
  };
  const events = ["toggle", "fullscreenchange"];
  attach();
  for (const event of events) doc.addEventListener(event, raise, true);

  return {
    root,
    adopt(css) {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(css);
      shadow.adoptedStyleSheets = [...shadow.adoptedStyleSheets, sheet];
    },
    remove() {
      observer.disconnect();
      for (const event of events) doc.removeEventListener(event, raise, true);
      element.remove();
    },
  };
}
