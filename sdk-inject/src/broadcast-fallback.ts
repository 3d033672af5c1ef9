import type { Channel } from "./tabs";

/** rare.js: for browsers without BroadcastChannel, storage events in its place, or nothing. */
export function openChannel(name: string): Channel {
  const key = `${name}-news`;
  const channel: Channel = {
    onmessage: null,
    postMessage(news) {
      try {
        localStorage.setItem(key, JSON.stringify(news));
        localStorage.removeItem(key);
      } catch {}
    },
    close: () => removeEventListener("storage", hear),
  };
  const hear = ({ key: changed, newValue }: StorageEvent) => {
    if (changed !== key || !newValue) return;
    try {
      channel.onmessage?.({ data: JSON.parse(newValue) } as MessageEvent);
    } catch {}
  };
  addEventListener("storage", hear);
  return channel;
}
