/** What a template prints, by name. */
export type Data = Record<string, unknown>;

interface Block {
  /** Undefined: the outermost block. */
  kind?: "if";
  /** Conditions and what they print; the last may have none. */
  branches: { when?: string[]; parts: (string | string[] | Block)[] }[];
}

/**
 * Prints a page of the gate: the part of Go's html/template that those pages use. What it does not
 * know is an error, so that a test notices when a page uses more.
 */
export function print(source: string, data: Data): string {
  return printBlock(parse(source), data);
}

function parse(source: string): Block {
  const outermost: Block = { branches: [{ parts: [] }] };
  const open = [outermost];
  const parts = () => open.at(-1)?.branches.at(-1)?.parts ?? [];
  for (const piece of source.split(/(\{\{.*?\}\})/)) {
    const inside = /^\{\{-? *(.*?) *-?\}\}$/.exec(piece)?.[1];
    if (inside === undefined) {
      parts().push(piece);
      continue;
    }
    const words = inside.match(/"[^"]*"|[()]|[^\s()]+/g) ?? [];
    const [first, second] = words;
    if (first === "if") {
      const block: Block = { kind: "if", branches: [{ when: words.slice(1), parts: [] }] };
      parts().push(block as never);
      open.push(block);
    } else if (first === "else") {
      if (second && second !== "if") throw new Error(`template: {{${inside}}} is not supported`);
      open.at(-1)?.branches.push({ ...(second && { when: words.slice(2) }), parts: [] });
    } else if (first === "end") open.pop();
    else parts().push(words);
    if (!open.length) throw new Error("template: {{end}} without a beginning");
  }
  if (open.length > 1) throw new Error("template: {{end}} is missing");
  return outermost;
}

function printBlock({ branches }: Block, data: Data): string {
  const branch = branches.find(({ when }) => !when || isTrue(whole(when, data)));
  return (branch?.parts ?? [])
    .map((part) => {
      if (typeof part === "string") return part;
      return Array.isArray(part) ? escaped(whole(part, data)) : printBlock(part, data);
    })
    .join("");
}

const isTrue = (value: unknown) => !!value && !(Array.isArray(value) && !value.length);

const escaped = (value: unknown) => String(value).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

function whole(words: string[], data: Data): unknown {
  const left = [...words];
  const value = evaluate(left, data);
  if (left.length) throw new Error(`template: {{${words.join(" ")}}} is not supported`);
  return value;
}

/** The value of a pipeline without pipes: a field, or a function with operands. */
function evaluate(words: string[], data: Data): unknown {
  const [name = ""] = words;
  if (!/^(or|and|not|eq|ne)$/.test(name)) return operand(words, data);
  words.shift();
  const operands: unknown[] = [];
  while (words.length && words[0] !== ")") operands.push(operand(words, data));
  const [one, two] = operands;
  if (name === "or") return operands.find(isTrue) ?? operands.at(-1);
  if (name === "and") return operands.find((value) => !isTrue(value)) ?? operands.at(-1);
  return name === "not" ? !isTrue(one) : (one === two) === (name === "eq");
}

function operand(words: string[], data: Data): unknown {
  const word = words.shift() ?? "";
  if (word === "(") {
    const value = evaluate(words, data);
    words.shift();
    return value;
  }
  if (word.startsWith('"')) return word.slice(1, -1);
  const [root, ...path] = word.split(".");
  if (root || !path.length) throw new Error(`template: ${word} is not supported`);
  let value: unknown = data;
  for (const field of path) {
    if (typeof value !== "object" || !value || !(field in value))
      throw new Error(`template: the page has no ${word}`);
    value = Reflect.get(value, field);
  }
  return value;
}
