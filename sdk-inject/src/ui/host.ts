import type { Clock } from "../clock";
import { hearFor, type Input } from "../input";
import type { Make } from "./dom";

/** The host of the interface: a shadow root on the document's element, in the top layer. */
export interface Host {
  /** The element inside the shadow root that holds everything; the page can't style it. */
  root: HTMLElement;
  addStyles(css: string): void;
  /** Whether something of the page lies over the middle of an element of ours, or makes it inert. */
  isCovered(part: Element): boolean;
  /** Whether an element of ours lies over something that the page has to press. */
  isOverControl(part: Element): boolean;
  /** Puts the host above what the page opened. */
  raise(): void;
  remove(): void;
}

export interface HostEffects {
  doc: Document;
  clock: Clock;
  input: Input;
  /** The host was put back into the document. */
  onAttach(): void;
  /** The page opened something in the top layer. */
  onOpened(): void;
  /** The document was written anew. */
  onReplaced(): void;
}

/** No element of the page is named so; no registered element is needed for a shadow root. */
const TAG = "session-gate";
/** What can be pressed. Also what shows a hand under the pointer. */
const CONTROL = ":enabled:not(fieldset),[role=button],[onclick]";
/** Points across and down at which to look for it. */
const POINTS = [0.1, 0.5, 0.9];
/** A page that removes the host sooner after it was put back does so on purpose. */
const CALM_MS = 3_000;
/** After so many such removals the host moves into the body, which such pages leave alone. */
const MOST_REMOVALS = 3;
/** From then on it comes back later each time, so that the page can do its work. */
const LONGEST_PAUSE_MS = 30_000;

export function createHost(
  { doc, clock, input, onAttach, onOpened, onReplaced }: HostEffects,
  el: Make,
): Host {
  const element = el(TAG as "div");
  const shadow = element.attachShadow({ mode: "open" });
  const root = el("div", { class: "root" });
  shadow.append(root);
  // Manual: no other popover and no Escape closes it. Without popovers (before 2024)
  // the highest z-index has to do.
  element.popover = "manual";
  const hear = hearFor(element);
  input.hear = hear;
  input.listen?.();

  const life = new AbortController();
  const first = doc.documentElement;
  /** A fullscreen element that cannot show our children, such as a video. */
  let unfit: Element | null = null;
  let attachedAt = Number.NEGATIVE_INFINITY;
  let removals = 0;
  let inBody = false;
  let pause: unknown;

  const raise = () => {
    try {
      // Hiding would lose the focus.
      if (!shadow.activeElement) element.hidePopover();
      element.showPopover();
    } catch {}
  };
  const home = () => {
    const full = doc.fullscreenElement;
    // What is outside of a fullscreen element can be seen above it, and not be pressed.
    return full && full !== unfit ? full : (inBody && doc.body) || doc.documentElement;
  };
  const attach = () => {
    pause = undefined;
    const parent = home();
    if (!parent) return;
    parent.append(element);
    attachedAt = clock.elapsed();
    if (!element.getClientRects()[0]) unfit = doc.fullscreenElement;
    for (const node of [doc, doc.documentElement, parent]) observer.observe(node, { childList: true });
    raise();
    onAttach();
  };
  // Apps replace the body, the whole element (document.open), or prune what they don't know.
  const restore = () => {
    const parent = home();
    if (pause || !parent || element.parentNode === parent) return;
    // document.open() has also taken the listeners of everything in it: start anew.
    if (doc.documentElement !== first) return onReplaced();
    if (!element.isConnected) removals = clock.elapsed() - attachedAt < CALM_MS ? removals + 1 : 0;
    if (removals < MOST_REMOVALS) return attach();
    inBody = true;
    pause = clock.setTimeout(attach, Math.min(LONGEST_PAUSE_MS, 20 * 2 ** removals));
  };
  const observer = new MutationObserver(restore);
  const onToggle = (event: Event) => {
    restore();
    if (event.target === element || (event as ToggleEvent).newState === "closed") return;
    raise();
    onOpened();
  };
  attach();
  for (const event of ["toggle", "fullscreenchange"])
    doc.addEventListener(event, onToggle, { capture: true, signal: life.signal });

  /** What lies at a point of a part of ours, topmost first. */
  const at = (part: Element, across: number, down: number) => {
    const { x, y, width, height } = part.getBoundingClientRect();
    return doc.elementsFromPoint(x + across * width, y + down * height);
  };

  return {
    root,
    raise,
    addStyles(css) {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(css);
      shadow.adoptedStyleSheets = [...shadow.adoptedStyleSheets, sheet];
    },
    isCovered: (part) => at(part, 0.5, 0.5)[0] !== element,
    isOverControl: (part) =>
      POINTS.some((across) =>
        POINTS.some((down) => {
          const below = at(part, across, down).find((one) => one !== element);
          return below && (below.closest(CONTROL) || getComputedStyle(below).cursor === "pointer");
        }),
      ),
    remove() {
      observer.disconnect();
      clock.clearTimeout(pause);
      life.abort();
      element.remove();
      if (input.hear === hear) input.hear = undefined;
    },
  };
}
