// What the timer, the dialogs and the actions panel know of one another. Each is a file of its own,
// loaded when it is wanted, and none imports another.
import type { Api } from "../api";
import type { Clock } from "../clock";
import type { formatClock } from "../format";
import type { Input } from "../input";
import type { ClockTexts, Extension, SessionView } from "../protocol";
import type { Session } from "../session";
import type { Store } from "../store";
import type { AllWords, Strings } from "../strings";
import type { Chip } from "./chip";
import type { Make } from "./dom";
import type { Words } from "./words";

/** What the other files get from the timer: they are loaded when first wanted. */
export interface TimerContext extends TimerEffects {
  el: Make;
  root: HTMLElement;
  chip: Chip;
  addStyles(css: string): void;
  formatClock: typeof formatClock;
  /** Whether something of the page lies over the middle of an element of ours. */
  isCovered(part: Element): boolean;
}

export interface DialogContext extends TimerContext {
  words: AllWords | undefined;
  /** The deadline that the user has seen; the dialogs tell of later ones. */
  deadline: number;
}

export type View = "warning" | "panel" | "paused" | "ended";

export interface Dialogs {
  open(view: View): void;
  close(): void;
  /** The session changed or a second passed. */
  update(): void;
  /** The host was taken out of the document and put back: modality was lost. */
  restore(): void;
  /** Something of the page was opened, perhaps above ours. */
  raise(): void;
}

/** The parts that are loaded when needed. */
export interface Parts {
  dialog(): Promise<{ createDialogs(context: DialogContext): Dialogs }>;
  actionsPanel(): Promise<{ createActionsPanel(frame: Frame): ActionsPanel }>;
  site(): Promise<{ start(context: TimerContext): void }>;
  move(): Promise<Pick<typeof import("./move"), "follow" | "moveOn" | "giveWay">>;
}

export interface TimerEffects {
  doc: Document;
  /** Where boot.js or the npm package listens before the page. */
  input: Input;
  session: Session;
  api: Api;
  clock: Clock;
  random(): number;
  store: Store;
  strings: Strings;
  parts: Parts;
  /** The document was written anew, without us. */
  onReplaced(): void;
  /** Leaves for another address. Default: {@link leaveFor}. */
  go?: ((address: string) => void) | undefined;
  /** Themes what we show. */
  css?: string | undefined;
  /** Lets the app save its work; settles within a bound. Without: an event asks the page. */
  beforeEnd?: ((reason: EndCause) => Promise<void>) | undefined;
}

export type EndCause = "deadline" | "user";

/** All that can be shown: what others may open, and the question before ending. */
export type Shown = View | "confirm";

/** What the rarer views (actions.js) get from the dialog that shows them. */
export interface Frame {
  context: DialogContext;
  dialog: HTMLDialogElement;
  /** Why the last press failed. */
  error: HTMLElement;
  /** Speaks to screen readers. */
  status: HTMLElement;
  words: Words;
  shown(): Shown | undefined;
  button(kind: string, testid: string, press: () => unknown, label: string): HTMLButtonElement;
  /** A button that calls the gate: one call at a time, its failure said in words. */
  caller(
    kind: string,
    testid: string,
    call: (actionsPanel: ActionsPanel) => unknown,
    label: string,
  ): HTMLButtonElement;
  endButton(): HTMLButtonElement;
  heading(title: string): Node;
  row(...children: (Node | string)[]): Node;
  /** The time left, large, and what can be done about it. */
  clockView(title: string, rest: Node[], onRefresh?: (view: SessionView) => void): Node[];
  draw(next: Shown): void;
  /** Closes what the user may close. */
  close(): void;
  /** Closes whatever is shown, the end too. */
  dismiss(): void;
  /** The text that describes the dialog. */
  text(said: string): HTMLElement;
  /** The same, in the provider's words if it has some. */
  own(which: keyof ClockTexts, said: string): HTMLElement;
}

/** What is needed when the user acts, and at the end. */
export interface ActionsPanel {
  extend(offer: Extension): Promise<void>;
  /** Carries out what a button is for: one at a time, its failure said in words. */
  press(button: HTMLElement, call: (actionsPanel: ActionsPanel) => unknown): Promise<void>;
  /** Says that time was added. */
  added(seconds: number): void;
  /** The deadline is this near: lets the app save its work in time. */
  nearDeadline(seconds: number): void;
  panel(): Node[];
  confirm(): Node[];
  paused(): Node[];
  ended(): Node[];
}
