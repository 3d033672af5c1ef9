import type { AllWords } from "../strings";
import { counted, time24, units } from "./forms";

/** French: every word of the dialogs. */
const words: AllWords = {
  unit: units(
    "fr",
    {
      hour: { one: "{}\u00a0heure", other: "{}\u00a0heures" },
      minute: { one: "{} minute", other: "{} minutes" },
      second: { one: "{}\u00a0seconde", other: "{}\u00a0secondes" },
    },
    { minute: "{}\u00a0min", second: "{}\u202fs" },
  ),
  left: (span) => `Il vous reste ${span} de session`,
  added: (span) => `${span} de plus`,
  warningTitle: "Votre session se termine bientôt",
  endsAt: (end) => `Fin à ${time24(end, 2)}`,
  advice: "Pensez à enregistrer votre travail avant la fin.",
  price: (tokens) =>
    counted("fr", tokens, {
      zero: "gratuit",
      one: "pour {} jeton",
      other: "pour {} jetons",
    }),
  moreTime: "Demander plus de temps",
  keepGoing: "Continuer",
  end: "Terminer la session",
  close: "Fermer",
  lostAnswer: "Le serveur est injoignable. Réessayez : vous ne serez pas débité deux fois.",
  panelTitle: "Temps restant",
  pause: "Mettre en pause",
  move: "Déplacer le minuteur",
  collapse: "Masquer le temps",
  expand: "Afficher le temps",
  confirmTitle: "Terminer la session maintenant ?",
  confirmText: (span) => `Il vous reste ${span}. Si vous terminez, cette application se fermera.`,
  unused: {
    full: "Tous les jetons sont facturés ; le temps restant n’est pas remboursé.",
    prorated: "Seul le temps utilisé est facturé. Les jetons du temps restant vous sont rendus.",
    agreed: "Les jetons du temps restant sont facturés ou rendus comme convenu lors de l’achat.",
  },
  saving: "Enregistrement de votre travail…",
  pausedTitle: "Session en pause",
  pausedText: (span) => `Le décompte est arrêté. Il vous reste ${span}.`,
  resume: "Reprendre",
  endedTitle: "Votre session est terminée",
  ended: {
    completed: "Merci de votre visite.",
    expired: "Votre temps est écoulé.",
    revoked: "La place de marché a mis fin à cette session.",
    canceled: "Cette session a été annulée avant d’avoir commencé.",
    gone: "Ce navigateur n’a plus de session ouverte.",
  },
  redirecting: (place, span) => `Retour vers ${place} dans ${span}…`,
  goNow: (place) => `Aller sur ${place}`,
  closeTab: "Vous pouvez fermer cet onglet.",
  stay: "Rester sur cette page",
  insufficient: "Vous n’avez pas assez de jetons.",
  consent: "Cet achat nécessite d’abord votre accord.",
  consentLink: (place) => `Accepter sur ${place}`,
  failed: "Cela n’a pas fonctionné. Veuillez réessayer.",
};

export default words;
