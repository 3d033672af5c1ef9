/** The most open paths of a site, and the longest. */
export const MAX_PATHS = 100;
const MAX_PATH = 200;

export interface Suggestion {
  name: string;
  paths: string[];
}

/** What is often open, for search engines, browsers and the servers of others. */
export const suggestions: Suggestion[] = [
  { name: "Search engines", paths: ["/robots.txt", "/sitemap.xml"] },
  { name: "Icons", paths: ["/favicon.ico", "/apple-touch-icon.png"] },
  { name: "Web app manifest", paths: ["/manifest.webmanifest"] },
  { name: "Well-known files", paths: ["/.well-known/*"] },
  { name: "Payment webhooks", paths: ["/webhooks/*"] },
];

export interface PathProblem {
  /** From 1, as people count lines. */
  line: number;
  text: string;
}

/** The lines of a text area that are paths. */
export const pathsOf = (text: string): string[] => [
  ...new Set(
    text
      .split("\n")
      .map((line) => readPath(line))
      .filter(Boolean),
  ),
];

/** What people paste, as a path: an address stands for its path. */
export function readPath(line: string): string {
  const text = line.trim();
  if (!text) return "";
  const address = /^https?:\/\/[^/?#]+(\/.*)?$/i.exec(text);
  if (address) return address[1] ?? "/";
  return /^[/*]/.test(text) ? text : `/${text}`;
}

/** What the service would refuse, by line. */
export function pathProblems(text: string): PathProblem[] {
  const problems: PathProblem[] = [];
  text.split("\n").forEach((line, i) => {
    const path = readPath(line);
    const problem = path && problemOf(path);
    if (problem) problems.push({ line: i + 1, text: problem });
  });
  if (pathsOf(text).length > MAX_PATHS)
    problems.push({
      line: MAX_PATHS + 1,
      text: `At most ${MAX_PATHS} paths. Use a star for several: /hooks/*.`,
    });
  return problems;
}

function problemOf(path: string): string {
  if (new TextEncoder().encode(path).length > MAX_PATH) return `A path has at most ${MAX_PATH} bytes.`;
  if (!path.replace(/[/*]/g, ""))
    return "This would open the whole app. Name a part of it, such as /hooks/*.";
  if (/[?#]/.test(path)) return "Leave out ? and what follows: a path is open with any query.";
  if (/\\|;|%|\.\.|\/\//.test(path))
    return "Servers read this path in different ways, so the gate never opens it. Leave out \\ ; % .. and //.";
  if (/[^\x21-\x7e]/.test(path)) return "Use letters, digits and signs without spaces.";
  if (isGate(path)) return "This belongs to the gate. Choose another path.";
  const stars = path.match(/\*/g)?.length ?? 0;
  if (stars > 1 || (stars && !path.endsWith("*") && !path.startsWith("/*.")))
    return "Put one star at the end: /hooks/*. Or name a kind of file: /*.css.";
  return "";
}

/** Whether a pattern matches a path of the gate itself. */
function isGate(path: string): boolean {
  const gate = "/.session-gate/";
  const lower = path.toLowerCase();
  return lower.endsWith("*")
    ? gate.startsWith(lower.slice(0, -1)) || lower.startsWith(gate)
    : lower.startsWith(gate);
}
