import type { Clock } from "./clock";
import { NAME, type Store } from "./store";

/** What the tabs of one session tell each other: that there is news. */
export interface Tabs {
  post(news: TabMessage): void;
  open(): void;
  /** An open channel would keep a page out of the back/forward cache. */
  close(): void;
}

/** Names a state, and leaves the rest to be asked for: every script of the
 *  origin can post here, so a message is a hint and never a fact. */
export interface TabMessage {
  id: string;
  version: number;
}

/** Newer than all: the session is over, or the tab that beat for all is closed. */
export const NEWEST = 1e15;

export function createTabs(
  channel: (name: string) => Channel | undefined,
  onMessage: (news: Partial<TabMessage>) => void,
): Tabs {
  let opened: Channel | undefined;
  return {
    post: (news) => opened?.postMessage(news),
    open() {
      opened ??= channel(NAME);
      if (opened) opened.onmessage = ({ data }) => onMessage((data as Partial<TabMessage> | null) ?? {});
    },
    close() {
      opened?.close();
      opened = undefined;
    },
  };
}

/** The part of a BroadcastChannel that we use. */
export interface Channel {
  postMessage(message: unknown): void;
  onmessage: ((event: MessageEvent) => void) | null;
  close(): void;
}

/** The part of the Web Locks API that we use. */
export interface Locks {
  request(
    name: string,
    options: { ifAvailable: true },
    run: (lock: unknown) => Promise<void> | undefined,
  ): Promise<unknown>;
}

/**
 * Many tabs, one stream of heartbeats: a tab whose turn comes beats, unless another
 * has in this interval. The lock is short and never waited for: a tab that held or
 * awaited one could not enter the back/forward cache.
 */
export async function shareHeartbeat(
  { store, clock, locks }: { store: Store; clock: Clock; locks?: Locks | undefined },
  intervalMs: number,
  beat: () => Promise<void>,
): Promise<void> {
  const attempt = async () => {
    if (Math.abs(clock.now() - (store.read().beat ?? 0)) < intervalMs * 0.8) return;
    await beat();
    store.write({ beat: clock.now() });
  };
  if (!locks) return attempt();
  await locks.request(NAME, { ifAvailable: true }, (lock) => (lock ? attempt() : undefined));
}
