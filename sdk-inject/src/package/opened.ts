/** What an open session needs. Loaded while the server is asked for it. */
export { createActions } from "../actions";
export { createActing } from "./acting";
export { createReporting } from "./reporting";
export { createSessionEvents } from "./session-events";
export { show } from "./show";
export { watchVisibility } from "./visibility";
