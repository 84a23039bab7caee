// The page: chats are opened, and what a person does becomes commands.

import { Chat } from "./chat.js";
import { allow, begin, note, show, warn } from "./view.js";

const TYPING_REST = 4_000; // milliseconds without a key until the own typing stops
const TYPING_REPEAT = 2_000; // milliseconds between commands while keys are pressed
const MAX_FILE = 25 * 1024 * 1024;

let chat = null;
let typingTimer = 0;
let typingSent = 0;

const at = (id) => document.getElementById(id);

const act = (command, fields) => chat.send(command, fields).catch((error) => note(error.message));

const stopTyping = (isSent) => {
  if (!typingTimer) return;
  clearTimeout(typingTimer);
  typingTimer = typingSent = 0;
  if (!isSent) act("stop_typing");
};

const type = () => {
  if (performance.now() - typingSent > TYPING_REPEAT) {
    typingSent = performance.now();
    act("start_typing");
  }
  clearTimeout(typingTimer);
  typingTimer = setTimeout(() => stopTyping(false), TYPING_REST);
};

const open = async () => {
  stopTyping(true);
  if (chat) {
    chat.close();
    chat.send("end").catch(() => {}); // it may be over
  }
  try {
    const opened = await Chat.open(at("app").value);
    chat = opened;
    allow(false);
    begin(chat, act);
    chat.listen(
      (record) => opened === chat && show(record),
      (isConnected) => warn("page", isConnected ? "" : "The simulator cannot be reached …"),
    );
  } catch (error) {
    note(`No chat could be opened: ${error.message}`);
  }
};

const send = () => {
  const text = at("text").value.trim();
  if (!text) return;
  at("text").value = "";
  stopTyping(true);
  act("send_text", { text });
};

const share = async () => {
  const [file] = at("file").files;
  at("file").value = "";
  if (!file) return;
  if (file.size > MAX_FILE) return note(`${file.name} is larger than 25 MB`);
  await chat.share(file).catch((error) => note(`${file.name} was not sent: ${error.message}`));
};

const start = async () => {
  const about = await (await fetch("simulator.json")).json();
  for (const { app_id: id, title } of about.apps) {
    at("app").add(new Option(title ? `${id}: ${title}` : id, id));
  }
};

const on = (id, event, handle) =>
  at(id).addEventListener(event, (happened) => {
    if (event === "submit") happened.preventDefault();
    handle();
  });

on("opening", "submit", open);
on("compose", "submit", send);
on("text", "input", type);
on("file", "change", share);
on("disconnect", "click", () => act("disconnect"));
on("end", "click", () => act("end"));
start();
