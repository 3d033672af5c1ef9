import type { EndCause } from "../ui/interfaces";
import type { SDKConfig } from "./config";
import type { Connection } from "./connection";
import { clock } from "./platform";

/** Loads the timer and shows it. `keep` receives the function that removes it. */
export async function show(
  config: SDKConfig,
  { session, api, store }: Connection,
  beforeEnd: (reason: EndCause) => Promise<void>,
  keep: (remove: () => void) => void,
): Promise<void> {
  const { language, customStyles, redirect, texts } = config;
  const { createTimer, inputOf, laterParts, stringsFor, themeOf, wantedLanguages } = await import("./ui");
  const wanted = [...(language ? [language] : []), ...wantedLanguages()];
  // If the language cannot be loaded, the timer uses English, which is built in.
  const own = texts && (await import("./texts").catch(() => undefined));
  const strings = await (own
    ? own.withTexts(texts, wanted, stringsFor, (why) => console.warn(`[sessiongate] ${why}`))
    : stringsFor(wanted)
  ).catch(() => stringsFor([]));
  const mount = () =>
    keep(
      createTimer({
        doc: document,
        input: inputOf(),
        session,
        api,
        clock,
        random: Math.random,
        store,
        strings,
        parts: laterParts,
        css: themeOf(customStyles),
        onReplaced: mount,
        ...(redirect === false && { go() {} }),
        beforeEnd,
      }),
    );
  mount();
}
