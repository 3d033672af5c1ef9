/** The core that the injected script and the npm package share. */
export { type Api, type ApiEffects, createApi } from "./api";
export { type Clock, createServerClock, type ServerClock } from "./clock";
export { GateError } from "./errors";
export { formatClock, formatSpan, returnAddress } from "./format";
export type { Extension, PauseRight, Problem, SessionView, Status } from "./protocol";
export { createSession, type Session, type SessionEffects } from "./session";
export type { Ended, EndReason, State } from "./state";
export { reachedThreshold, warningThresholds } from "./warnings";
