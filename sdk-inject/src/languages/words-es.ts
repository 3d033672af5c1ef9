import type { AllWords } from "../strings";
import { counted, time24, units } from "./forms";

/** Spanish: every word of the dialogs. */
const words: AllWords = {
  unit: units(
    "es",
    {
      hour: { one: "{} hora", other: "{} horas" },
      minute: { one: "{} minuto", other: "{} minutos" },
      second: { one: "{} segundo", other: "{} segundos" },
    },
    { minute: "{} min", second: "{} s" },
  ),
  left: (span) => `Tiempo restante de su sesión: ${span}`,
  added: (span) => `Tiempo añadido: ${span}`,
  warningTitle: "Su sesión termina pronto",
  endsAt: (end) => `Termina: ${time24(end)}`,
  advice: "Guarde su trabajo antes de que se acabe el tiempo.",
  price: (tokens) =>
    counted("es", tokens, {
      zero: "gratis",
      one: "por {} ficha",
      other: "por {} fichas",
    }),
  moreTime: "Pedir más tiempo",
  keepGoing: "Continuar",
  end: "Finalizar la sesión",
  close: "Cerrar",
  lostAnswer: "No se pudo contactar con el servidor. Inténtelo de nuevo: no se le cobrará dos veces.",
  panelTitle: "Tiempo restante",
  pause: "Pausar",
  move: "Mover el reloj",
  collapse: "Ocultar el tiempo",
  expand: "Mostrar el tiempo",
  confirmTitle: "¿Finalizar la sesión ahora?",
  confirmText: (span) => `Tiempo restante: ${span}. Si finaliza la sesión, se cerrará esta aplicación.`,
  unused: {
    full: "Se cobran todos los tokens; no se devuelve ninguno por el tiempo restante.",
    prorated: "Solo se cobra el tiempo usado. Los tokens del tiempo restante se devuelven.",
    agreed: "Los tokens del tiempo restante se cobran o se devuelven según lo acordado en la compra.",
  },
  saving: "Guardando su trabajo…",
  pausedTitle: "Sesión en pausa",
  pausedText: (span) => `El tiempo está detenido. Tiempo restante: ${span}.`,
  resume: "Reanudar",
  endedTitle: "Su sesión ha finalizado",
  ended: {
    completed: "Gracias por su visita.",
    expired: "Se acabó el tiempo.",
    revoked: "El marketplace ha finalizado esta sesión.",
    canceled: "Esta sesión se canceló antes de empezar.",
    gone: "Este navegador ya no tiene ninguna sesión abierta.",
  },
  redirecting: (place, span) => `Volverá a ${place} en ${span}…`,
  goNow: (place) => `Ir a ${place}`,
  closeTab: "Puede cerrar esta pestaña.",
  stay: "Quedarse en esta página",
  insufficient: "No tiene fichas suficientes.",
  consent: "Esta compra requiere antes su aprobación.",
  consentLink: (place) => `Aprobar en ${place}`,
  failed: "No ha funcionado. Inténtelo de nuevo.",
};

export default words;
