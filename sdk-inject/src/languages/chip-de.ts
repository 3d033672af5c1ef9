import type { Strings } from "../strings";

/** German: what the chip says. */
const strings: Strings = {
  language: "de",
  timeLeft: "Verbleibende Sitzungszeit",
  options: "Sitzungsoptionen",
  lost: "Verbindung wird wiederhergestellt …",
  paused: "Pausiert",
  words: () => import("./__WORDS_DE__"),
};

export default strings;
