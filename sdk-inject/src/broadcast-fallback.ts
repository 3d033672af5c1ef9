import type { Channel } from "./tabs";

/** fallback.js: what stands for BroadcastChannel where a browser has none. Its messages
 *  travel as storage events; where storage is blocked, they go nowhere. */
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

// As the browser's own is called.
export { BroadcastFallback as BroadcastChannel };
