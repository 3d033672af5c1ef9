import type { Strings } from "../strings";

/** Where our interface lives: a shadow root on the document's element, in the top layer. */
export interface Host {
  /** The element inside the shadow root that holds everything; the page can't style it. */
  root: HTMLElement;
  adopt(css: string): void;
}

/** No element of the page is named so; no registered element is needed for a shadow root. */
const TAG = "session-gate";

export function createHost(
  doc: Document,
  { language, dir }: Strings,
  onAttach: () => void,
  onReplaced: () => void,
): Host {
  const element = doc.createElement(TAG);
  const shadow = element.attachShadow({ mode: "open" });
  const root = shadow.appendChild(doc.createElement("div"));
  root.className = "root";
  root.lang = language;
  // Ours, not the page's: `all: initial` leaves direction to be inherited.
  root.dir = dir;
  // Manual: no other popover and no Escape closes it. Without popovers (before 2024)
  // the highest z-index has to do.
  element.popover = "manual";

  const raise = () => {
    // Hiding would take the keyboard's place away.
    if (shadow.activeElement && element.matches(":popover-open")) return;
    try {
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
    if (parent !== first) {
      // document.open() has also taken the listeners of everything in it: start anew.
      observer.disconnect();
      onReplaced();
      return;
    }
    parent.append(element);
    observer.observe(doc, { childList: true });
    observer.observe(parent, { childList: true });
    raise();
    onAttach();
  };
  attach();
  // A modal dialog or popover of the page came above us: come above it again.
  doc.addEventListener(
    "toggle",
    (event) => {
      if (event.target !== element && (event as ToggleEvent).newState === "open") raise();
    },
    true,
  );
  doc.addEventListener("fullscreenchange", raise);

  return {
    root,
    adopt(css) {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(css);
      shadow.adoptedStyleSheets = [...shadow.adoptedStyleSheets, sheet];
    },
  };
}
