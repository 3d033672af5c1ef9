import type { Clock } from "./clock";
import { NAME, type Store } from "./store";

/** A message between the tabs of a session: the state has changed. */
export interface Tabs {
  post(news: TabMessage): void;
  /** Opens the channel of a session. Tabs of another session have another channel. */
  open(id: string): void;
  /** An open channel would keep a page out of the back/forward cache. */
  close(): void;
}

/** Identifies a state, which the receiver fetches from the gate. Any script of the origin
 *  can post here, so a message is only a hint. */
export interface TabMessage {
  id: string;
  version: number;
}

/** Newer than any version: the session has ended, or the tab that sent the heartbeats is closed. */
export const NEWEST = 1e15;

export function createTabs(
  channel: (name: string) => Channel | undefined,
  onMessage: (news: Partial<TabMessage>) => void,
): Tabs {
  let opened: Channel | undefined;
  let openedFor: string | undefined;
  const close = () => {
    opened?.close();
    opened = openedFor = undefined;
  };
  return {
    post: (news) => opened?.postMessage(news),
    open(id) {
      if (openedFor === id) return;
      close();
      openedFor = id;
      try {
        opened = channel(`${NAME}-${id}`);
      } catch {} // Refused where the user blocks cookies. The tabs learn from the gate alone.
      if (opened) opened.onmessage = ({ data }) => onMessage((data as Partial<TabMessage> | null) ?? {});
    },
    close,
  };
}

/** The part of BroadcastChannel that is used. */
export interface Channel {
  postMessage(message: unknown): void;
  onmessage: ((event: MessageEvent) => void) | null;
  close(): void;
}

/** The part of the Web Locks API that is used. */
export interface Locks {
  request(
    name: string,
    options: { ifAvailable: true },
    run: (lock: unknown) => Promise<void> | undefined,
  ): Promise<unknown>;
}

/**
 * Sends one heartbeat per interval for all tabs of a session: a tab skips its heartbeat if another tab
 * sent one in this interval. The lock is held briefly and never awaited, because a tab that
 * holds or awaits a lock cannot enter the back/forward cache.
 */
export async function shareHeartbeat(
  { store, clock, locks }: { store: Store; clock: Clock; locks?: Locks | undefined },
  intervalMs: number,
  beat: () => Promise<void>,
  id = "",
): Promise<void> {
  let asked = false;
  const attempt = async () => {
    if (Math.abs(clock.now() - (store.notes(id).beat ?? 0)) < intervalMs * 0.8) return;
    await beat();
    store.setNotes(id, { beat: clock.now() });
  };
  try {
    await locks?.request(`${NAME}-${id}`, { ifAvailable: true }, (lock) => {
      asked = true;
      return lock ? attempt() : undefined;
    });
  } catch (error) {
    if (asked) throw error;
  }
  // No locks, or refused where the user blocks cookies.
  if (!asked) await attempt();
}
