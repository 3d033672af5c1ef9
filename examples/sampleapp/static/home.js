"use strict";
// The weather on the front page, asked for every five seconds.
const readings = document.querySelector("[data-poll]");
const stale = document.querySelector("[data-stale]");
const decimals = { tide_m: 2, wind_knots: 1, temperature_c: 1, pressure_hpa: 1 };

async function poll() {
  try {
    const answer = await fetch(readings.dataset.poll, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const now = await answer.json();
    for (const el of readings.querySelectorAll("[data-field]")) {
      const key = el.dataset.field;
      el.textContent = key in decimals ? now[key].toFixed(decimals[key]) : now[key];
    }
    document.querySelector('[data-field="tide-word"]').textContent = now.tide_rising ? "making" : "going out";
    stale.hidden = true;
  } catch {
    stale.hidden = false;
  }
}
setInterval(poll, 5000);
