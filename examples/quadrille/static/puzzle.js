// One puzzle: filling squares by pointer and keys, clues that are struck off,
// and the server's word on what is right.
"use strict";

const grid = document.getElementById("grid");
const size = Number(grid.dataset.size);
const kept = `quadrille-${grid.dataset.id}`;
const squares = [...grid.querySelectorAll("tbody button")];
const numbers = (th) => [...th.querySelectorAll("span")].map((span) => Number(span.textContent));
const heads = { columns: [...grid.querySelectorAll("thead th")], rows: [...grid.querySelectorAll("tbody th")] };
const clues = { columns: heads.columns.map(numbers), rows: heads.rows.map(numbers) };
const OPEN = "0";
const FILLED = "1";
const CROSSED = "2";
const WORDS = { 0: "open", 1: "filled", 2: "crossed out" };

let cells = squares.map(() => OPEN);
let title = ""; // of the picture, once it is found
const past = [];
let stroke = null; // what a drag paints: {from, to}
let at = 0; // the square that has the keyboard

try {
  const stored = JSON.parse(localStorage.getItem(kept));
  if (new RegExp(`^[012]{${size * size}}$`).test(stored.cells)) cells = [...stored.cells];
  if (typeof stored.title === "string") title = stored.title;
} catch {
  // Nothing kept, or not by us.
}

function keep() {
  try {
    localStorage.setItem(kept, JSON.stringify({ cells: cells.join(""), title }));
  } catch {
    // Full, or forbidden: the drawing lasts as long as the page.
  }
}

function say(text) {
  document.getElementById("said").textContent = text;
}

const lineOf = {
  rows: (n) => cells.slice(n * size, (n + 1) * size),
  columns: (n) => cells.filter((_, i) => i % size === n),
};

/** Whether a line's filled stretches are those of its clue. */
function satisfied(way, n) {
  const runs = lineOf[way](n).join("").split(/[^1]+/).filter(Boolean).map((run) => run.length);
  return (runs.length > 0 ? runs : [0]).join() === clues[way][n].join();
}

function show(i) {
  const [row, column] = [Math.floor(i / size), i % size];
  squares[i].dataset.is = cells[i];
  squares[i].ariaLabel = `Row ${row + 1}, column ${column + 1}: ${WORDS[cells[i]]}`;
  heads.rows[row].classList.toggle("done", satisfied("rows", row));
  heads.columns[column].classList.toggle("done", satisfied("columns", column));
}

function showAll() {
  for (let i = 0; i < cells.length; i++) show(i);
  grid.classList.toggle("found", title !== "");
}

function put(i, value) {
  if (title || cells[i] === value) return;
  past.at(-1)?.push([i, cells[i]]);
  cells[i] = value;
  show(i);
}

/** One change that can be undone as a whole. */
function change(work) {
  past.push([]);
  work();
  settle();
}

function settle() {
  keep();
  if (!title && heads.rows.every((_, n) => satisfied("rows", n)) && heads.columns.every((_, n) => satisfied("columns", n))) void ask("check");
}

async function ask(what) {
  try {
    const response = await fetch(`/puzzles/${grid.dataset.id}/${what}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ cells: cells.map((c) => (c === FILLED ? "1" : "0")).join(""), from: at }),
    });
    if (!response.ok) throw new Error(String(response.status));
    const { wrong, hint, title: found } = await response.json();
    if (found) {
      title = found;
      keep();
      showAll();
      say(`${found}! You found it.`);
    } else if (hint) {
      change(() => put(hint.row * size + hint.column, hint.filled ? FILLED : CROSSED));
      move(hint.row * size + hint.column);
      say(`Row ${hint.row + 1}, column ${hint.column + 1} is ${hint.filled ? "filled" : "empty"}.`);
    } else {
      const missing = clues.rows.flat().reduce((a, b) => a + b, 0) - cells.filter((c) => c === FILLED).length;
      say(missing === wrong ? `No mistake so far; ${wrong} ${wrong === 1 ? "square is" : "squares are"} to go.` : `${wrong} ${wrong === 1 ? "square is" : "squares are"} not right yet.`);
    }
  } catch {
    say("The puzzle could not be checked just now. What you drew is kept.");
  }
}

function move(i) {
  squares[at].tabIndex = -1;
  at = i;
  squares[at].tabIndex = 0;
  squares[at].focus();
}

// The pointer: the first square says whether a drag fills or empties.
const mode = () => document.querySelector("[name=mode]:checked").value;
function under(event) {
  return squares.indexOf(document.elementFromPoint(event.clientX, event.clientY));
}
grid.addEventListener("pointerdown", (event) => {
  const i = squares.indexOf(event.target);
  if (i < 0 || stroke) return;
  event.preventDefault();
  event.target.releasePointerCapture?.(event.pointerId); // a finger would keep to its first square
  const value = event.button === 2 ? CROSSED : mode();
  stroke = { from: cells[i], to: cells[i] === value ? OPEN : value };
  past.push([]);
  put(i, stroke.to);
  move(i);
});
addEventListener("pointermove", (event) => {
  const i = stroke ? under(event) : -1;
  if (i >= 0 && cells[i] === stroke.from) put(i, stroke.to);
});
for (const end of ["pointerup", "pointercancel"])
  addEventListener(end, () => {
    if (!stroke) return;
    stroke = null;
    settle();
  });
grid.addEventListener("contextmenu", (event) => event.preventDefault());

// The keyboard.
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
grid.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = STEPS[event.key];
  const key = event.key.toLowerCase();
  if (step) {
    const column = Math.min(Math.max((at % size) + step[0], 0), size - 1);
    const row = Math.min(Math.max(Math.floor(at / size) + step[1], 0), size - 1);
    move(row * size + column);
  } else if (key === " " || key === "enter") change(() => put(at, cells[at] === FILLED ? OPEN : FILLED));
  else if (key === "x") change(() => put(at, cells[at] === CROSSED ? OPEN : CROSSED));
  else return;
  event.preventDefault();
});
function undo() {
  let last = past.pop();
  while (last?.length === 0) last = past.pop();
  if (!last || title) return say(title ? `${title}. It is done.` : "Nothing to undo.");
  for (const [i, value] of last.reverse()) {
    cells[i] = value;
    show(i);
  }
  keep();
  say("Undone.");
}
addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
    event.preventDefault();
    undo();
  }
});

document.getElementById("undo").addEventListener("click", undo);
document.getElementById("hint").addEventListener("click", () => ask("hint"));
document.getElementById("check").addEventListener("click", () => ask("check"));
document.getElementById("clear").addEventListener("click", () => {
  cells = squares.map(() => OPEN);
  title = "";
  past.length = 0;
  keep();
  showAll();
  say("A fresh sheet.");
});

showAll();
if (title) say(`${title}. You have found this one.`);
