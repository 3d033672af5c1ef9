/**
 * integrity.js: starts sdk.js on a page whose Integrity-Policy refuses scripts without a hash.
 * import() has no place for one. A script element has, and an import() of the same file later
 * takes what the element loaded; so every part is loaded here, at once.
 */
import { wantedLanguages } from "./wanted";

type Part = [file: string, hash: string];

const parts: Part[] = [
  ["./__DIALOG__", "__HASH_OF_DIALOG__"],
  ["./__ACTIONS__", "__HASH_OF_ACTIONS__"],
  ["./__MOVE__", "__HASH_OF_MOVE__"],
  ["./__SITE__", "__HASH_OF_SITE__"],
  ["./__LANGUAGES__", "__HASH_OF_LANGUAGES__"],
];
const languages: Record<string, Part[]> = {
  de: [
    ["./__CHIP_DE__", "__HASH_OF_CHIP_DE__"],
    ["./__WORDS_DE__", "__HASH_OF_WORDS_DE__"],
  ],
  fr: [
    ["./__CHIP_FR__", "__HASH_OF_CHIP_FR__"],
    ["./__WORDS_FR__", "__HASH_OF_WORDS_FR__"],
  ],
  es: [
    ["./__CHIP_ES__", "__HASH_OF_CHIP_ES__"],
    ["./__WORDS_ES__", "__HASH_OF_WORDS_ES__"],
  ],
  pt: [
    ["./__CHIP_PT__", "__HASH_OF_CHIP_PT__"],
    ["./__WORDS_PT__", "__HASH_OF_WORDS_PT__"],
  ],
  ja: [
    ["./__CHIP_JA__", "__HASH_OF_CHIP_JA__"],
    ["./__WORDS_JA__", "__HASH_OF_WORDS_JA__"],
  ],
  zh: [
    ["./__CHIP_ZH__", "__HASH_OF_CHIP_ZH__"],
    ["./__WORDS_ZH__", "__HASH_OF_WORDS_ZH__"],
  ],
  ar: [
    ["./__CHIP_AR__", "__HASH_OF_CHIP_AR__"],
    ["./__WORDS_AR__", "__HASH_OF_WORDS_AR__"],
  ],
};

const own = [...document.scripts].find(({ src }) => src === import.meta.url);
const wanted = wantedLanguages().map((tag) => tag.toLowerCase().split("-")[0] ?? "");
// Each language before the first that is built in.
const spoken = wanted.slice(0, wanted.includes("en") ? wanted.indexOf("en") : wanted.length);

for (const [file, hash] of [
  ...parts,
  ...[...new Set(spoken)].flatMap((tag) => languages[tag] ?? []),
  ["./__SDK__", "__HASH_OF_SDK__"] satisfies Part,
]) {
  const script = document.createElement("script");
  script.type = "module";
  if (own?.nonce) script.nonce = own.nonce;
  script.integrity = hash;
  script.src = new URL(file, import.meta.url).href;
  script.onload = script.onerror = () => script.remove();
  document.head?.append(script);
}
