import type { AllWords } from "../strings";
import { counted, time24, units } from "./forms";

/** Portuguese: every word of the dialogs. */
const words: AllWords = {
  unit: units(
    "pt",
    {
      hour: { one: "{} hora", other: "{} horas" },
      minute: { one: "{} minuto", other: "{} minutos" },
      second: { one: "{} segundo", other: "{} segundos" },
    },
    { minute: "{} min", second: "{} s" },
  ),
  left: (span) => `Tempo restante da sua sessão: ${span}`,
  added: (span) => `Tempo adicionado: ${span}`,
  warningTitle: "Sua sessão termina em breve",
  endsAt: (end) => `Término: ${time24(end, 2)}`,
  advice: "Salve seu trabalho antes que o tempo acabe.",
  price: (tokens) =>
    counted("pt", tokens, {
      zero: "grátis",
      one: "por {} ficha",
      other: "por {} fichas",
    }),
  moreTime: "Pedir mais tempo",
  keepGoing: "Continuar",
  end: "Encerrar sessão",
  close: "Fechar",
  lostAnswer: "Não foi possível contatar o servidor. Tente novamente: não haverá cobrança em dobro.",
  panelTitle: "Tempo restante",
  pause: "Pausar",
  move: "Mover o relógio",
  collapse: "Ocultar o tempo",
  expand: "Mostrar o tempo",
  confirmTitle: "Encerrar a sessão agora?",
  confirmText: (span) => `Você ainda tem ${span}. Ao encerrar, este aplicativo será fechado.`,
  unused: {
    full: "Todos os tokens são cobrados; nenhum é devolvido pelo tempo restante.",
    prorated: "Só é cobrado o tempo usado. Os tokens do tempo restante são devolvidos.",
    agreed: "Os tokens do tempo restante são cobrados ou devolvidos conforme combinado na compra.",
  },
  saving: "Salvando seu trabalho…",
  pausedTitle: "Sessão em pausa",
  pausedText: (span) => `O tempo está parado. Tempo restante: ${span}.`,
  resume: "Retomar",
  endedTitle: "Sua sessão terminou",
  ended: {
    completed: "Obrigado pela visita.",
    expired: "Seu tempo acabou.",
    revoked: "O marketplace encerrou esta sessão.",
    canceled: "Esta sessão foi cancelada antes de começar.",
    gone: "Este navegador não tem mais nenhuma sessão aberta.",
  },
  redirecting: (place, span) => `Voltando para ${place} em ${span}…`,
  goNow: (place) => `Ir para ${place}`,
  closeTab: "Você pode fechar esta aba.",
  stay: "Ficar nesta página",
  insufficient: "Você não tem fichas suficientes.",
  consent: "Esta compra requer antes a sua aprovação.",
  consentLink: (place) => `Aprovar em ${place}`,
  failed: "Não funcionou. Tente novamente.",
};

export default words;
