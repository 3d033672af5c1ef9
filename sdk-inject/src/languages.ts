/** languages.js: the languages other than English. */
import { en, type Strings } from "./strings";

type Load = () => Promise<{ default: Strings }>;

const languages = new Map<string, Load>([
  ["en", async () => ({ default: en })],
  ["de", () => import("./__CHIP_DE__")],
  ["fr", () => import("./__CHIP_FR__")],
  ["es", () => import("./__CHIP_ES__")],
  ["pt", () => import("./__CHIP_PT__")],
  ["ja", () => import("./__CHIP_JA__")],
  ["zh", () => import("./__CHIP_ZH__")],
  ["ar", () => import("./__CHIP_AR__")],
]);

/** Loads the first requested language that exists. Rejects if it cannot be loaded. */
export async function stringsFor(wanted: readonly string[]): Promise<Strings> {
  for (const tag of wanted) {
    const load = languages.get(tag.toLowerCase().split("-")[0] ?? "");
    if (load) return (await load()).default;
  }
  return en;
}
