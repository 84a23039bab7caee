// The view of a chat: what each effect of the client changes on the page. Text is only ever set as
// text.

import { card, make } from "./forms.js";
import * as lifecycle from "./lifecycle.js";
import { follow } from "./scroll.js";

const MAX_LINES = 200; // of commands and effects

let chat = null;
let act = null; // act(command, fields) sends a command
let state = "";
let wait = null;
let isEmpty = true; // no record has been shown
const parties = new Map();
const typists = new Set();
const forms = new Map();
const prompts = new Map();
const own = new Map();

const at = (id) => document.getElementById(id);

const nameOf = (party) => {
  const full = [party?.first_name, party?.last_name].filter(Boolean).join(" ");
  return String(party?.display_name || full || "The center");
};

const rows = follow(at("messages"));
const { add } = rows;

export const note = (text) => add(make("li", { className: "note", textContent: text }));

export const warn = (kind, text) => {
  at("warning").dataset.kind = text ? kind : "";
  at("warning").textContent = text;
  at("warning").hidden = !text;
};

const unwarn = (kind) => {
  if (at("warning").dataset.kind === kind) warn(kind, "");
};

const time = (seconds) =>
  seconds ? new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) : "";

const bubble = (content, { isOwn, sender, timestamp, msgId }) => {
  const foot = make("small", { textContent: isOwn ? "…" : `${nameOf(sender)}  ${time(timestamp)}` });
  const item = make("li", { className: isOwn ? "own" : "theirs" });
  item.append(make("div", { className: "bubble" }, content), foot);
  if (isOwn && msgId) own.set(msgId, foot);
  return add(item);
};

const mark = (sign, title) => (record) => {
  const foot = own.get(record.msg_id);
  if (foot) Object.assign(foot, { textContent: sign, title: record.why ?? title });
};

const fileLink = (fileId, name) => {
  const link = make("a", { textContent: name, download: name, href: chat.file(fileId) });
  return link;
};

const showFile = (file) => {
  const link = fileLink(file.file_id, String(file.file_name || "file"));
  if (file.file_type === "image") {
    const image = make("img", { src: link.href, alt: "", className: "shared" });
    image.addEventListener("error", () => image.remove());
    link.prepend(image);
  }
  const { own: isOwn, sender, timestamp, msg_id: msgId } = file;
  bubble(link, { isOwn, sender, timestamp, msgId });
};

const showState = () => {
  const words = state.replace("_", " ");
  const estimate = state === "queued" && wait !== null ? `, about ${wait} s` : "";
  at("state").textContent = words + estimate;
  at("state").dataset.state = state;
};

const showParty = (party) => {
  parties.set(party.party_id, party);
  const name = nameOf(party);
  const face = make("i", { textContent: name.slice(0, 1).toUpperCase() });
  const item = make("li", { title: String(party.type ?? ""), data: { party: party.party_id } });
  item.append(face, make("span", { textContent: name }));
  hideParty(party);
  at("people").append(item);
  const photo = make("img", { alt: "" });
  photo.addEventListener("load", () => face.replaceWith(photo));
  photo.src = chat.photo(party.party_id);
};

const hideParty = (party) =>
  at("people").querySelector(`[data-party="${CSS.escape(party.party_id)}"]`)?.remove();

const showTypists = () => {
  at("typing").hidden = typists.size === 0;
  const names = [...typists].map((id) => nameOf(parties.get(id)));
  at("typists").textContent = `${names.join(", ")} is typing`;
};

const showPrompt = () => {
  at("text").placeholder = prompts.size ? "Answer the question above" : "Write a message";
  at("text").classList.toggle("asked", prompts.size > 0);
};

const openForm = ({ form }) => {
  if (form.name === "" && !form.secure) {
    prompts.set(form.request_id, form);
    return showPrompt();
  }
  const about = { request_id: form.request_id };
  const shown = card(form, {
    submit: (data) => act("submit_form", { ...about, data }),
    cancel: () => act("cancel_form", about),
    left: () => (form.deadline === null ? Infinity : form.deadline - chat.now()),
  });
  forms.set(form.request_id, shown);
  add(make("li", { className: "asked" }, shown.element));
  shown.element.querySelector("input")?.focus({ preventScroll: true });
};

const REASONS = {
  submitted: "was answered",
  cancelled: "was cancelled",
  expired: "has expired",
  replaced: "was replaced",
};

const closeForm = ({ form, reason }) => {
  forms.get(form.request_id)?.close();
  forms.delete(form.request_id);
  if (!prompts.delete(form.request_id) && REASONS[reason]) {
    note(`The form ${form.name ?? ""} ${REASONS[reason]}`);
  }
  showPrompt();
};

// A call is shown, answered without sound, and ended: there is no media.
const CALLS = {
  offered: ["The agent is calling", ["Answer", "Decline"]],
  active: ["The call is on", ["Hang up"]],
  rejected: ["The call was declined", []],
  ended: ["The call has ended", []],
};
const BUTTONS = {
  Answer: () => act("answer_call", { sdp: "v=0\r\ns=-\r\nt=0 0\r\n" }),
  Decline: () => act("reject_call", { reason_code: "486", reason: "busy" }),
  "Hang up": () => act("end_call"),
};

const showCall = (record) => {
  const [text, buttons] = CALLS[record.state] ?? [`Call: ${record.state}`, []];
  document.querySelectorAll("#messages .note button").forEach((button) => button.remove());
  const item = note(text);
  for (const name of buttons) {
    const button = make("button", { type: "button", textContent: name });
    button.addEventListener("click", BUTTONS[name]);
    item.append(button);
  }
};

const LINKS = {
  retrying: "The center cannot be reached. Trying again …",
  unauthorized: "The center refuses the credentials",
};

const EFFECTS = {
  chat_opened: () => allow(true),
  api_failed: (record) => note(`Failed: ${record.request.replaceAll("_", " ")}: ${record.error}`),
  authorization_failed: (record) => note(record.error),
  link_changed: (record) =>
    LINKS[record.state] ? warn("link", `${LINKS[record.state]} (${record.why})`) : unwarn("link"),
  undelivered: (record) => note(`${record.event} was not delivered: ${record.why}`),
  state_changed: (record) => {
    lifecycle.move(record.previous, record.state);
    state = record.state;
    showState();
  },
  wait_estimated: (record) => {
    wait = record.seconds;
    showState();
  },
  party_added: ({ party }) => {
    showParty(party);
    note(`${nameOf(party)} has joined`);
  },
  party_changed: ({ party }) => showParty(party),
  party_removed: ({ party }) => {
    hideParty(party);
    note(`${nameOf(party)} has left`);
  },
  typing_started: (record) => {
    typists.add(record.party_id);
    showTypists();
  },
  typing_stopped: (record) => {
    typists.delete(record.party_id);
    showTypists();
  },
  message_received: ({ message }) => {
    const { own: isOwn, sender, timestamp, msg_id: msgId } = message;
    bubble(String(message.text), { isOwn, sender, timestamp, msgId });
  },
  file_received: ({ file }) => showFile(file),
  location_received: ({ location }) => note(`A place: ${location.latitude}, ${location.longitude}`),
  message_sent: mark("✓", "sent"),
  delivery_confirmed: mark("✓✓", "delivered"),
  read_confirmed: mark("✓✓ read", "read"),
  message_failed: mark("✗ not sent", "not sent"),
  message_unconfirmed: mark("? unconfirmed", "unconfirmed"),
  form_opened: openForm,
  form_closed: closeForm,
  warning_raised: (record) => warn("inactivity", record.text || "Are you still there?"),
  warning_cleared: () => unwarn("inactivity"),
  call_changed: showCall,
  case_changed: (record) => note(record.case_id ? `Case ${record.case_id}` : "No case any more"),
  service_named: (record) => note(`Service: ${record.name}`),
  cobrowsing_changed: (record) => note(`Co-browsing: ${record.state}`),
  unknown_received: (record) => note(`Unknown event: ${record.name}`),
  anomaly: (record) => note(`Anomaly: ${record.text}`),
  terminated: (record) => {
    note(record.text || `The session is over: ${record.outcome.replace("_", " ")}`);
    warn("", "");
    allow(false);
    chat.close();
  },
};

const COMMANDS = {
  send_text: (record) => bubble(record.text, { isOwn: true, msgId: record.msg_id }),
  send_file: (record) =>
    bubble(fileLink(record.file_id, record.text), { isOwn: true, msgId: record.msg_id }),
};

const log = ({ at: _at, ...record }) => {
  const item = make("li", { className: record.command ? "out" : "in" });
  item.append(make("b", { textContent: record.command ? "→ " : "← " }), JSON.stringify(record));
  at("effects").append(item);
  while (at("effects").childElementCount > MAX_LINES) at("effects").firstElementChild.remove();
  at("effects").scrollTop = at("effects").scrollHeight;
};

// Shows a record of the stream: an effect of the client, or a command of the page. A stream that does
// not begin with the first record belongs to a chat that is longer than the server keeps.
export const show = (record, number) => {
  if (isEmpty && number > 0) {
    note("The beginning of this chat is not kept any more");
    allow(true);
  }
  isEmpty = false;
  log(record);
  (record.command ? COMMANDS[record.command] : EFFECTS[record.effect])?.(record);
};

export const allow = (isOpen) => {
  for (const id of ["text", "send", "file", "disconnect", "end"]) at(id).disabled = !isOpen;
  at("open").textContent = isOpen ? "Start anew" : "Start a chat";
  if (isOpen) at("text").focus();
};

// Shows a chat in which nothing has happened yet.
export const begin = (itsChat, itsAct) => {
  [chat, act, state, wait, isEmpty] = [itsChat, itsAct, "establishing", null, true];
  forms.forEach((form) => form.close());
  [parties, typists, forms, prompts, own].forEach((held) => held.clear());
  for (const id of ["people", "effects"]) at(id).replaceChildren();
  rows.clear();
  lifecycle.begin();
  showState();
  showTypists();
  showPrompt();
  warn("", "");
};
