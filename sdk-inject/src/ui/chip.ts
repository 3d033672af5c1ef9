import { formatClock } from "../format";
import type { ClockTexts } from "../protocol";
import type { State } from "../state";
import type { Store } from "../store";
import type { Strings } from "../strings";
import type { Make } from "./dom";

/** What the provider wants in the dialogs. */
export interface Own {
  /** The app's name, which comes before a title. */
  ownName(): Node[];
  /** Puts the provider's text, if there is one, in the place of ours. */
  ownText(which: keyof ClockTexts, ours: HTMLElement): void;
  /** A link to the provider's support, if there is one. */
  supportLink(): Node[];
}

/** The timer at the edge of the window. */
export interface Chip {
  show(state: State, remainingMs: number): void;
  element: HTMLElement;
  /** Missing: the provider decided nothing. */
  own?: Own;
}

export function createChip(
  el: Make,
  root: HTMLElement,
  strings: Strings,
  store: Store,
  onOpen: () => void,
): Chip {
  const { place, small } = store.read();
  const time = el("b");
  const hint = el("span");
  // Over the whole chip, with a name that stands still: the time is the timer's.
  const button = el("button", { "aria-label": strings.options, "aria-haspopup": "dialog" });
  const element = el(
    "div",
    {
      class: small ? "chip small" : "chip",
      hidden: "",
      role: "timer", // which screen readers don't read out by themselves
      "aria-label": strings.timeLeft,
      "data-testid": "session-timer",
    },
    el("i"), // the ring: how much is left, as part of a circle
    time,
    hint,
    button,
  );
  // Not the button's: a pointer that the chip has captured clicks the chip.
  element.onclick = onOpen;
  // Where move.js put it, which writes lengths in min(). Otherwise, also if the page stores something
  // else under our name, the style sheet's place, where the page's last line ends.
  if (/n\(\d/.test(place as string)) element.style.inset = place as string;
  root.append(element);

  const chip: Chip = {
    element,
    show(state, remainingMs) {
      const { phase, view, connected } = state as Extract<State, { view: unknown }>;
      element.hidden = !view;
      if (!view) return;
      const total = view.duration_limit_seconds * 1000;
      hint.textContent = phase === "paused" ? strings.paused : connected ? "" : strings.lost;
      element.dataset.tone = hint.textContent ? "said" : tone(remainingMs, total);
      time.textContent = formatClock(remainingMs);
      element.style.setProperty("--left", `${remainingMs / total}turn`);
    },
  };
  return chip;
}

/** The last minute, and before it the last five; both later in a short session. */
function tone(remainingMs: number, totalMs: number): string {
  if (remainingMs <= Math.min(60_000, totalMs / 4)) return "danger";
  return remainingMs <= Math.min(300_000, totalMs / 2) ? "warn" : "";
}
