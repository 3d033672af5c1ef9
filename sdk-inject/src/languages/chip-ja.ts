import type { Strings } from "../strings";

/** Japanese: what the chip says. */
const strings: Strings = {
  language: "ja",
  timeLeft: "セッションの残り時間",
  options: "セッションのオプション",
  lost: "再接続しています…",
  paused: "一時停止中",
  words: () => import("./__WORDS_JA__"),
};

export default strings;
