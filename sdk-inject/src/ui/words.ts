/** What the dialogs say first; the rest is in more-words.ts. */
export interface Words {
  left(span: string): string;
  warningTitle: string;
  advice: string;
  price(tokens: number): string;
  moreTime: string;
  end: string;
  close: string;
}

export const en: Words = {
  left: (span) => `${span} left in your session`,
  warningTitle: "Your session ends soon",
  advice: "Please save your work.",
  price: (tokens) =>
    tokens ? `for ${tokens.toLocaleString("en")} token${tokens === 1 ? "" : "s"}` : "for free",
  moreTime: "More time",
  end: "End session",
  close: "Close",
};
