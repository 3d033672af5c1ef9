// Style sheets become strings at build time (scripts/css.mjs).
declare module "*.css" {
  const text: string;
  export default text;
}

// Names that the server replaces with the hashed file name of each part.
declare module "*/__SDK__";
declare module "*/__DIALOG__" {
  export { createDialogs } from "./ui/dialog";
}
declare module "*/__ACTIONS__" {
  export { bounded, createActionsPanel } from "./ui/actions-panel";
}
declare module "*/__MOVE__" {
  export { follow, giveWay, moveOn, placeOf } from "./ui/move";
}
declare module "*/__SITE__" {
  export { start } from "./ui/site";
}
declare module "*/__LANGUAGES__" {
  export { stringsFor } from "./languages";
}
declare module "*/__CHIP_DE__" {
  const strings: import("./strings").Strings;
  export default strings;
}
declare module "*/__WORDS_DE__" {
  const words: import("./strings").AllWords;
  export default words;
}
declare module "*/__CHIP_FR__" {
  const strings: import("./strings").Strings;
  export default strings;
}
declare module "*/__WORDS_FR__" {
  const words: import("./strings").AllWords;
  export default words;
}
declare module "*/__CHIP_ES__" {
  const strings: import("./strings").Strings;
  export default strings;
}
declare module "*/__WORDS_ES__" {
  const words: import("./strings").AllWords;
  export default words;
}
declare module "*/__CHIP_PT__" {
  const strings: import("./strings").Strings;
  export default strings;
}
declare module "*/__WORDS_PT__" {
  const words: import("./strings").AllWords;
  export default words;
}
declare module "*/__CHIP_JA__" {
  const strings: import("./strings").Strings;
  export default strings;
}
declare module "*/__WORDS_JA__" {
  const words: import("./strings").AllWords;
  export default words;
}
declare module "*/__CHIP_ZH__" {
  const strings: import("./strings").Strings;
  export default strings;
}
declare module "*/__WORDS_ZH__" {
  const words: import("./strings").AllWords;
  export default words;
}
declare module "*/__CHIP_AR__" {
  const strings: import("./strings").Strings;
  export default strings;
}
declare module "*/__WORDS_AR__" {
  const words: import("./strings").AllWords;
  export default words;
}
