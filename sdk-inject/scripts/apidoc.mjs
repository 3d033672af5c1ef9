// Writes docs/sdk/api.md from the types, as API Extractor has read them:
//   node scripts/package.mjs && node scripts/apidoc.mjs [--check]
import { readFileSync, writeFileSync } from "node:fs";

const target = new URL("../../docs/sdk/api.md", import.meta.url);
const entries = Object.fromEntries(
  ["index", "react", "vue", "next", "dashboard", "stats", "server"].map((name) => [
    name,
    name === "index" ? "" : `/${name}`,
  ]),
);

/** A TSDoc comment as Markdown, without its marks. */
function prose(comment = "") {
  return comment
    .trim()
    .replace(/^\/\*\*|\*\/$/g, "")
    .replace(/^\s*\* ?/gm, "")
    .replace(/@(public|packageDocumentation).*/g, "")
    .replace(/@example\s*/g, "")
    .replace(/@returns\s*/g, "\nReturns ")
    .replace(/@throws\s*/g, "\nThrows ")
    .replace(/@param (\w+) - /g, "\n`$1`: ")
    .replace(/\{@link (?:MarketplaceSDK\.)?([\w.]+)\}/g, "`$1`")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

const signature = (member) =>
  (member.excerptTokens ?? [])
    .map(({ text }) => text)
    .join("")
    .replace(/^export (declare )?/, "")
    .replace(/\s+/g, " ")
    .trim();

let text = `# API reference

Generated from the types by \`npm run api\` in \`sdk-inject/\`; don't edit.
`;
for (const [name, path] of Object.entries(entries)) {
  const model = JSON.parse(readFileSync(new URL(`../node_modules/.api/${name}.api.json`, import.meta.url)));
  text += `\n## @marketplace/provider-sdk${path}\n\n${prose(model.docComment)}\n`;
  for (const one of model.members[0].members) {
    text += `\n### ${one.name}\n\n\`\`\`ts\n${signature(one)}\n\`\`\`\n\n${prose(one.docComment)}\n`;
    for (const member of one.members ?? []) {
      const said = prose(member.docComment).replace(/\n+/g, " ");
      text += `\n- \`${signature(member)}\`${said ? `<br>${said}` : ""}`;
    }
    if (one.members?.length) text += "\n";
  }
}
text = text.replace(/\n{3,}/g, "\n\n");
if (!process.argv.includes("--check")) writeFileSync(target, text);
else if (readFileSync(target, "utf8") !== text) {
  console.error("docs/sdk/api.md is not what the types say: run `npm run api` and commit");
  process.exit(1);
}
