// The page: chats are opened, kept over a reload, and what a person does becomes commands.

import { Chat } from "./chat.js";
import { typist } from "./typing.js";
import { allow, begin, note, show, warn } from "./view.js";

const MAX_FILE = 25 * 1024 * 1024;
const KEPT = "chat"; // the name of the chat's key in the storage of this tab

let chat = null;

const at = (id) => document.getElementById(id);

const act = (command, fields) => chat.send(command, fields).catch((error) => note(error.message));

const typing = typist(
  () => act("start_typing"),
  () => act("stop_typing"),
);

// A page that is left loses its stream too, so the key is kept: the server knows at the next load.
const lose = () => {
  warn("page", "");
  allow(false);
  note("The simulator does not have this chat any more");
};

// Shows a chat from its first record on, as far as the server has kept them.
const attach = (opened) => {
  chat = opened;
  sessionStorage.setItem(KEPT, opened.key);
  allow(false);
  begin(chat, act);
  chat.listen({
    onRecord: (record, number) => opened === chat && show(record, number),
    onConnected: (isConnected) =>
      opened === chat && warn("page", isConnected ? "" : "The simulator cannot be reached …"),
    onGone: () => opened === chat && lose(),
  });
};

const open = async () => {
  typing.sent();
  if (chat) {
    chat.close();
    chat.send("end").catch(() => {}); // it may be over
  }
  try {
    attach(await Chat.open(at("app").value));
  } catch (error) {
    note(`No chat could be opened: ${error.message}`);
  }
};

const resume = async () => {
  const key = sessionStorage.getItem(KEPT);
  if (!key) return;
  try {
    const { appId, found } = await Chat.find(key);
    at("app").value = appId;
    attach(found);
  } catch {
    sessionStorage.removeItem(KEPT);
  }
};

const send = () => {
  const text = at("text").value.trim();
  if (!text) return;
  at("text").value = "";
  typing.sent();
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
  await resume();
};

const on = (id, event, handle) =>
  at(id).addEventListener(event, (happened) => {
    if (event === "submit") happened.preventDefault();
    handle();
  });

on("opening", "submit", open);
on("compose", "submit", send);
on("text", "input", typing.press);
on("file", "change", share);
on("disconnect", "click", () => act("disconnect"));
on("end", "click", () => act("end"));
start();
