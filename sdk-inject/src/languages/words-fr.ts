import type { AllWords } from "../strings";
import { counted } from "./counted";

/** French: every word of the dialogs. */
const words: AllWords = {
  left: (span) => `Il reste ${span} dans votre session`,
  added: (span) => `${span} de plus`,
  warningTitle: "Votre session se termine bientôt",
  endsAt: (time) => `Fin à ${time}`,
  advice: "Enregistrez votre travail avant la fin du temps.",
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
  lostAnswer: "Le serveur est injoignable. Réessayez : vous ne serez pas débité deux fois.",
  panelTitle: "Temps restant",
  pause: "Pause",
  move: "Déplacer le minuteur",
  collapse: "Masquer le temps",
  expand: "Afficher le temps",
  confirmTitle: "Terminer la session maintenant ?",
  confirmText: (span) => `Il vous reste ${span}. Terminer ferme cette application.`,
  saving: "Enregistrement de votre travail…",
  pausedTitle: "Session en pause",
  pausedText: (span) => `Votre minuteur est arrêté, il reste ${span}.`,
  resume: "Reprendre",
  endedTitle: "Votre session est terminée",
  ended: {
    completed: "Merci de votre visite.",
    expired: "Votre temps est écoulé.",
    revoked: "La place de marché a mis fin à cette session.",
    canceled: "Cette session a été annulée avant son début.",
    gone: "Ce navigateur n’a plus de session ouverte.",
  },
  redirecting: (place, span) => `Retour vers ${place} dans ${span}…`,
  goNow: (place) => `Aller sur ${place}`,
  closeTab: "Vous pouvez fermer cet onglet.",
  insufficient: "Vous n’avez pas assez de jetons.",
  consent: "Cet achat nécessite d’abord votre accord.",
  consentLink: (place) => `Accepter sur ${place}`,
  failed: "Cela n’a pas fonctionné. Veuillez réessayer.",
};

export default words;
