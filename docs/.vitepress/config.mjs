// The documentation site. The pages are written for GitHub; this file does what
// the site needs beyond that.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitepress";
import caddyfile from "./caddyfile.tmLanguage.json" with { type: "json" };

const docs = fileURLToPath(new URL("..", import.meta.url));
const repository = "https://github.com/sessiongate/sessiongate";

const sections = {
  Start: { "quick-start": "Quick start", "how-it-works": "How it works", faq: "FAQ" },
  "Run it": {
    caddyfile: "Caddyfile",
    operations: "Operations",
    deploy: "Deployment",
    scale: "Scale",
    "load-balancer": "Load balancer",
    dashboard: "Dashboard",
    doctor: "Doctor",
    "origin-lock": "Origin lock",
    troubleshooting: "Troubleshooting",
  },
  Build: {
    api: "API by example",
    webhooks: "Webhooks",
    modes: "Test mode and passes",
    "native-apps": "Native apps",
    migration: "Migration",
  },
  Recipes: {
    "recipes/nextjs": "Next.js",
    "recipes/django": "Django",
    "recipes/rails": "Rails",
    "recipes/wordpress": "WordPress",
    "recipes/sse": "Server-sent events",
    "recipes/websocket": "WebSockets",
  },
  SDK: {
    "sdk/index": "Quick start",
    "sdk/integration": "Integration",
    "sdk/api": "Reference",
    "sdk/accessibility": "Accessibility",
    "sdk/security": "Security",
    "sdk/troubleshooting": "Troubleshooting",
  },
  Trust: { security: "Security", privacy: "Privacy" },
  Contribute: { architecture: "Architecture" },
};

// Pages without a section are listed as well: the SDK's in their own section,
// others at the end.
const listed = new Set(Object.values(sections).flatMap(Object.keys));
for (const folder of ["", "recipes/", "sdk/"])
  for (const file of readdirSync(join(docs, folder)).filter((name) => name.endsWith(".md"))) {
    const page = folder + file.replace(/README\.md$/, "index.md").replace(/\.md$/, "");
    if (page === "index" || listed.delete(page)) continue;
    const [, title] = readFileSync(join(docs, folder, file), "utf8").match(/^# (.+)$/m) ?? [];
    if (!title) throw new Error(`docs/${folder}${file} has no title: begin it with "# "`);
    const section = folder === "sdk/" ? "SDK" : folder === "recipes/" ? "Recipes" : "More";
    (sections[section] ??= {})[page] = title.replaceAll("`", "");
  }
if (listed.size > 0) throw new Error(`docs/.vitepress/config.mjs lists pages that do not exist: ${[...listed].join(", ")}`);

/** The product's colours and sizes, for a page whose scheme is a class of its root. */
function tokens() {
  const css = readFileSync(join(docs, "../sdk-inject/src/tokens.css"), "utf8");
  const [, light, dark] = css.match(/:root \{([^}]*)\}\s*@media \(prefers-color-scheme: dark\) \{\s*:root \{([^}]*)\}/) ?? [];
  if (!dark) throw new Error("sdk-inject/src/tokens.css no longer has a light and a dark block");
  return `:root{${light.replace("light dark", "light")}}.dark{color-scheme:dark;${dark}}`.replace(/\s+/g, " ");
}

/** Sends links that leave the pages (source files, examples) to the repository. */
function linksToSource(md) {
  const before = md.renderer.rules.link_open ?? ((tokens, i, options, _env, self) => self.renderToken(tokens, i, options));
  md.renderer.rules.link_open = (tokens, i, options, env, self) => {
    const href = tokens[i].attrGet("href");
    if (href && !/^([a-z]+:|#|\/)/.test(href)) {
      const [path, hash] = href.split("#");
      const target = posix.join("docs", dirname(relative(docs, env.realPath ?? env.path)), decodeURI(path));
      const fragment = hash ? `#${hash}` : "";
      if (!target.startsWith("docs/") || !target.endsWith(".md")) {
        if (!existsSync(join(docs, "..", target))) throw new Error(`${env.path} links to ${path}, which does not exist`);
        const kind = posix.extname(target) || posix.basename(target).match(/^[A-Z]/) ? "blob" : "tree";
        tokens[i].attrSet("href", `${repository}/${kind}/main/${target}${fragment}`);
      } else if (path.endsWith("README.md")) tokens[i].attrSet("href", path.replace(/README\.md$/, "index.md") + fragment);
    }
    return before(tokens, i, options, env, self);
  };
}

export default defineConfig({
  title: "Sessiongate",
  description: "A coin slot for any web app: timed, paid sessions in front of apps that other people run.",
  base: process.env.DOCS_BASE ?? "/",
  rewrites: { "README.md": "index.md", "sdk/README.md": "sdk/index.md" },
  ignoreDeadLinks: false,
  lastUpdated: false,
  markdown: {
    // The default themes' comments and keywords are too faint on our backgrounds.
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
    languages: [caddyfile],
    languageAlias: { text: "txt" },
    config: linksToSource,
  },
  head: [
    ["style", {}, tokens()],
    // A coin slot.
    ["link", { rel: "icon", href: "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='8' fill='%230f6b5c'/%3E%3Crect x='7' y='3' width='2' height='10' rx='1' fill='%23fff'/%3E%3C/svg%3E" }],
    ["meta", { name: "referrer", content: "no-referrer" }],
  ],
  themeConfig: {
    search: { provider: "local" },
    outline: { level: [2, 3] },
    nav: [
      { text: "Quick start", link: "/quick-start" },
      { text: "API", link: "/api" },
      { text: "SDK", link: "/sdk/" },
      { text: "Security", link: "/security" },
    ],
    sidebar: Object.entries(sections).map(([text, pages]) => ({
      text,
      items: Object.entries(pages).map(([page, title]) => ({ text: title, link: `/${page.replace(/index$/, "")}` })),
    })),
    socialLinks: [{ icon: "github", link: repository }],
  },
});
