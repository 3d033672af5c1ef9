/** What the tabs of one session tell each other: that there is news. */
export interface Tabs {
  post(news: News): void;
  open(): void;
  /** An open channel would keep a page out of the back/forward cache. */
  close(): void;
}

/** Names a state, and leaves the rest to be asked for: every script of the
 *  origin can post here, so a message is a hint and never a fact. */
export interface News {
  id: string;
  version: number;
  ended: boolean;
}

const NAME = "sessiongate";

export function createTabs(
  channel: (name: string) => BroadcastChannel | undefined,
  onNews: (news: Partial<News>) => void,
): Tabs {
  let opened: BroadcastChannel | undefined;
  return {
    post: (news) => opened?.postMessage(news),
    open() {
      opened ??= channel(NAME);
      if (opened) opened.onmessage = ({ data }: MessageEvent<Partial<News> | null>) => onNews(data ?? {});
    },
    close() {
      opened?.close();
      opened = undefined;
    },
  };
}
