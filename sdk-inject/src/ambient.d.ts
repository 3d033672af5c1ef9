// Style sheets become strings at build time (scripts/css.mjs).
declare module "*.css" {
  const text: string;
  export default text;
}

// Names that the server fills in: the hashed file of each later part.
declare module "*/__SDK__";
declare module "*/__DIALOG__" {
  export { createDialogs } from "./ui/dialog";
}
