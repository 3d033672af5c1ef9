import type { AllWords } from "../strings";
import { counted, time12, units } from "./forms";

/** Arabic: every word of the dialogs. Addresses run the other way: they are isolated. */
const words: AllWords = {
  unit: units(
    "ar",
    {
      hour: { one: "ساعة", two: "ساعتان", few: "{} ساعات", other: "{} ساعة" },
      minute: { one: "دقيقة", two: "دقيقتان", few: "{} دقائق", other: "{} دقيقة" },
      second: { one: "ثانية", two: "ثانيتان", few: "{} ثوان", other: "{} ثانية" },
    },
    { minute: "{} د", second: "{} ث" },
  ),
  left: (span) => `الوقت المتبقي من جلستك: ${span}`,
  added: (span) => `تمت إضافة ${span}`,
  warningTitle: "ستنتهي جلستك قريبًا",
  endsAt: (end) => `تنتهي الساعة ${time12(end, "ص", "م")}`,
  advice: "يُرجى حفظ عملك قبل انتهاء الوقت.",
  price: (tokens) =>
    counted("ar", tokens, {
      zero: "مجانًا",
      one: "مقابل رمز واحد",
      two: "مقابل رمزين",
      few: "مقابل {} رموز",
      many: "مقابل {} رمزًا",
      other: "مقابل {} رمز",
    }),
  moreTime: "طلب مزيد من الوقت",
  keepGoing: "متابعة",
  end: "إنهاء الجلسة",
  close: "إغلاق",
  lostAnswer: "تعذّر الاتصال بالخادم. يُرجى المحاولة مجددًا: لن يُخصم منك مرتين.",
  panelTitle: "الوقت المتبقي",
  pause: "إيقاف مؤقت",
  move: "نقل المؤقّت",
  collapse: "إخفاء الوقت",
  expand: "إظهار الوقت",
  confirmTitle: "هل تريد إنهاء الجلسة الآن؟",
  confirmText: (span) => `ما زال لديك ${span}. سيؤدي إنهاء الجلسة إلى إغلاق هذا التطبيق.`,
  unused: {
    full: "تُحتسب جميع الرموز، ولا يُعاد منها شيء عن الوقت المتبقي.",
    prorated: "يُحتسب الوقت المستخدم فقط، وتُعاد إليك رموز الوقت المتبقي.",
    agreed: "تُحتسب رموز الوقت المتبقي أو تُعاد وفق ما اتُّفق عليه عند الشراء.",
  },
  saving: "جارٍ حفظ عملك…",
  pausedTitle: "الجلسة متوقفة مؤقتًا",
  pausedText: (span) => `الوقت متوقف. المتبقي: ${span}.`,
  resume: "استئناف",
  endedTitle: "انتهت جلستك",
  ended: {
    completed: "شكرًا لزيارتك.",
    expired: "انتهى وقتك.",
    revoked: "أنهى السوق هذه الجلسة.",
    canceled: "أُلغيت هذه الجلسة قبل أن تبدأ.",
    gone: "لم تعد في هذا المتصفح جلسة مفتوحة.",
  },
  redirecting: (place, span) => `العودة إلى \u2068${place}\u2069 خلال ${span}…`,
  goNow: (place) => `الانتقال إلى \u2068${place}\u2069`,
  closeTab: "يمكنك إغلاق هذه الصفحة.",
  stay: "البقاء في هذه الصفحة",
  insufficient: "ليس لديك رموز كافية.",
  consent: "يتطلب هذا الشراء موافقتك أولًا.",
  consentLink: (place) => `الموافقة في \u2068${place}\u2069`,
  failed: "لم ينجح ذلك. يُرجى المحاولة مجددًا.",
};

export default words;
