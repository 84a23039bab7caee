// What the wire tells becomes something to look at. Text is only ever set as text.

import { card, make } from "./forms.js";
import * as law from "./law.js";

const TYPIST_REST = 30_000; // milliseconds until somebody's typing is taken for forgotten
const LONGEST_WIRE = 200; // lines of the wire that are kept

let chat = null;
let hands = null; // hands.tell(event) and hands.allow(whether) of the page
let prompt = null;
const people = new Map();
const typists = new Map();
const forms = new Map();
const own = new Map();

const at = (id) => document.getElementById(id);

const nameOf = (party) => {
  const known = people.get(party) ?? {};
  const whole = [known.first_name, known.last_name].filter(Boolean).join(" ");
  return String(known.display_name || whole || "The center");
};

const toBottom = () => at("said").lastElementChild?.scrollIntoView({ block: "end" });

const add = (element) => {
  at("said").querySelector(".empty")?.remove();
  at("said").append(element);
  toBottom();
  return element;
};

export const note = (text) => add(make("li", { className: "note", textContent: text }));

const time = (stamp) => {
  const number = Number(stamp);
  if (!number) return "";
  const date = new Date(number < 1e11 ? number * 1000 : number);
  return date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
};

const bubble = (content, { isOwn, party, stamp = "" }) => {
  const foot = make("small", { textContent: isOwn ? "…" : [nameOf(party), time(stamp)].join("  ") });
  const bubbled = make("div", { className: "bubble" }, content);
  return add(make("li", { className: isOwn ? "own" : "theirs" }, bubbled, foot));
};

const textOf = (event) => {
  const text = String(event.msg_text ?? event.msg ?? "");
  return event.msg_text === undefined ? text.replace(/<br\s*\/?>/gi, "\n") : text;
};

const mark = (id, sign, title) => {
  const item = own.get(String(id));
  if (item) Object.assign(item.querySelector("small"), { textContent: sign, title });
};

export const logged = (direction, event) => {
  const isSecret = event.event.includes("secure_form_data");
  const shown = isSecret ? { ...event, data: "(secure)" } : event;
  const item = make("li", { className: direction });
  item.append(make("b", { textContent: direction === "out" ? "→ " : "← " }), JSON.stringify(shown));
  at("wire").append(item);
  while (at("wire").childElementCount > LONGEST_WIRE) at("wire").firstElementChild.remove();
  at("wire").scrollTop = at("wire").scrollHeight;
};

const showTypists = () => {
  at("typing").hidden = typists.size === 0;
  at("typists").textContent = `${[...typists.keys()].map(nameOf).join(", ")} is typing`;
};

const stopTypist = (party) => {
  clearTimeout(typists.get(party));
  typists.delete(party);
  showTypists();
};

const joined = async (event) => {
  people.set(event.party_id, event);
  const name = nameOf(event.party_id);
  const face = make("i", { textContent: name.slice(0, 1).toUpperCase() });
  const item = make("li", { title: String(event.type ?? ""), data: { party: event.party_id } });
  at("people").querySelector(`[data-party="${CSS.escape(event.party_id)}"]`)?.remove();
  item.append(face, make("span", { textContent: name }));
  at("people").append(item);
  note(`${name} has joined`);
  const photo = await chat.download("profilephotos", event.party_id).catch(() => null);
  if (photo) face.replaceWith(make("img", { src: URL.createObjectURL(photo), alt: "" }));
};

const left = (event) => {
  stopTypist(event.party_id);
  at("people").querySelector(`[data-party="${CSS.escape(event.party_id)}"]`)?.remove();
  note(`${nameOf(event.party_id)} has left`);
};

export const warn = (text) => {
  at("warning").textContent = text;
  at("warning").hidden = !text;
};

const closeForm = (event, why) => {
  forms.get(String(event.form_request_id))?.close();
  forms.delete(String(event.form_request_id));
  if (prompt && prompt.form_request_id === event.form_request_id) setPrompt(null);
  if (why) note(why);
};

const setPrompt = (event) => {
  prompt = event;
  at("text").placeholder = event ? "Answer the question above" : "Say something";
  at("text").classList.toggle("asked", Boolean(event));
};

const answer = (shown, event) => {
  const form_request_id = event.form_request_id;
  const about = { form_request_id, form_name: shown.name };
  const secure = shown.isSecure ? "chat_session_secure_form" : null;
  return {
    answered: (data) => {
      forms.delete(String(form_request_id));
      hands.tell({ event: secure ? `${secure}_data` : "chat_session_form_data", ...about, data });
      note(`You answered the form ${shown.name}`);
    },
    cancelled: () => {
      forms.delete(String(form_request_id));
      hands.tell({ event: secure ? `${secure}_cancel` : "chat_form_data_cancel", ...about });
      note(`You cancelled the form ${shown.name}`);
    },
    expired: () => {
      forms.delete(String(form_request_id));
      note(`The form ${shown.name} has expired`);
    },
  };
};

const showForm = (event) => {
  if (event.event === "chat_session_form_show" && !event.form_name) return setPrompt(event);
  const key = String(event.form_request_id);
  forms.get(key)?.close();
  const shown = {};
  const bound = answer(shown, event);
  Object.assign(shown, card(event, bound));
  forms.set(key, shown);
  add(make("li", { className: "asked" }, shown.element));
  shown.element.querySelector("input")?.focus({ preventScroll: true });
};

const showFile = async (event, isOwn) => {
  const name = String(event.file_name || "file");
  const link = make("a", { textContent: name, download: name, href: "#" });
  const item = bubble(link, { isOwn, party: event.party_id, stamp: event.timestamp });
  if (isOwn) own.set(String(event.msg_id), item);
  const content = await chat.download("files", event.file_id).catch(() => null);
  if (!content) return;
  link.href = URL.createObjectURL(content);
  const isImage = /^image\/(png|jpeg|gif|webp)$/.test(content.type);
  if (isImage) link.prepend(make("img", { src: link.href, alt: "", className: "shared" }));
};

const signal = (event, type, more = {}) =>
  hands.tell({
    event: "chat_session_signaling",
    destination_party_id: event.party_id,
    data: { type, ...more },
  });

// A call is shown, answered without sound, and ended; there is nobody to be heard.
const CALLS = {
  OFFER_CALL: ["is calling", ["Answer", "Decline"]],
  ANSWER_CALL: ["has taken the call", ["Hang up"]],
  CALL_REJECTED: ["does not take the call", []],
  END_CALL: ["has ended the call", []],
};
const SAID = {
  Answer: (event) => signal(event, "ANSWER_CALL", { sdp: "v=0\r\ns=-\r\nt=0 0\r\n" }),
  Decline: (event) => {
    signal(event, "CALL_REJECTED", { reason_code: "486", reason: "busy" });
    signal(event, "END_CALL");
  },
  "Hang up": (event) => signal(event, "END_CALL"),
};

const choices = (event, words) =>
  words.map((word) => {
    const button = make("button", { type: "button", textContent: word });
    button.addEventListener("click", () => {
      button.parentElement.querySelectorAll("button").forEach((one) => one.remove());
      SAID[word](event);
      const after = word === "Answer" ? choices(event, ["Hang up"]) : [];
      note(`You: ${word.toLowerCase()} `).append(...after);
    });
    return button;
  });

const signalled = (event) => {
  let data = event.data;
  try {
    data = typeof data === "string" ? JSON.parse(data) : data;
  } catch {
    return; // it stands in the wire as it came
  }
  const [words, buttons] = CALLS[data?.type] ?? [];
  if (words) note(`${nameOf(event.party_id)} ${words} `).append(...choices(event, buttons));
};

const said = (event, isOwn) => {
  if (isOwn && own.has(String(event.msg_id))) return;
  if (event.party_id) stopTypist(event.party_id);
  const item = bubble(textOf(event), { isOwn, party: event.party_id, stamp: event.timestamp });
  if (isOwn) {
    own.set(String(event.msg_id), item);
    mark(event.msg_id, time(event.timestamp), "arrived");
  }
};

export const over = (state) => {
  setState(state);
  [...typists.keys()].forEach(stopTypist);
  forms.forEach((form) => form.close());
  forms.clear();
  setPrompt(null);
  warn("");
  hands.allow(false);
  document.querySelectorAll("#said .note button").forEach((button) => button.remove());
  note(`The session is over: ${state.replace("_", " ")}`);
};

const setState = (state, ewt) => {
  if (!law.move(state)) return;
  const waits = Number(ewt) > 0 && state === "queued" ? `, about ${Number(ewt)} s` : "";
  at("state").textContent = state.replace("_", " ") + waits;
  at("state").dataset.state = state;
};

const status = ({ state, ewt }) => (state === "failed" ? over("failed") : setState(state, ewt));

const typing = ({ party_id: party }) => {
  stopTypist(party);
  typists.set(party, setTimeout(() => stopTypist(party), TYPIST_REST));
  showTypists();
};

// What each event does; the rest is only shown in the wire.
const HEARD = {
  chat_session_status: status,
  chat_session_ended: () => over("ended"),
  chat_session_inactivity_timeout: () => over("timed_out"),
  chat_session_inactvity_timeout: () => over("timed_out"),
  chat_session_party_joined: joined,
  chat_session_party_left: left,
  chat_session_message: said,
  chat_session_typing: typing,
  chat_session_not_typing: (event) => stopTypist(event.party_id),
  chat_session_form_show: showForm,
  chat_session_secure_form_show: showForm,
  chat_session_form_data: (event) => closeForm(event),
  chat_form_data_cancel: (event) => closeForm(event),
  chat_session_secure_form_cancel: (event) => closeForm(event, "The secure form was withdrawn"),
  chat_session_timeout_warning: (event) => warn(textOf(event) || "Are you still there?"),
  chat_session_file: showFile,
  chat_session_location: (event) => note(`A place: ${event.latitude}, ${event.longitude}`),
  chat_session_signaling: signalled,
  chat_session_message_delivered: (event) => mark(event.ref_msg_id, "✓✓", "delivered"),
  chat_session_message_read: (event) => mark(event.ref_msg_id, "✓✓ read", "read"),
  sent: (event) => mark(event.ref_msg_id, "✓", "sent"),
};

export const hear = (event, isOwn) => {
  if (event.event !== "sent") logged("in", event);
  if (!law.isOver()) HEARD[event.event]?.(event, isOwn);
};

// A message of one's own, before it has arrived anywhere.
export const showOwn = (id, text) => own.set(id, bubble(text, { isOwn: true }));

// The text that answers an open text prompt, if there is one: it is no longer open then.
export const takePrompt = () => {
  const taken = prompt;
  setPrompt(null);
  return taken;
};

// Nothing has happened yet in a chat.
export const begin = (itsChat, itsHands) => {
  [chat, hands] = [itsChat, itsHands];
  [...typists.keys()].forEach(stopTypist);
  forms.forEach((form) => form.close());
  [people, forms, own].forEach((held) => held.clear());
  setPrompt(null);
  warn("");
  for (const id of ["said", "people", "wire"]) at(id).replaceChildren();
  law.begin();
};
