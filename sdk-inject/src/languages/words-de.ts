import type { AllWords } from "../strings";
import { counted, time24, units } from "./forms";

/** German: every word of the dialogs. */
const words: AllWords = {
  unit: units(
    "de",
    {
      hour: { one: "{} Stunde", other: "{} Stunden" },
      minute: { one: "{} Minute", other: "{} Minuten" },
      second: { one: "{} Sekunde", other: "{} Sekunden" },
    },
    { minute: "{} Min.", second: "{} Sek." },
  ),
  left: (span) => `Noch ${span} in Ihrer Sitzung`,
  added: (span) => `${span} hinzugefügt`,
  warningTitle: "Ihre Sitzung endet bald",
  endsAt: (end) => `Endet um ${time24(end, 2)} Uhr`,
  advice: "Bitte speichern Sie Ihre Arbeit, bevor die Zeit abläuft.",
  price: (tokens) =>
    counted("de", tokens, {
      zero: "kostenlos",
      one: "für {} Token",
      other: "für {} Token",
    }),
  moreTime: "Mehr Zeit anfragen",
  keepGoing: "Weitermachen",
  end: "Sitzung beenden",
  close: "Schließen",
  lostAnswer:
    "Der Server war nicht erreichbar. Versuchen Sie es noch einmal: Es wird nicht doppelt abgebucht.",
  panelTitle: "Verbleibende Zeit",
  pause: "Pausieren",
  move: "Uhr verschieben",
  collapse: "Zeit ausblenden",
  expand: "Zeit einblenden",
  confirmTitle: "Sitzung jetzt beenden?",
  confirmText: (span) => `Sie haben noch ${span}. Wenn Sie die Sitzung beenden, wird diese App geschlossen.`,
  unused: {
    full: "Alle Token werden berechnet; für die restliche Zeit gibt es keine zurück.",
    prorated: "Berechnet wird nur die genutzte Zeit. Token für die restliche Zeit erhalten Sie zurück.",
    agreed: "Token für die restliche Zeit werden berechnet oder zurückgegeben, wie beim Kauf vereinbart.",
  },
  saving: "Ihre Arbeit wird gespeichert …",
  pausedTitle: "Sitzung pausiert",
  pausedText: (span) => `Die Zeit ist angehalten. Verbleibend: ${span}.`,
  resume: "Fortsetzen",
  endedTitle: "Ihre Sitzung ist beendet",
  ended: {
    completed: "Danke für Ihren Besuch.",
    expired: "Ihre Zeit ist abgelaufen.",
    revoked: "Der Marktplatz hat diese Sitzung beendet.",
    canceled: "Diese Sitzung wurde vor ihrem Beginn storniert.",
    gone: "In diesem Browser ist keine Sitzung mehr offen.",
  },
  redirecting: (place, span) => `In ${span} geht es zurück zu ${place} …`,
  goNow: (place) => `Zu ${place}`,
  closeTab: "Sie können diesen Tab schließen.",
  stay: "Auf dieser Seite bleiben",
  insufficient: "Sie haben dafür nicht genügend Token.",
  consent: "Für diesen Kauf ist zuerst Ihre Zustimmung nötig.",
  consentLink: (place) => `Auf ${place} zustimmen`,
  failed: "Das hat nicht geklappt. Bitte versuchen Sie es noch einmal.",
};

export default words;
