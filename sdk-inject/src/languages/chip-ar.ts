import type { Strings } from "../strings";

/** Arabic: what the chip says. */
const strings: Strings = {
  language: "ar",
  timeLeft: "الوقت المتبقي من الجلسة",
  options: "خيارات الجلسة",
  lost: "جارٍ إعادة الاتصال…",
  paused: "متوقفة مؤقتًا",
  words: () => import("./__WORDS_AR__"),
};

export default strings;
