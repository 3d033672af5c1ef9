import type { Strings } from "../strings";

/** French: what the chip says. */
const strings: Strings = {
  language: "fr",
  timeLeft: "Temps de session restant",
  options: "Options de la session",
  lost: "Reconnexion…",
  paused: "En pause",
  words: () => import("./__WORDS_FR__"),
};

export default strings;
