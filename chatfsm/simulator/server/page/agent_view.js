// The view of a chat at the agent's seat: what each event of both sides adds to it. Text is only ever
// set as text.

import { make } from "./forms.js";
import { follow } from "./scroll.js";

const TYPING = 30_000; // milliseconds after which a customer's typing is not believed any more

let chatId = "";
let typingTimer = 0;
const parties = new Map();
const receipts = new Map(); // elements by msg_id, for the marks of the customer's receipts

const at = (id) => document.getElementById(id);
const rows = follow(at("messages"));

export const note = (text) => rows.add(make("li", { className: "note", textContent: text }));

export const begin = (id) => {
  chatId = id;
  parties.clear();
  receipts.clear();
  rows.clear();
  showTyping(false);
};

const showTyping = (isTyping) => {
  clearTimeout(typingTimer);
  at("typing").hidden = !isTyping;
  if (isTyping) typingTimer = setTimeout(() => showTyping(false), TYPING);
};

const time = (seconds) =>
  new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

// The seat's side is on the right, whether a script or the person speaks.
const bubble = (content, { sender, at: seconds, event }) => {
  const isOwn = sender === "center";
  const name = isOwn ? (parties.get(event.party_id) ?? "The center") : "Customer";
  const foot = make("small", { textContent: `${name}  ${time(seconds)}` });
  const mark = make("span");
  foot.append(mark);
  if (isOwn && event.msg_id !== undefined) receipts.set(String(event.msg_id), mark);
  rows.add(
    make("li", { className: isOwn ? "own" : "theirs" }, make("div", { className: "bubble" }, content), foot),
  );
};

const text = (value) => (typeof value === "string" ? value : JSON.stringify(value ?? ""));

const file = (event) => {
  const name = text(event.msg ?? event.file_name ?? "file");
  const ids = [chatId, text(event.file_id)].map(encodeURIComponent);
  const href = `clientweb/api/v2/chats/${ids[0]}/files/${ids[1]}`;
  return make("a", { textContent: name || "file", download: name || "file", href });
};

const mark = (sign) => ({ event }) => {
  const id = String(event.ref_msg_id ?? event.msg_id);
  if (receipts.has(id)) receipts.get(id).textContent = `  ${sign}`;
};

const answer = ({ data }) => {
  const isObject = data !== null && typeof data === "object" && !Array.isArray(data);
  if (!isObject) return text(data);
  return Object.entries(data).map(([name, value]) => `${name}: ${text(value)}`).join(", ");
};

// By the name of the event, without its prefix, which one name lacks.
const CUSTOMER = {
  message: (row) => {
    showTyping(false);
    bubble(text(row.event.msg), row);
  },
  file: (row) => bubble(file(row.event), row),
  location: ({ event }) => note(`The customer is at ${text(event.latitude)}, ${text(event.longitude)}`),
  typing: () => showTyping(true),
  not_typing: () => showTyping(false),
  form_data: ({ event }) => note(`The form was answered. ${answer(event)}`),
  chat_form_data_cancel: () => note("The customer cancelled the form"),
  secure_form_data: () => note("The secure form was answered"),
  secure_form_cancel: () => note("The customer cancelled the secure form"),
  message_delivered: mark("✓✓"),
  message_read: mark("✓✓ read"),
  disconnect: () => note("The customer has left the conversation: show a survey, or end the chat"),
  end: () => note("The customer has ended the session"),
};

const nameOf = (event) =>
  String(event.display_name || event.first_name || parties.get(event.party_id) || "A party");

const CENTER = {
  message: (row) => bubble(text(row.event.msg ?? row.event.msg_text), row),
  file: (row) => bubble(file(row.event), row),
  status: ({ event }) => {
    const wait = event.state === "queued" && event.ewt ? `, about ${text(event.ewt)} s` : "";
    note(`State: ${text(event.state)}${wait}`);
  },
  party_joined: ({ event }) => {
    parties.set(event.party_id, nameOf(event));
    note(`${nameOf(event)} has joined`);
  },
  party_left: ({ event }) => note(`${nameOf(event)} has left`),
  form_show: ({ event }) => note(`Form shown: ${text(event.form_name) || "a question"}`),
  secure_form_show: ({ event }) => note(`Secure form shown: ${text(event.form_id)}`),
  timeout_warning: ({ event }) => note(`Warning to the customer: ${text(event.msg)}`),
  inactivity_timeout: () => note("The session has timed out"),
  ended: () => note("The session is over"),
  typing: () => {},
  not_typing: () => {},
};

// Shows an event: {number, at, sender, event}.
export const show = (row) => {
  const name = row.event.event.replace("chat_session_", "");
  const table = row.sender === "customer" ? CUSTOMER : CENTER;
  if (Object.hasOwn(table, name)) table[name](row);
  else if (!name.endsWith("delivered") && !name.endsWith("read")) note(`${row.sender}: ${name}`);
};
