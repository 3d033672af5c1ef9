import type { EndReason } from "../state";

/** Every word of the dialogs. */
export interface Words {
  warningTitle: string;
  panelTitle: string;
  endsAt(time: string): string;
  canExtend: string;
  cannotExtend: string;
  extend(span: string): string;
  price(tokens: number): string;
  moreTime: string;
  end: string;
  pause: string;
  close: string;
  move: string;
  confirmTitle: string;
  confirmText(span: string): string;
  keepGoing: string;
  pausedTitle: string;
  pausedText(span: string): string;
  resume: string;
  endedTitle: string;
  ended: Record<EndReason, string>;
  redirecting(place: string, seconds: number): string;
  goNow(place: string): string;
  closeTab: string;
  insufficient: string;
  consent: string;
  consentLink(place: string): string;
  unreachable: string;
  failed: string;
}

export const en: Words = {
  warningTitle: "Your session ends soon",
  panelTitle: "Time left",
  endsAt: (time) => `Ends at ${time}`,
  canExtend: "Add time, or save your work now.",
  cannotExtend: "Please save your work before time is up.",
  extend: (span) => `+${span}`,
  price: (tokens) =>
    tokens ? `for ${tokens.toLocaleString("en")} token${tokens === 1 ? "" : "s"}` : "for free",
  moreTime: "Ask for more time",
  end: "End session",
  pause: "Pause",
  close: "Close",
  move: "Move timer",
  confirmTitle: "End your session now?",
  confirmText: (span) => `You still have ${span}. Ending closes this app.`,
  keepGoing: "Keep going",
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
  redirecting: (place, seconds) => `Taking you back to ${place} in ${seconds}…`,
  goNow: (place) => `Go to ${place}`,
  closeTab: "You can close this tab.",
  insufficient: "You don’t have enough tokens for this.",
  consent: "This purchase needs your approval first.",
  consentLink: (place) => `Approve at ${place}`,
  unreachable: "We couldn’t reach the server. Try again: you won’t be charged twice.",
  failed: "That didn’t work. Please try again.",
};
