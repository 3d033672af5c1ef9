/**
 * The texts of the timer and its dialogs. Plain text of at most 200 characters: markup is shown as it is
 * written. `{time}`, `{tokens}` and `{place}` are replaced where they are named.
 *
 * @public
 */
export interface Texts {
  /** The label of the clock, for screen readers. */
  timeLeft: string;
  /** The label of the clock's button. */
  options: string;
  /** On the clock, while the connection is lost. */
  reconnecting: string;
  /** On the clock, while the session is paused. */
  paused: string;
  /** The title of the warning. */
  warningTitle: string;
  /** What the warning advises. */
  warningText: string;
  /** What screen readers hear at a warning: `{time}`. */
  warningAnnouncement: string;
  /** The price on the button that extends the session: `{tokens}`. */
  price: string;
  /** The button that extends the session, where no offer was made. */
  moreTime: string;
  /** The button that ends the session. */
  endSession: string;
  /** The button that closes a dialog. */
  close: string;
  /** After an extension: `{time}`. */
  added: string;
  /** The title of the clock's dialog. */
  panelTitle: string;
  /** The button that pauses the session. */
  pause: string;
  /** The button that moves the clock. */
  move: string;
  /** The button that hides the time. */
  hideTime: string;
  /** The button that shows the time again. */
  showTime: string;
  /** The question before the session is ended. */
  confirmTitle: string;
  /** Below that question: `{time}`. */
  confirmText: string;
  /** The button that does not end the session. */
  keepGoing: string;
  /** While the app saves the user's work. */
  saving: string;
  /** The title while the session is paused. */
  pausedTitle: string;
  /** Below that title: `{time}`. */
  pausedText: string;
  /** The button that resumes the session. */
  resume: string;
  /** The title at the end. */
  endedTitle: string;
  /** The user ended the session. */
  endedCompleted: string;
  /** The time ran out. */
  endedExpired: string;
  /** The marketplace ended the session. */
  endedRevoked: string;
  /** The session was canceled before it began. */
  endedCanceled: string;
  /** The session is open elsewhere, or this browser has lost it. */
  endedElsewhere: string;
  /** Before the user is taken back: `{place}`, `{time}`. */
  redirecting: string;
  /** The link back to the marketplace: `{place}`. */
  goNow: string;
  /** At the end, where there is no page to return to. */
  closeTab: string;
  /** The button that stays on the page. */
  stay: string;
  /** The user has too few tokens. */
  insufficientTokens: string;
  /** The purchase needs consent. */
  consentNeeded: string;
  /** The link to the page for consent: `{place}`. */
  consentLink: string;
  /** A purchase got no answer. */
  noAnswer: string;
  /** Another failure. */
  failed: string;
}

/**
 * Texts by language, as BCP 47 tags: `{ en: { moreTime: "Stay longer" }, "de-AT": { … } }`.
 *
 * @public
 */
export type TextsByLanguage = { [language: string]: { [K in keyof Texts]?: Texts[K] | undefined } };
