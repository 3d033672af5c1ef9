/** The languages of the script tag's one file: English is in it, the others are files of the package. */
import { en, type Strings } from "../strings";

/** The address of the script; scripts/package.mjs declares it. Empty for a script that was built into another one. */
declare const SCRIPT: string | undefined;

/** Like {@link import("../languages").stringsFor}. */
export async function stringsFor(wanted: readonly string[]): Promise<Strings> {
  if (!SCRIPT || !wanted[0] || /^en\b/i.test(wanted[0])) return en;
  const { stringsFor } = await import(/* @vite-ignore */ new URL("languages.js", folderOf(SCRIPT)).href);
  return stringsFor(wanted);
}

/** The folder of the package's files: of the script, unless a CDN serves it at the address of the package. */
function folderOf(script: string): string {
  const address = script.replace(/[?#].*/, "");
  return /\.[cm]?js$/.test(address) ? address : `${address.replace(/\/$/, "")}/lib/`;
}
