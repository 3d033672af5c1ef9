import type { AllWords } from "../strings";
import { counted, time24, units } from "./forms";

/** Japanese: every word of the dialogs. */
const words: AllWords = {
  unit: units(
    "ja",
    { hour: { other: "{} 時間" }, minute: { other: "{} 分" }, second: { other: "{} 秒" } },
    { minute: "{} 分", second: "{} 秒" },
  ),
  left: (span) => `セッションの残り時間は${span}です`,
  added: (span) => `${span}追加しました`,
  warningTitle: "まもなくセッションが終了します",
  endsAt: (end) => `${time24(end)}に終了`,
  advice: "時間切れになる前に作業を保存してください。",
  price: (tokens) =>
    counted("ja", tokens, {
      zero: "無料",
      other: "{}トークン",
    }),
  moreTime: "時間の追加を依頼",
  keepGoing: "続ける",
  end: "セッションを終了",
  close: "閉じる",
  lostAnswer: "サーバーに接続できませんでした。もう一度お試しください。二重に請求されることはありません。",
  panelTitle: "残り時間",
  pause: "一時停止",
  move: "タイマーを移動",
  collapse: "時間を非表示にする",
  expand: "時間を表示する",
  confirmTitle: "今すぐセッションを終了しますか？",
  confirmText: (span) => `残り${span}あります。終了するとこのアプリは閉じます。`,
  unused: {
    full: "すべてのトークンが課金され、残り時間の分は返還されません。",
    prorated: "課金されるのは使用した時間の分だけです。残り時間の分のトークンは返還されます。",
    agreed: "残り時間の分のトークンは、購入時の条件に従って課金または返還されます。",
  },
  saving: "作業を保存しています…",
  pausedTitle: "セッションは一時停止中です",
  pausedText: (span) => `時間は停止しています（残り${span}）。`,
  resume: "再開",
  endedTitle: "セッションが終了しました",
  ended: {
    completed: "ご利用ありがとうございました。",
    expired: "時間切れです。",
    revoked: "マーケットプレイスがこのセッションを終了しました。",
    canceled: "このセッションは開始前に取り消されました。",
    gone: "このブラウザーで開いているセッションはありません。",
  },
  redirecting: (place, span) => `${span}後に${place}へ戻ります…`,
  goNow: (place) => `${place}へ移動`,
  closeTab: "このタブは閉じてかまいません。",
  stay: "このページにとどまる",
  insufficient: "トークンが足りません。",
  consent: "この購入には事前の承認が必要です。",
  consentLink: (place) => `${place}で承認`,
  failed: "うまくいきませんでした。もう一度お試しください。",
};

export default words;
