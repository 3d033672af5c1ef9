import type { SDKConfig, SDKEvents } from "./config";
import { presentZone } from "./zone";

/** Registers event handlers and calls them. */
export interface Events {
  on<E extends keyof SDKEvents>(event: E, handler: SDKEvents[E]): () => void;
  emit<E extends keyof SDKEvents>(event: E, ...data: Parameters<SDKEvents[E]>): void;
  /** Logs to the console if `debug` is set. */
  log(...words: unknown[]): void;
  clear(): void;
}

type Handler = (...data: unknown[]) => void;

export function createEvents(config: SDKConfig): Events {
  const handlers = new Map<keyof SDKEvents, Set<Handler>>();
  const zone = presentZone();
  const log = (...words: unknown[]) => config.debug && console.debug("[sessiongate]", ...words);
  return {
    log,
    on(event, handler) {
      const all = handlers.get(event) ?? new Set();
      const zone = presentZone();
      const own: Handler = (...data) => zone(() => (handler as Handler)(...data));
      handlers.set(event, all.add(own));
      return () => void all.delete(own);
    },
    emit(event, ...data) {
      log(event, ...data);
      const configured: Handler = (...data) => zone(() => (config[event] as Handler | undefined)?.(...data));
      for (const handler of [configured, ...(handlers.get(event) ?? [])])
        try {
          handler(...data);
        } catch (error) {
          // An error in one handler must not keep the others from being called.
          reportError(error);
        }
    },
    clear: () => handlers.clear(),
  };
}
