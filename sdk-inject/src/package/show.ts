import { browserClock as clock } from "../browser";
import type { EndCause } from "../ui/interfaces";
import type { SDKConfig } from "./config";
import type { Connection } from "./connection";

/** Shows the timer; loads first what is needed for that. `keep` gets its undoing. */
export async function show(
  config: SDKConfig,
  { session, api, store }: Connection,
  beforeEnd: (reason: EndCause) => Promise<void>,
  keep: (remove: () => void) => void,
): Promise<void> {
  const { language, customStyles, redirect } = config;
  const wanted = [language || document.documentElement.lang || navigator.language, ...navigator.languages];
  const { createTimer, laterParts, stringsFor, themeOf } = await import("./ui");
  // A language that can't be loaded leaves English, which is there.
  const strings = await stringsFor(wanted).catch(() => stringsFor([]));
  const mount = () =>
    keep(
      createTimer({
        doc: document,
        session,
        api,
        clock,
        random: Math.random,
        store,
        strings,
        parts: laterParts,
        css: themeOf(customStyles),
        onReplaced: mount,
        go: (address) => redirect !== false && location.assign(address),
        beforeEnd,
      }),
    );
  mount();
}
