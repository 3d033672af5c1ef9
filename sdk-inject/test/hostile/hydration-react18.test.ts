import { hydrates } from "./hydrate";

hydrates(18);
