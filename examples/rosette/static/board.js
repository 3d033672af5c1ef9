// The board: pointer, keys, tools, and the drawing kept in this browser.
"use strict";

const KEPT = "rosette-drawing";
const POSTER = 2048; // pixels of a saved picture's edge
const $ = (id) => document.getElementById(id);
const board = $("board");
const view = board.getContext("2d");
const finished = document.createElement("canvas"); // all strokes but the one being drawn
const ground = finished.getContext("2d");

let { strokes, paper } = restore();
let drawing = null; // the stroke being drawn
let ink = 0;
let pen = { x: 0, y: -0.5, down: false, shown: false }; // the keyboard's
let size = 0;
let due = false;

function restore() {
  const fallback = matchMedia("(prefers-color-scheme: dark)").matches ? "night" : "day";
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT));
    return { strokes: kept.strokes.filter(isStroke), paper: kept.paper in PAPERS ? kept.paper : fallback };
  } catch {
    return { strokes: [], paper: fallback };
  }
}

function keep() {
  try {
    localStorage.setItem(KEPT, JSON.stringify({ strokes, paper }));
  } catch {
    // Full, or forbidden: the drawing lasts as long as the page.
  }
}

const petals = () => Number($("petals-in").value);
const mirror = () => $("mirror").checked;

function redraw() {
  layPaper(ground, size, paper);
  for (const stroke of strokes) paint(ground, stroke, paper);
  show();
}

/** Shows the drawing with the next frame. */
function show() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    layPaper(view, size, paper);
    view.setTransform(1, 0, 0, 1, 0, 0);
    view.drawImage(finished, 0, 0);
    view.setTransform(size / 2, 0, 0, size / 2, size / 2, size / 2);
    if (strokes.length === 0) paintGuide(view, petals(), paper);
    if (drawing) paint(view, drawing, paper);
    if (pen.shown) {
      view.globalCompositeOperation = "source-over";
      view.strokeStyle = view.fillStyle = PAPERS[paper].inks[ink];
      view.lineWidth = 0.006;
      view.beginPath();
      view.arc(pen.x, pen.y, 0.022, 0, 7);
      view.stroke();
      if (pen.down) view.fill();
    }
  });
}

function fit() {
  const pixels = Math.round(board.clientWidth * Math.min(devicePixelRatio || 1, 2));
  if (pixels === size || pixels === 0) return;
  size = board.width = board.height = finished.width = finished.height = pixels;
  redraw();
}

function begin(x, y) {
  drawing = { ink, width: Number($("width-in").value) / 500, petals: petals(), mirror: mirror(), points: [x, y] };
  show();
}

function draw(x, y) {
  const { points } = drawing;
  const [px, py] = points.slice(-2);
  if (Math.hypot(x - px, y - py) < 0.006) return;
  points.push(Math.round(x * 1e4) / 1e4, Math.round(y * 1e4) / 1e4);
  show();
}

function finish() {
  if (!drawing) return;
  strokes.push(drawing);
  paint(ground, drawing, paper);
  drawing = null;
  keep();
  show();
}

function undo() {
  if (drawing) drawing = null;
  else if (!strokes.pop()) return say("Nothing to undo.");
  pen.down = false;
  keep();
  redraw();
  say("Undone.");
}

// The pointer.
const place = (event) => {
  const box = board.getBoundingClientRect();
  return [((event.clientX - box.left) / box.width) * 2 - 1, ((event.clientY - box.top) / box.height) * 2 - 1];
};
board.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || drawing) return;
  pen = { ...pen, shown: false, down: false };
  board.setPointerCapture(event.pointerId);
  begin(...place(event));
});
board.addEventListener("pointermove", (event) => {
  if (!drawing || !board.hasPointerCapture(event.pointerId)) return;
  for (const one of event.getCoalescedEvents?.() ?? [event]) draw(...place(one));
});
board.addEventListener("pointerup", finish);
board.addEventListener("pointercancel", finish);

// The keyboard.
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
board.addEventListener("keydown", (event) => {
  const move = MOVES[event.key];
  if (move && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const step = event.shiftKey ? 0.06 : 0.02;
    const within = (n) => Math.min(Math.max(n, -0.98), 0.98);
    pen = { ...pen, shown: true, x: within(pen.x + move[0] * step), y: within(pen.y + move[1] * step) };
    if (pen.down && drawing) draw(pen.x, pen.y);
    show();
  } else if (event.key === " ") {
    pen = { ...pen, shown: true, down: !pen.down };
    if (pen.down) begin(pen.x, pen.y);
    else finish();
    say(pen.down ? "Pen down." : "Pen up.");
  } else return;
  event.preventDefault();
});
board.addEventListener("blur", () => {
  pen = { ...pen, shown: false, down: false };
  finish();
  show();
});
addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
    event.preventDefault();
    undo();
  }
});

// The tools.
function setInks() {
  const names = ["Vermilion", "Amber", "Teal", "Blue", "Violet", paper === "night" ? "Chalk" : "Soot"];
  $("inks").replaceChildren(
    ...PAPERS[paper].inks.map((colour, i) => {
      const label = document.createElement("label");
      const choice = Object.assign(document.createElement("input"), { type: "radio", name: "ink", value: i, checked: i === ink, ariaLabel: names[i] });
      choice.addEventListener("change", () => {
        ink = i;
      });
      const dab = document.createElement("span");
      dab.style.background = colour;
      label.title = names[i];
      label.append(choice, dab);
      return label;
    }),
  );
}
for (const choice of document.querySelectorAll("[name=paper]")) {
  choice.checked = choice.value === paper;
  choice.addEventListener("change", () => {
    paper = choice.value;
    setInks();
    keep();
    redraw();
  });
}
for (const id of ["petals", "width"])
  $(`${id}-in`).addEventListener("input", () => {
    $(`${id}-out`).textContent = $(`${id}-in`).value;
    show();
  });
$("undo").addEventListener("click", undo);
$("clear").addEventListener("click", () => {
  strokes = [];
  drawing = null;
  keep();
  redraw();
  say("The paper is empty.");
});
$("surprise").addEventListener("click", () => {
  strokes.push(...invent(petals(), mirror(), Math.random));
  keep();
  redraw();
  say("Something new to draw over.");
});
$("save").addEventListener("click", () => {
  const poster = Object.assign(document.createElement("canvas"), { width: POSTER, height: POSTER });
  const ctx = poster.getContext("2d");
  layPaper(ctx, POSTER, paper);
  for (const stroke of strokes) paint(ctx, stroke, paper);
  poster.toBlob((blob) => {
    if (!blob) return say("The picture could not be made.");
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: "rosette.png" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    say("Saved as rosette.png.");
  }, "image/png");
});

let hushing;
function say(text) {
  $("said").textContent = text;
  clearTimeout(hushing);
  hushing = setTimeout(() => {
    $("said").textContent = "";
  }, 5000);
}

setInks();
new ResizeObserver(fit).observe(board);
fit();
