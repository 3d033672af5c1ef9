import { time12 } from "../languages/forms";
import type { SettlementPolicy } from "../protocol";
import type { EndReason } from "../state";

/** The texts of the panel, the end confirmation, the paused and ended screens, and refusals. */
export interface ActionsWords {
  /** The time of day at which the session ends. */
  endsAt(end: Date): string;
  keepGoing: string;
  added(span: string): string;
  panelTitle: string;
  pause: string;
  move: string;
  collapse: string;
  expand: string;
  confirmTitle: string;
  confirmText(span: string): string;
  /** What becomes of the tokens of a session that is ended early. */
  unused: Record<SettlementPolicy | "agreed", string>;
  saving: string;
  pausedTitle: string;
  pausedText(span: string): string;
  resume: string;
  endedTitle: string;
  ended: Record<EndReason, string>;
  redirecting(place: string, span: string): string;
  goNow(place: string): string;
  closeTab: string;
  stay: string;
  insufficient: string;
  consent: string;
  consentLink(place: string): string;
  /** After a purchase that may have gone through. */
  lostAnswer: string;
  failed: string;
}

export const en: ActionsWords = {
  endsAt: (end) => `Ends at ${time12(end, "AM", "PM")}`,
  keepGoing: "Keep going",
  added: (span) => `${span} added`,
  panelTitle: "Time left",
  pause: "Pause",
  move: "Move timer",
  collapse: "Hide time",
  expand: "Show time",
  confirmTitle: "End your session now?",
  confirmText: (span) => `You still have ${span}. Ending closes this app.`,
  unused: {
    full: "All tokens are charged; none are returned for the time left.",
    prorated: "Only the time you used is charged. Tokens for the time left are returned.",
    agreed: "Tokens for the time left are charged or returned as agreed at the sale.",
  },
  saving: "Saving your work…",
  pausedTitle: "Session paused",
  pausedText: (span) => `Your clock stands still with ${span} left.`,
  resume: "Resume",
  endedTitle: "Your session has ended",
  ended: {
    completed: "Thank you for your visit.",
    expired: "Your time is up.",
    revoked: "The marketplace ended this session.",
    canceled: "This session was canceled before it began.",
    gone: "This browser has no open session any more.",
  },
  redirecting: (place, span) => `Taking you back to ${place} in ${span}…`,
  goNow: (place) => `Go to ${place}`,
  closeTab: "You can close this tab.",
  stay: "Stay on this page",
  insufficient: "You don’t have enough tokens for this.",
  consent: "This purchase needs your approval first.",
  consentLink: (place) => `Approve at ${place}`,
  lostAnswer: "We couldn’t reach the server. Try again: you won’t be charged twice.",
  failed: "That didn’t work. Please try again.",
};
