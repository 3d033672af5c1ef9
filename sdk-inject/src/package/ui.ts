/** The timer and its dialogs. Loaded unless `ui` is false. */
import { type Input, listenFirst } from "../input";
import { NAME } from "../store";
import type { Parts } from "../ui/interfaces";
import type { ModalStyles, Optional } from "./config";

export { stringsFor } from "../languages";
export { createTimer } from "../ui/timer";
export { wantedLanguages } from "../wanted";

export const laterParts: Parts = {
  dialog: () => import("../ui/dialog"),
  actionsPanel: () => import("../ui/actions-panel"),
  move: () => import("../ui/move"),
  site: () => import("../ui/site"),
};

/** What all copies of the SDK on the page share. Behind the gate, boot.js listens already. */
export function inputOf(): Input {
  const input: Input = Reflect.get(window, Symbol.for(NAME)) ?? {};
  input.listen ??= listenFirst(input);
  return input;
}

const names: Record<keyof ModalStyles, string> = {
  backgroundColor: "background",
  textColor: "text",
  primaryColor: "primary",
  borderRadius: "radius",
  fontFamily: "font",
};

/** Returns a style sheet that sets the custom properties of the timer. */
export function themeOf(styles: Optional<ModalStyles> = {}): string {
  const lines = Object.entries(styles)
    // Skip values that contain characters which would end the declaration.
    .filter(([, value]) => value && !/[;{}]/.test(value))
    .map(([name, value]) => `--sessiongate-${names[name as keyof ModalStyles]}:${value}!important;`);
  return lines.length ? `:host{${lines.join("")}}` : "";
}
