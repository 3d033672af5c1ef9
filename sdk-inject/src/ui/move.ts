import type { Store } from "../store";

/** move.js: moves the chip. Loaded when it is first pressed; the panel's
 *  “Move timer” is for those who don't drag. */

/** At the left edge (or the right), at the top (or the bottom), and how far from each, in pixels. */
export type Place = [left: boolean, top: boolean, x: number, y: number];

/** Smaller movements count as a press. */
const SLACK = 4;
/** The margin to the window's edges, in pixels. */
const MARGIN = 16;

/** Follows the pointer of `down` until it is released. */
export function drag(element: HTMLElement, store: Store, down: PointerEvent): void {
  const start = element.getBoundingClientRect();
  let place: Place | undefined;

  const follow = (event: PointerEvent) => {
    const dx = event.clientX - down.clientX;
    const dy = event.clientY - down.clientY;
    if (event.pointerId !== down.pointerId) return;
    // Released before this file was loaded.
    if (!event.buttons) return release(event);
    if (!place && Math.hypot(dx, dy) < SLACK) return;
    place = placeOf(start.x + dx, start.y + dy, start.width, start.height, innerWidth, innerHeight);
    put(element, place);
  };
  const release = (event: PointerEvent) => {
    if (event.pointerId !== down.pointerId) return;
    for (const [name, listener] of listeners) removeEventListener(name, listener, true);
    if (!place) return;
    store.write({ place: element.style.inset });
    // The click that follows belongs to the drag.
    const swallow = (click: Event) => click.stopPropagation();
    element.addEventListener("click", swallow, true);
    setTimeout(() => element.removeEventListener("click", swallow, true), 50);
  };
  const listeners = [
    ["pointermove", follow],
    ["pointerup", release],
    ["pointercancel", release],
  ] as const;
  for (const [name, listener] of listeners) addEventListener(name, listener, true);
}

/** Puts the chip into the next corner, clockwise. */
export function moveOn(element: HTMLElement, store: Store): void {
  const { x, y, width, height } = element.getBoundingClientRect();
  const [left, top] = placeOf(x, y, width, height, innerWidth, innerHeight);
  put(element, left === top ? [!left, top, MARGIN, MARGIN] : [left, !top, MARGIN, MARGIN]);
  store.write({ place: element.style.inset });
}

/** The nearest edges, and the distances from them. */
export function placeOf(x: number, y: number, width: number, height: number, w: number, h: number): Place {
  const left = x + width / 2 < w / 2;
  const top = y + height / 2 < h / 2;
  const within = (distance: number, most: number) => Math.round(Math.max(4, Math.min(distance, most)));
  return [
    left,
    top,
    within(left ? x : w - x - width, w - width - 4),
    within(top ? y : h - y - height, h - height - 4),
  ];
}

/** Keeps the chip visible when the window gets smaller. */
function put(element: HTMLElement, [left, top, x, y]: Place) {
  const across = `min(${x}px, 100vw - 110px)`;
  const down = `min(${y}px, 100vh - 52px)`;
  element.style.inset = `${top ? down : "auto"} ${left ? "auto" : across} ${top ? "auto" : down} ${left ? across : "auto"}`;
}
