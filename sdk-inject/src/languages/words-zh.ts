import type { AllWords } from "../strings";
import { counted, time24, units } from "./forms";

/** Chinese: every word of the dialogs. */
const words: AllWords = {
  unit: units(
    "zh",
    { hour: { other: "{}小时" }, minute: { other: "{}分钟" }, second: { other: "{}秒钟" } },
    { minute: "{}分钟", second: "{}秒" },
  ),
  left: (span) => `您的会话还剩${span}`,
  added: (span) => `已增加${span}`,
  warningTitle: "您的会话即将结束",
  endsAt: (end) => `将于 ${time24(end, 2)} 结束`,
  advice: "请在时间用完之前保存您的工作。",
  price: (tokens) =>
    counted("zh", tokens, {
      zero: "免费",
      other: "{} 个代币",
    }),
  moreTime: "申请更多时间",
  keepGoing: "继续使用",
  end: "结束会话",
  close: "关闭",
  lostAnswer: "无法连接服务器。请重试，不会重复扣费。",
  panelTitle: "剩余时间",
  pause: "暂停",
  move: "移动计时器",
  collapse: "隐藏时间",
  expand: "显示时间",
  confirmTitle: "现在结束会话吗？",
  confirmText: (span) => `您还剩${span}。结束后将关闭此应用。`,
  unused: {
    full: "将扣除全部代币，剩余时间不予退还。",
    prorated: "仅按已用时间扣费，剩余时间的代币将退还给您。",
    agreed: "剩余时间的代币将按购买时的约定扣除或退还。",
  },
  saving: "正在保存您的工作…",
  pausedTitle: "会话已暂停",
  pausedText: (span) => `计时已停止，还剩${span}。`,
  resume: "继续",
  endedTitle: "您的会话已结束",
  ended: {
    completed: "感谢您的使用。",
    expired: "您的时间已用完。",
    revoked: "平台已结束此会话。",
    canceled: "此会话在开始前已取消。",
    gone: "此浏览器中已没有打开的会话。",
  },
  redirecting: (place, span) => `${span}后返回 ${place}…`,
  goNow: (place) => `前往 ${place}`,
  closeTab: "您可以关闭此标签页。",
  stay: "留在此页面",
  insufficient: "您的代币不足。",
  consent: "此次购买需要您先同意。",
  consentLink: (place) => `在 ${place} 同意`,
  failed: "操作未成功，请重试。",
};

export default words;
