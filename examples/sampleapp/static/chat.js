"use strict";
// The channel: one socket, opened again when it drops.
const list = document.getElementById("messages");
const form = document.getElementById("say");
const input = form.elements.text;
const state = document.querySelector("[data-state]");
let socket;
let me = "";
let wait = 1000;

function show(name, text) {
  state.dataset.state = name;
  state.textContent = text;
  const open = name === "open";
  input.disabled = !open;
  form.querySelector("button").disabled = !open;
}

function add(message) {
  const item = document.createElement("li");
  if (message.from === me) item.className = "mine";
  const head = document.createElement("p");
  head.className = "meta";
  const at = new Intl.DateTimeFormat(undefined, { timeStyle: "short" }).format(new Date(message.at * 1000));
  head.textContent = `${message.from === me ? "You" : message.from} · ${at}`;
  const text = document.createElement("p");
  text.className = "said";
  text.textContent = message.text;
  item.append(head, text);
  list.append(item);
  list.scrollTop = list.scrollHeight;
}

function open() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/chat/socket`);
  socket.addEventListener("message", (event) => {
    const message = JSON.parse(event.data);
    if (message.kind === "hello") {
      me = message.you;
      list.textContent = "";
      wait = 1000;
    }
    if (message.kind === "message") add(message);
    else show("open", message.online === 1 ? "Only you are here" : `${message.online} here`);
  });
  socket.addEventListener("close", (event) => {
    show("lost", "Disconnected");
    state.dataset.code = String(event.code);
    setTimeout(open, wait);
    wait = Math.min(wait * 2, 30000);
  });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = input.value.trim();
  if (text === "" || socket.readyState !== WebSocket.OPEN) return;
  socket.send(text);
  input.value = "";
});
open();
