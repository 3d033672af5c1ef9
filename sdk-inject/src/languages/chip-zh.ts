import type { Strings } from "../strings";

/** Chinese: what the chip says. */
const strings: Strings = {
  language: "zh",
  timeLeft: "会话剩余时间",
  options: "会话选项",
  lost: "正在重新连接…",
  paused: "已暂停",
  words: () => import("./__WORDS_ZH__"),
};

export default strings;
