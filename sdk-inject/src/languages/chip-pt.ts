import type { Strings } from "../strings";

/** Portuguese: what the chip says. */
const strings: Strings = {
  language: "pt",
  timeLeft: "Tempo restante da sessão",
  options: "Opções da sessão",
  lost: "Reconectando…",
  paused: "Em pausa",
  words: () => import("./__WORDS_PT__"),
};

export default strings;
