import type { AllWords } from "../strings";
import { counted } from "./counted";

/** Spanish: every word of the dialogs. */
const words: AllWords = {
  left: (span) => `Quedan ${span} de su sesión`,
  added: (span) => `${span} añadidos`,
  warningTitle: "Su sesión termina pronto",
  endsAt: (time) => `Termina a las ${time}`,
  advice: "Guarde su trabajo antes de que se acabe el tiempo.",
  price: (tokens) =>
    counted("es", tokens, {
      zero: "gratis",
      one: "por {} ficha",
      other: "por {} fichas",
    }),
  moreTime: "Pedir más tiempo",
  keepGoing: "Continuar",
  end: "Terminar la sesión",
  close: "Cerrar",
  lostAnswer: "No se pudo contactar con el servidor. Inténtelo de nuevo: no se le cobrará dos veces.",
  panelTitle: "Tiempo restante",
  pause: "Pausar",
  move: "Mover el reloj",
  collapse: "Ocultar el tiempo",
  expand: "Mostrar el tiempo",
  confirmTitle: "¿Terminar la sesión ahora?",
  confirmText: (span) => `Aún le quedan ${span}. Al terminar se cierra esta aplicación.`,
  saving: "Guardando su trabajo…",
  pausedTitle: "Sesión en pausa",
  pausedText: (span) => `Su reloj está detenido; quedan ${span}.`,
  resume: "Reanudar",
  endedTitle: "Su sesión ha terminado",
  ended: {
    completed: "Gracias por su visita.",
    expired: "Se acabó el tiempo.",
    revoked: "El mercado ha terminado esta sesión.",
    canceled: "Esta sesión se canceló antes de empezar.",
    gone: "Este navegador ya no tiene ninguna sesión abierta.",
  },
  redirecting: (place, span) => `Volverá a ${place} en ${span}…`,
  goNow: (place) => `Ir a ${place}`,
  closeTab: "Puede cerrar esta pestaña.",
  insufficient: "No tiene fichas suficientes.",
  consent: "Esta compra necesita antes su aprobación.",
  consentLink: (place) => `Aprobar en ${place}`,
  failed: "No ha funcionado. Inténtelo de nuevo.",
};

export default words;
