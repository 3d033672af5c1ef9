/** The languages to look for, most wanted first. Not every browser lists all. */
export const wantedLanguages = (): string[] =>
  [document.documentElement.lang, navigator.language, ...(navigator.languages ?? [])].filter(Boolean);
