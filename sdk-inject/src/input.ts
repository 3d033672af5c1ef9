/** What the user does to our elements, as handlers of the page cannot take it away. */
export interface Input {
  /** Receives every event of {@link EVENTS} before the page does. */
  hear?: ((event: Event) => void) | undefined;
  /** Listens (again, after document.open). */
  listen?: () => void;
}

/** Pages prevent or stop these at the document or window: games, editors, kiosks, click guards. */
const EVENTS =
  "pointerdown pointermove pointerup pointercancel mousedown mouseup click dblclick auxclick contextmenu touchstart touchmove touchend touchcancel keydown keypress keyup wheel focusin focusout";

/** Returns what listens at the window in the capture phase: in boot.js, before any script of the page can. */
export function listenFirst(input: Input): () => void {
  const hear = (event: Event) => input.hear?.(event);
  return () => {
    // Passive, so that the page's scrolling waits for nothing.
    for (const type of EVENTS.split(" "))
      addEventListener(type, hear, { capture: true, passive: /^[tw]/.test(type) });
  };
}

/**
 * Keeps events of `host`, the element of our shadow root, from the page, and calls our handlers
 * instead of the browser. Default actions remain: the click of a key or touch, focus, scrolling.
 */
export function hearFor(host: Element): (event: Event) => void {
  return (event) => {
    if (event.target !== host) return;
    event.stopImmediatePropagation();
    for (const node of event.composedPath() as unknown as Record<string, (event: Event) => void>[]) {
      if (node === (host as unknown)) return;
      node[`on${event.type}`]?.(event);
    }
  };
}
