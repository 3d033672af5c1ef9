// What a drawing is and how it is painted. Coordinates run from -1 to 1 on both
// axes, so that the same strokes fill a phone and a poster.
"use strict";

const PAPERS = {
  day: { paper: "#fffaf2", guide: "#e9dccb", blend: "multiply", inks: ["#d6402b", "#e08a00", "#1d7874", "#2f5fb3", "#7b3fa0", "#2a2230"] },
  night: { paper: "#171019", guide: "#352a3a", blend: "screen", inks: ["#ff6f59", "#ffc857", "#4ecdc4", "#6fa8ff", "#c77dff", "#f4f1ea"] },
};

// A stroke names its ink by number: on the other paper it is that paper's ink.
function isStroke(s) {
  const within = (n, low, high) => Number.isFinite(n) && n >= low && n <= high;
  return within(s?.ink, 0, 5) && within(s.width, 0, 0.2) && within(s.petals, 1, 48) && Array.isArray(s.points) && s.points.every(Number.isFinite);
}

/** A stroke's line, smoothed, with each of its repetitions, as one path: where they cross, the ink is laid once. */
function pathOf({ points, petals, mirror }) {
  const line = new Path2D();
  if (points.length === 2) line.arc(points[0], points[1], 0.0005, 0, 7);
  else {
    line.moveTo(points[0], points[1]);
    let i = 2;
    for (; i + 3 < points.length; i += 2)
      line.quadraticCurveTo(points[i], points[i + 1], (points[i] + points[i + 2]) / 2, (points[i + 1] + points[i + 3]) / 2);
    line.lineTo(points[i], points[i + 1]);
  }
  const all = new Path2D();
  for (let k = 0; k < petals; k++) {
    const turn = (2 * Math.PI * k) / petals;
    const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
    all.addPath(line, new DOMMatrix([cos, sin, -sin, cos, 0, 0]));
    if (mirror) all.addPath(line, new DOMMatrix([-cos, -sin, -sin, cos, 0, 0]));
  }
  return all;
}

/** Prepares a square context for coordinates of ours, and lays the paper. */
function layPaper(ctx, size, paper) {
  ctx.setTransform(1, 0, 0, 1, 0, 0);
  ctx.globalCompositeOperation = "source-over";
  ctx.fillStyle = PAPERS[paper].paper;
  ctx.fillRect(0, 0, size, size);
  ctx.setTransform(size / 2, 0, 0, size / 2, size / 2, size / 2);
  ctx.lineCap = ctx.lineJoin = "round";
}

function paint(ctx, stroke, paper) {
  ctx.globalCompositeOperation = PAPERS[paper].blend;
  ctx.strokeStyle = PAPERS[paper].inks[stroke.ink];
  ctx.lineWidth = stroke.width;
  ctx.stroke(pathOf(stroke));
}

/** Faint spokes, where one petal ends and the next begins. */
function paintGuide(ctx, petals, paper) {
  ctx.globalCompositeOperation = "source-over";
  ctx.strokeStyle = PAPERS[paper].guide;
  ctx.lineWidth = 0.003;
  ctx.beginPath();
  for (let k = 0; k < petals; k++) {
    const turn = (2 * Math.PI * k) / petals - Math.PI / 2;
    ctx.moveTo(0.04 * Math.cos(turn), 0.04 * Math.sin(turn));
    ctx.lineTo(0.94 * Math.cos(turn), 0.94 * Math.sin(turn));
  }
  ctx.moveTo(0.94, 0);
  ctx.arc(0, 0, 0.94, 0, 2 * Math.PI);
  ctx.stroke();
}

/** Strokes that go together, ring upon ring: leaves on the petals' axes, garlands from one axis to the
 *  next, waves between. `random` gives numbers from 0 to 1. */
function invent(petals, mirror, random) {
  const half = Math.PI / petals;
  let swell = 0;
  const leaf = (t) => [Math.sin(Math.PI * t) * (0.35 + 0.5 * swell), t];
  const garland = (t) => [t, Math.sin((Math.PI * t) / 2) ** 2];
  const wave = (t) => [t * 0.98, 0.5 + 0.5 * Math.sin(2 * Math.PI * t - Math.PI / 2)];
  const strokes = [];
  const first = Math.floor(random() * 6);
  for (let n = 0, reach = 0.05; reach < 0.84; n++) {
    const form = n === 0 ? leaf : [leaf, garland, leaf, wave][Math.floor(random() * 4)];
    const depth = Math.min(form === leaf ? 0.2 + random() * 0.22 : 0.07 + random() * 0.1, 0.95 - reach);
    swell = random();
    const ink = (first + n) % 6;
    const width = 0.006 + random() * 0.008;
    for (const side of mirror ? [1] : [1, -1]) {
      const points = [];
      for (let i = 0; i <= 40; i++) {
        const [across, along] = form(i / 40);
        const angle = side * across * half - Math.PI / 2;
        const radius = reach + depth * along;
        points.push(radius * Math.cos(angle), radius * Math.sin(angle));
      }
      strokes.push({ ink, width, petals, mirror, points });
    }
    reach += depth * (form === leaf ? 0.55 : 0.8);
  }
  return strokes;
}
