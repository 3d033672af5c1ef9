import type { SDKConfig, SDKEvents } from "./config";

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
  const log = (...words: unknown[]) => config.debug && console.debug("[sessiongate]", ...words);
  return {
    log,
    on(event, handler) {
      const all = handlers.get(event) ?? new Set();
      handlers.set(event, all.add(handler as Handler));
      return () => void all.delete(handler as Handler);
    },
    emit(event, ...data) {
      log(event, ...data);
      for (const handler of [config[event] as Handler | undefined, ...(handlers.get(event) ?? [])])
        try {
          handler?.(...data);
        } catch (error) {
          // An error in one handler must not keep the others from being called.
          reportError(error);
        }
    },
    clear: () => handlers.clear(),
  };
}
