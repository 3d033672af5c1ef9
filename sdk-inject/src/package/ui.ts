/** What the page sees of the session: loaded unless it draws its own. */
import type { Parts } from "../ui/interfaces";
import type { ModalStyles } from "./config";

export { stringsFor } from "../languages";
export { createTimer } from "../ui/timer";

export const laterParts: Parts = {
  dialog: () => import("../ui/dialog"),
  actionsPanel: () => import("../ui/actions-panel"),
  move: () => import("../ui/move"),
};

const names: Record<keyof ModalStyles, string> = {
  backgroundColor: "background",
  textColor: "text",
  primaryColor: "primary",
  borderRadius: "radius",
  fontFamily: "font",
};

/** A style sheet that sets what the timer's own sheets read. */
export function themeOf(styles: Partial<ModalStyles> = {}): string {
  const lines = Object.entries(styles)
    // A value, and nothing that would end it.
    .filter(([, value]) => value && !/[;{}]/.test(value))
    .map(([name, value]) => `--sessiongate-${names[name as keyof ModalStyles]}:${value}!important;`);
  return lines.length ? `:host{${lines.join("")}}` : "";
}
