"use strict";
// Two traces, drawn from the feed of one reading a second.
const state = document.querySelector("[data-state]");
const traces = [...document.querySelectorAll("[data-trace]")].map((svg) => ({
  svg,
  key: svg.dataset.trace,
  points: svg.dataset.points.split(" ").map(Number), // the last minutes, from the server
}));
const kept = 180;
const span = { tide_m: 0.3, wind_knots: 8 }; // the least height of a trace, so that noise stays small

function show(name, text) {
  if (state.dataset.state === name) return;
  state.dataset.state = name;
  state.textContent = text;
}

function draw({ svg, key, points }) {
  const low = Math.min(...points);
  const high = Math.max(...points);
  const height = Math.max(high - low, span[key]) * 1.2;
  const middle = (low + high) / 2;
  const x = (i) => 600 - (points.length - 1 - i) * (600 / (kept - 1));
  const y = (v) => 70 - ((v - middle) / height) * 140;
  const curve = points.map((v, i) => `${i === 0 ? "M" : "L"}${x(i).toFixed(1)} ${y(v).toFixed(1)}`).join("");
  svg.querySelector(".curve").setAttribute("d", curve);
  svg.querySelector(".fill").setAttribute("d", `${curve}L600 140L${x(0).toFixed(1)} 140Z`);
}

traces.forEach(draw);
const feed = new EventSource("/live/feed");
feed.addEventListener("open", () => show("open", "Live"));
feed.addEventListener("error", () => show("lost", feed.readyState === EventSource.CLOSED ? "Feed closed" : "Reconnecting"));
feed.addEventListener("reading", (event) => {
  const now = JSON.parse(event.data);
  document.querySelector('[data-field="tide_m"]').textContent = now.tide_m.toFixed(2);
  document.querySelector('[data-field="wind_knots"]').textContent = now.wind_knots.toFixed(1);
  document.querySelector('[data-field="wind_from"]').textContent = now.wind_from;
  for (const trace of traces) {
    trace.points.push(now[trace.key]);
    if (trace.points.length > kept) trace.points.shift();
    draw(trace);
  }
});
