// The page: chats are opened, words are said, and what comes back is heard.

import { begin, hear, logged, note, over, showOwn, takePrompt, warn } from "./heard.js";
import * as law from "./law.js";
import { Chat } from "./wire.js";

const TYPING_REST = 4_000; // milliseconds without a key until own typing is over
const LARGEST_FILE = 25 * 1024 * 1024;

let chat = null;
let tenant = "";
let typingTimer = 0;
let file = null;

const at = (id) => document.getElementById(id);

// Works where randomUUID does not: on pages that came over http from another machine.
const clientId = () => {
  const numbers = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(numbers, (number) => number.toString(16).padStart(2, "0")).join("");
};


const tell = (event) => {
  logged("out", event);
  warn("");
  return chat.say(event);
};

const stopTyping = (isSaid) => {
  if (!typingTimer) return;
  clearTimeout(typingTimer);
  typingTimer = 0;
  if (!isSaid) tell({ event: "chat_session_not_typing" });
};

const type = () => {
  if (!typingTimer) tell({ event: "chat_session_typing" });
  clearTimeout(typingTimer);
  typingTimer = setTimeout(() => stopTyping(false), TYPING_REST);
};

const allow = (isOpen) => {
  for (const id of ["text", "say", "file", "disconnect", "end"]) at(id).disabled = !isOpen;
  at("open").textContent = isOpen ? "Start anew" : "Start a chat";
  if (!isOpen) {
    clearTimeout(typingTimer);
    typingTimer = 0;
  }
};

const open = async () => {
  if (chat && !chat.isOver) {
    chat.say({ event: "chat_session_end" });
    chat.close();
  }
  const mine = new Chat(tenant, at("app").value, clientId(), {
    event: (event, isOwn) => mine === chat && hear(event, isOwn),
    trouble: (text) => mine === chat && (text || at("warning").dataset.trouble) && trouble(text),
    gone: () => mine === chat && !law.isOver() && over("gone"),
  });
  chat = mine;
  begin(chat, { tell, allow });
  try {
    await chat.open();
    if (!law.isOver()) allow(true);
    at("text").focus();
  } catch (error) {
    chat.close();
    note(`No chat could be opened: ${error.message}`);
  }
};

const trouble = (text) => {
  at("warning").dataset.trouble = text;
  warn(text);
};

const say = () => {
  const text = at("text").value.trim();
  if (!text) return;
  at("text").value = "";
  stopTyping(true);
  const asked = takePrompt();
  showOwn(tell({ event: "chat_session_message", msg: text }), text);
  if (asked) {
    const about = { form_request_id: asked.form_request_id, form_name: "" };
    tell({ event: "chat_session_form_data", ...about, data: { text } });
  }
};

const send = async () => {
  [file] = at("file").files;
  at("file").value = "";
  if (!file) return;
  if (file.size > LARGEST_FILE) return note(`${file.name} is larger than 25 MB`);
  const kind = file.type.startsWith("image/") ? "image" : "attachment";
  try {
    const file_id = await chat.upload(file);
    const about = { file_id, file_type: kind, file_name: file.name };
    showOwn(tell({ event: "chat_session_file", ...about }), file.name);
  } catch (error) {
    note(`${file.name} was not sent: ${error.message}`);
  }
};

const start = async () => {
  const told = await (await fetch("simulator.json")).json();
  tenant = told.tenant;
  for (const { app_id: id, title } of told.apps) {
    at("app").add(new Option(title ? `${id}: ${title}` : id, id));
  }
};

at("opening").addEventListener("submit", (submit) => {
  submit.preventDefault();
  open();
});
at("saying").addEventListener("submit", (submit) => {
  submit.preventDefault();
  say();
});
at("text").addEventListener("input", type);
at("file").addEventListener("change", send);
at("disconnect").addEventListener("click", () => tell({ event: "chat_session_disconnect" }));
at("end").addEventListener("click", () => tell({ event: "chat_session_end" }));
start();
