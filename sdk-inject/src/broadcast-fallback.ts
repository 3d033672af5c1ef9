import type { Channel } from "./tabs";

/** fallback.js: replaces BroadcastChannel in browsers without it. Messages are sent as
 *  storage events; if storage is blocked, they are lost. */
export class BroadcastFallback implements Channel {
  declare onmessage: Channel["onmessage"];
  declare readonly postMessage: Channel["postMessage"];
  declare readonly close: Channel["close"];

  constructor(name: string) {
    const key = `${name}-news`;
    const receive = ({ key: changed, newValue }: StorageEvent) => {
      if (changed !== key || !newValue) return;
      try {
        this.onmessage?.({ data: JSON.parse(newValue) } as MessageEvent);
      } catch {}
    };
    this.postMessage = (message) => {
      try {
        localStorage.setItem(key, JSON.stringify(message));
        localStorage.removeItem(key);
      } catch {}
    };
    this.close = () => removeEventListener("storage", receive);
    addEventListener("storage", receive);
  }
}

// The name of the browser's own class.
export { BroadcastFallback as BroadcastChannel };
