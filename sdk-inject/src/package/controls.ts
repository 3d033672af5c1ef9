/** What the controls of React and Vue share: which actions there are, their texts and style sheet. */
import type { SessionData } from "./config";
import css from "./controls.css";
import type { SDKError } from "./errors";

/**
 * The actions of `SessionControls`.
 *
 * @public
 */
export type SessionAction = "extend" | "pause" | "resume" | "end";

/**
 * The texts of `SessionControls`. `{tokens}` is replaced in `extend`.
 *
 * @public
 */
export interface SessionControlsLabels extends Record<SessionAction, string> {
  /** The name of the group, for screen readers. */
  group: string;
  /** After an action that failed. */
  failed: string;
}

/**
 * What `SessionControls` passes to a render function or slot.
 *
 * @public
 */
export interface SessionControlsState {
  /** The session, or null until it is open. */
  session: SessionData | null;
  /** Whole seconds left. */
  remainingTime: number;
  /** The remaining time as the timer shows it: `9:42`. */
  formattedTime: string;
  /** The actions that the session offers now. */
  actions: SessionAction[];
  /** The action that is being carried out. Until it is, another one does nothing. */
  pending: SessionAction | null;
  /** Why the last action failed. */
  error: SDKError | null;
  /** Carries out an action. Never rejects: a failure is in `error`. */
  run(action: SessionAction): Promise<void>;
}

export const english: SessionControlsLabels = {
  group: "Session",
  extend: "More time ({tokens} tokens)",
  pause: "Pause",
  resume: "Resume",
  end: "End session",
  failed: "That didn’t work. Please try again.",
};

/** Returns the actions that a session offers. */
export function actionsOf(session: SessionData | null): SessionAction[] {
  if (!session || session.status === "ended") return [];
  const actions: SessionAction[] = [];
  if (session.extension?.left) actions.push("extend");
  if (session.status === "paused") actions.push("resume");
  else if (session.pause?.left) actions.push("pause");
  return [...actions, "end"];
}

/** Returns the text of an action's button. */
export function labelOf(
  action: SessionAction,
  labels: SessionControlsLabels,
  session: SessionData | null,
): string {
  return labels[action].replace("{tokens}", `${session?.extension?.tokens ?? ""}`);
}

let sheet: CSSStyleSheet | undefined;

/** Adds the style sheet to the document or shadow root of an element, once. It needs no `unsafe-inline`. */
export function adoptStyles(element: Element | null | undefined): void {
  const root = element?.getRootNode() as Document | ShadowRoot | undefined;
  if (!root?.adoptedStyleSheets) return;
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
  }
  if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
}
