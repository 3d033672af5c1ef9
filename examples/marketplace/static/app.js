// Comfort only: every page works without this script.
"use strict";

// Times are rendered in UTC; show them in the visitor's own.
for (const el of document.querySelectorAll("time[data-local]")) {
  const at = new Date(el.dateTime);
  const options = el.dataset.local === "time" ? { timeStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" };
  el.textContent = new Intl.DateTimeFormat(undefined, options).format(at);
}

// Clocks count towards the server's deadline, measured by the server's clock.
const clocks = document.querySelectorAll("[data-ends]");
const loaded = performance.now();
const two = (n) => String(n).padStart(2, "0");
function tick() {
  for (const el of clocks) {
    const now = Number(el.dataset.now) + (performance.now() - loaded) / 1000;
    // Never more than when the page was made: its moment is known to the second only.
    const left = Math.min(Math.max(0, Math.ceil(Number(el.dataset.ends) - now)), Number(el.dataset.most));
    const h = Math.floor(left / 3600);
    const m = Math.floor(left / 60) % 60;
    const text = h > 0 ? `${h}:${two(m)}:${two(left % 60)}` : `${m}:${two(left % 60)}`;
    if (el.textContent !== text) el.textContent = text;
    if (left === 0 && "reload" in el.dataset) {
      delete el.dataset.reload;
      setTimeout(() => location.reload(), 1200); // settled within a second
    }
  }
}
if (clocks.length > 0) setInterval(tick, 250);

// A second click does nothing while the first is on its way. The server buys
// once anyway; this only shows it.
for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    if ("busy" in form.dataset) event.preventDefault();
    form.dataset.busy = "";
    form.setAttribute("aria-busy", "true");
  });
}

// Coming back with the browser's button: balance and form are out of date.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
