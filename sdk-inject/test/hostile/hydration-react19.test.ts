import { hydrates } from "./hydrate";

hydrates(19);
