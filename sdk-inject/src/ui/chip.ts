import type { Clock } from "../clock";
import { formatClock } from "../format";
import type { State } from "../state";
import type { Store } from "../store";
import type { Strings } from "../strings";

/** The quiet timer in a corner of the window. */
export interface Chip {
  show(state: State, remainingMs: number): void;
  /** Says briefly that time was added. */
  flash(text: string): void;
  /** Puts the chip into the next corner, and remembers it. */
  move(): void;
}

export interface ChipEffects {
  root: HTMLElement;
  strings: Strings;
  store: Store;
  clock: Clock;
  onOpen(): void;
}

const FLASH_MS = 2500;

export function createChip({ root, strings, store, clock, onOpen }: ChipEffects): Chip {
  const make = (tag: string, parent: HTMLElement) =>
    parent.appendChild(root.ownerDocument.createElement(tag));
  const chip = make("div", root);
  chip.className = "chip";
  chip.role = "timer";
  chip.ariaLive = "off";
  chip.ariaLabel = strings.timeLeft;
  chip.dataset.testid = "session-timer";
  make("i", chip); // the ring: how much is left, as part of a circle
  const time = make("b", chip);
  const hint = make("span", chip);
  // Over the whole chip, with a name that stands still: the time is the timer's.
  const button = make("button", chip);
  button.ariaLabel = strings.options;
  button.ariaHasPopup = "dialog";
  button.addEventListener("click", onOpen);

  // Clockwise from the end of the last line: a right-to-left page ends on the left.
  const { documentElement } = root.ownerDocument;
  let corner = store.read().corner ?? Number(getComputedStyle(documentElement).direction === "rtl");
  const place = () => {
    root.dataset.corner = `${corner}`;
  };
  place();

  let flashUntil = 0;
  return {
    show(state, remainingMs) {
      chip.hidden = !("view" in state);
      if (!("view" in state)) return;
      const lost = state.phase === "active" && !state.connected;
      const total = Math.max(state.view.duration_limit_seconds * 1000, remainingMs, 1);
      const flashing = clock.elapsed() < flashUntil;
      if (!flashing) {
        hint.textContent = state.phase === "paused" ? strings.paused : lost ? strings.lost : "";
        chip.dataset.tone = hint.textContent ? "muted" : tone(remainingMs, total);
      }
      time.textContent = formatClock(remainingMs);
      chip.style.setProperty("--left", `${remainingMs / total}`);
    },
    flash(text) {
      hint.textContent = text;
      chip.dataset.tone = "added";
      flashUntil = clock.elapsed() + FLASH_MS;
    },
    move() {
      corner = (corner + 1) % 4;
      place();
      store.write({ corner });
    },
  };
}

/** The last minute, and before it the last five; both later in a short session. */
function tone(remainingMs: number, totalMs: number): string {
  if (remainingMs <= Math.min(60_000, totalMs / 4)) return "danger";
  return remainingMs <= Math.min(300_000, totalMs / 2) ? "warn" : "";
}
