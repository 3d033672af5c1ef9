// VitePress's own theme in the colours of the clock, the refusal pages and the
// dashboard: theme.css maps its variables to sdk-inject/src/tokens.css.
import DefaultTheme from "vitepress/theme-without-fonts";
import "./theme.css";

export default DefaultTheme;
