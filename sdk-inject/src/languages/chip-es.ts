import type { Strings } from "../strings";

/** Spanish: what the chip says. */
const strings: Strings = {
  language: "es",
  timeLeft: "Tiempo restante de la sesión",
  options: "Opciones de la sesión",
  lost: "Reconectando…",
  paused: "En pausa",
  words: () => import("./__WORDS_ES__"),
};

export default strings;
