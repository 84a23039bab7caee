// The agent's seat: a person takes chats over from their scripts, and presses faults.

import { FIELDS, make } from "./forms.js";
import { begin, note, show } from "./agent_view.js";
import { typist } from "./typing.js";

const SEAT = "web/agent";
const KEPT = "agent's chat"; // the name of the chosen chat's id in the storage of this tab
const REFRESH = 1_000; // milliseconds between requests for the list of chats
const MAX_CHATS = 50;
// Numbers count the requests from the setting of the faults.
const ONCE = {
  "Lose a reply to a message": "drop-reply:post@1",
  "Refuse a message (503)": "503:post@1",
  "Break a poll": "reset:poll@1",
  "Repeat an old reply": "duplicate:poll@1",
  "Restart the server": "restart:any@1",
};

let chosen = null; // the id of the chat on show
let stream = null;
let isJoined = false;

const at = (id) => document.getElementById(id);

const ask = async (method, path, value) => {
  const headers = { "Content-Type": "application/json" };
  const body = value === undefined ? undefined : JSON.stringify(value);
  const reply = await fetch(`${SEAT}/${path}`, { method, headers, body });
  const answer = await reply.json();
  if (!reply.ok) throw new Error(answer.error);
  return answer;
};

const warn = (text) => {
  at("warning").textContent = text;
  at("warning").hidden = !text;
};

const path = (chatId) => `chats/${encodeURIComponent(chatId)}`;

const act = async (action, fields = {}) => {
  try {
    showChat(await ask("POST", `${path(chosen)}/agent`, { action, ...fields }));
  } catch (error) {
    note(`Not done: ${error.message}`);
  }
};

const typing = typist(
  () => act("start_typing"),
  () => act("stop_typing"),
);

const nameOf = (chat) => {
  const name = chat.parameters.first_name ?? chat.parameters.name;
  return typeof name === "string" && name ? name : `Chat ${chat.chat_id.slice(0, 8)}`;
};

// Shows what may be done in a chat.
const showChat = (chat) => {
  if (chat.chat_id !== chosen) return;
  const isLive = chat.outcome === null;
  isJoined = isLive && chat.agent !== null;
  at("who").textContent = `${nameOf(chat)} (${chat.app_id})`;
  at("state").textContent = (chat.outcome ?? chat.state).replace("_", " ");
  at("state").dataset.state = chat.state;
  at("join").hidden = isJoined;
  at("join").disabled = !isLive || isJoined;
  for (const id of ["text", "send", "agent", "transfer", "queue"]) at(id).disabled = !isJoined;
  // A survey may follow when the customer has left the conversation, and the agent with it.
  for (const id of ["form", "secure", "ask"]) at(id).disabled = !(isLive && chat.is_seat);
  for (const id of ["how", "end"]) at(id).disabled = !isLive;
  at("text").placeholder = isJoined ? "Write a message" : "Take the chat over to answer";
  const agents = chat.agents.filter((agent) => agent.party_id !== chat.agent);
  const written = JSON.stringify(agents);
  if (at("agent").dataset.agents !== written) {
    at("agent").dataset.agents = written;
    at("agent").replaceChildren(
      ...agents.map((agent) => new Option(agent.display_name || agent.party_id, agent.party_id)),
    );
  }
};

const choose = (chatId) => {
  if (chosen === chatId) return;
  stream?.close();
  chosen = chatId;
  sessionStorage.setItem(KEPT, chatId);
  begin(chatId);
  stream = new EventSource(`${SEAT}/${path(chatId)}/stream`);
  stream.addEventListener("message", (message) => {
    if (chosen === chatId) show(JSON.parse(message.data));
  });
  stream.addEventListener("error", () => {
    if (chosen === chatId && stream.readyState === EventSource.CLOSED) {
      note("The simulator does not have this chat any more");
    }
  });
  refresh();
};

const showChats = (chats) => {
  const focused = document.activeElement?.dataset.chat;
  at("chats").replaceChildren(
    ...chats.map((chat) => {
      const button = make("button", { type: "button", data: { chat: chat.chat_id } });
      button.setAttribute("aria-pressed", String(chat.chat_id === chosen));
      const state = (chat.outcome ?? chat.state).replace("_", " ");
      button.append(
        make("strong", { textContent: nameOf(chat) }),
        make("span", { textContent: `${chat.app_id}, ${state}${chat.is_seat ? ", yours" : ""}` }),
      );
      button.addEventListener("click", () => choose(chat.chat_id));
      return make("li", {}, button);
    }),
  );
  if (focused) at("chats").querySelector(`[data-chat="${CSS.escape(focused)}"]`)?.focus();
};

let listed = "";

const refresh = async () => {
  try {
    const { chats } = await ask("GET", `chats?limit=${MAX_CHATS}`);
    warn("");
    const written = JSON.stringify([chosen, chats]);
    if (chats.length && written !== listed) showChats(chats);
    listed = written;
    const chat = chats.find((one) => one.chat_id === chosen);
    if (chat) showChat(chat);
  } catch (error) {
    warn(`The simulator cannot be reached: ${error.message}`);
  }
};

const repeat = async () => {
  await refresh();
  await showFaults(await ask("GET", "faults").catch(() => null));
  setTimeout(repeat, REFRESH);
};

const showFaults = (found) => {
  if (!found) return;
  at("active").textContent = found.faults ? `Now: ${found.faults}` : "Now: none";
  at("hits").replaceChildren(
    ...Object.entries(found.hits).map(([kind, hits]) =>
      make("li", { textContent: `${kind}: ${hits} ${hits === 1 ? "hit" : "hits"}` }),
    ),
  );
  for (const button of document.querySelectorAll("#presets button, #once button")) {
    const isOn = found.faults === (found.presets[button.dataset.faults] ?? button.dataset.faults);
    button.setAttribute("aria-pressed", String(isOn));
  }
};

const setFaults = async (faults) => {
  try {
    showFaults(await ask("PUT", "faults", { faults }));
  } catch (error) {
    at("active").textContent = error.message;
  }
};

const press = (title, faults) => {
  const button = make("button", { type: "button", textContent: title, title: faults, data: { faults } });
  button.addEventListener("click", () => setFaults(faults));
  return button;
};

const start = async () => {
  at("forms").append(...Object.keys(FIELDS).map((name) => new Option(name)));
  const found = await ask("GET", "faults");
  at("presets").append(...Object.keys(found.presets).map((name) => press(name, name)));
  at("once").append(...Object.entries(ONCE).map(([title, faults]) => press(title, faults)));
  showFaults(found);
  const { chats } = await ask("GET", `chats?limit=${MAX_CHATS}`);
  const kept = sessionStorage.getItem(KEPT);
  if (chats.some((chat) => chat.chat_id === kept)) choose(kept);
  repeat();
};

const on = (id, event, handle) =>
  at(id).addEventListener(event, (happened) => {
    if (event === "submit") happened.preventDefault();
    handle();
  });

on("join", "click", async () => {
  await act("join");
  at("text").focus();
});
on("compose", "submit", () => {
  const text = at("text").value.trim();
  if (!text || !isJoined) return;
  at("text").value = "";
  typing.sent();
  act("say", { text });
});
on("text", "input", typing.press);
on("asking", "submit", () => act("show_form", { name: at("form").value, secure: at("secure").checked }));
on("transferring", "submit", () => act("transfer", { agent: at("agent").value }));
on("queue", "click", () => act("queue"));
on("ending", "submit", () => act("end", { how: at("how").value }));
on("faulting", "submit", () => setFaults(at("faults").value));
start().catch((error) => warn(error.message));
