// Shows on each sheet how far its puzzle has come.
"use strict";

function draw(sheet) {
  const size = Number(sheet.dataset.size);
  let kept = {};
  try {
    kept = JSON.parse(localStorage.getItem(`quadrille-${sheet.dataset.id}`)) ?? {};
  } catch {
    // Nothing kept, or not by us.
  }
  const cells = typeof kept.cells === "string" && kept.cells.length === size * size ? kept.cells : "";
  const canvas = sheet.querySelector("canvas");
  const ctx = canvas.getContext("2d");
  const style = getComputedStyle(sheet);
  const edge = canvas.width / size;
  ctx.clearRect(0, 0, canvas.width, canvas.height);
  ctx.fillStyle = style.getPropertyValue(kept.title ? "--red" : "--pencil");
  for (let i = 0; i < cells.length; i++)
    if (cells[i] === "1") ctx.fillRect((i % size) * edge, Math.floor(i / size) * edge, edge, edge);
  ctx.strokeStyle = style.getPropertyValue("--rule");
  for (let i = 1; i < size; i++) {
    ctx.strokeRect(i * edge, -1, 0, canvas.height + 2);
    ctx.strokeRect(-1, i * edge, canvas.width + 2, 0);
  }
  const state = sheet.querySelector("[data-state]");
  state.textContent = kept.title ? String(kept.title) : cells.includes("1") ? "Begun" : "";
}

const drawAll = () => document.querySelectorAll("[data-id]").forEach(draw);
drawAll();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
