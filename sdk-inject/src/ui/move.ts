import type { Store } from "../store";

/** move.js: moves the chip. Loaded when it is first pressed, or lies over a control of the page;
 *  arrow keys and the panel's “Move timer” are for those who don't drag. */

/** At the left edge (or the right), at the top (or the bottom), and how far from each, in pixels. */
export type Place = [left: boolean, top: boolean, x: number, y: number];

/** Smaller movements count as a press. */
const SLACK = 4;
/** The margin to the window's edges, in pixels. */
const MARGIN = 16;
/** How far from the edge to look for a free place: beside a bar, and beside two. */
const STEPS = [0, 56, 112];

/** Moves the chip with what is pressed on it. */
export function follow(element: HTMLElement, store: Store, event: PointerEvent | KeyboardEvent): void {
  if ("key" in event) moveBy(element, store, event.key);
  else drag(element, store, event);
}

/** Follows the pointer of `down` until it is released. */
function drag(element: HTMLElement, store: Store, down: PointerEvent): void {
  const start = element.getBoundingClientRect();
  const { pointerId } = down;
  let place: Place | undefined;
  try {
    // Every event of the pointer is the chip's, so that no handler of the page can keep it.
    element.setPointerCapture(pointerId);
  } catch {
    return; // Released before this file was loaded.
  }
  element.onpointermove = (event) => {
    const dx = event.clientX - down.clientX;
    const dy = event.clientY - down.clientY;
    if (event.pointerId !== pointerId) return;
    if (!place && Math.hypot(dx, dy) < SLACK) return;
    place = placeOf(start.x + dx, start.y + dy, start.width, start.height, innerWidth, innerHeight);
    put(element, place);
  };
  element.onpointerup = element.onpointercancel = (event) => {
    if (event.pointerId !== pointerId) return;
    element.onpointermove = element.onpointerup = element.onpointercancel = null;
    if (!place) return;
    store.write({ place: element.style.inset });
    // The click that follows belongs to the drag.
    const press = element.onclick;
    if (!press) return;
    element.onclick = null;
    setTimeout(() => {
      element.onclick = press;
    }, 50);
  };
}

/** Puts the chip into the next corner, clockwise. */
export function moveOn(element: HTMLElement, store: Store): void {
  const [left, top] = placeNow(element);
  choose(element, store, left === top ? !left : left, left === top ? top : !top);
}

/** Puts the chip to the side that an arrow key points to. Other keys do nothing. */
function moveBy(element: HTMLElement, store: Store, key: string): void {
  if (!key.startsWith("Arrow")) return;
  const [left, top] = placeNow(element);
  const across = /Left|Right/.test(key);
  choose(element, store, across ? key === "ArrowLeft" : left, across ? top : key === "ArrowUp");
}

/** Puts the chip where it covers no control of the page: a corner, or a place above or below it. It
 *  stays where it is if there is none. Not remembered: another page has other controls. */
export function giveWay(element: HTMLElement, isOverControl: (part: Element) => boolean): void {
  const before = element.style.inset;
  const [left] = placeNow(element);
  for (const top of [false, true])
    for (const step of STEPS)
      for (const side of [left, !left]) {
        put(element, [side, top, MARGIN, MARGIN + step]);
        if (!isOverControl(element)) return;
      }
  element.style.inset = before;
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

function placeNow(element: HTMLElement): Place {
  const { x, y, width, height } = element.getBoundingClientRect();
  return placeOf(x, y, width, height, innerWidth, innerHeight);
}

function choose(element: HTMLElement, store: Store, left: boolean, top: boolean) {
  put(element, [left, top, MARGIN, MARGIN]);
  store.write({ place: element.style.inset });
}

/** Keeps the chip visible when the window gets smaller. */
function put(element: HTMLElement, [left, top, x, y]: Place) {
  const across = `min(${x}px, 100vw - 110px)`;
  const down = `min(${y}px, 100vh - 52px)`;
  element.style.inset = `${top ? down : "auto"} ${left ? "auto" : across} ${top ? "auto" : down} ${left ? across : "auto"}`;
}
