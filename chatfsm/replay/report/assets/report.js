// The page: what it shows, and where the reader is in it (#chat=3&step=12).

const facts = JSON.parse($("facts").textContent);

const drawTotals = () => {
  const { totals } = facts;
  const found = facts.chats.filter((chat) => findingCount(chat)).length;
  const duplicates = facts.chats.reduce((sum, chat) => sum + chat.duplicates, 0);
  const spread = (name) => `median; 90 % within ${seconds(totals[`${name}_p90`])}`;
  const tiles = [
    ["Chats", totals.chats.toLocaleString("en"), `${count(facts.chats.reduce((sum, chat) => sum + messageCount(chat), 0), "message")}`],
    ["Answered", totals.answered.toLocaleString("en"), "by a human agent"],
    ["Abandoned", totals.abandoned.toLocaleString("en"), `${share(totals.abandonment_rate)} of answered and abandoned`],
    ["Service level", share(totals.service_level), `answered within ${seconds(facts.threshold)}`],
    ["Average speed of answer", seconds(totals.asa_seconds), "mean wait of answered chats"],
    ["Average handle time", seconds(totals.aht_seconds), "mean of answered chats"],
    ["Wait", seconds(totals.queue_seconds_median), spread("queue_seconds")],
    ["First response", seconds(totals.first_response_seconds_median), spread("first_response_seconds")],
    ["Response", seconds(totals.response_seconds_median), spread("response_seconds")],
    ["With findings", found.toLocaleString("en"), `${count(duplicates, "duplicate")} ignored`],
  ];
  put($("totals"), tiles.map(([name, value, note]) => el("div", {}, el("dt", { text: name }), el("dd", {}, el("span", { class: "value", text: value }), el("span", { class: "quiet", text: note })))));
};

const drawAgents = () => {
  $("agents-section").hidden = !facts.agents.length;
  put($("agents"), ...tableOf(["Agent", "Chats", "Messages", "Handled", "First reply, median"], facts.agents.map((agent) => [
    oneLine(agent.display_name || agent.party_id, 60), agent.chats, agent.messages, seconds(agent.handle_seconds), seconds(agent.first_response_seconds_median)])).children);
};

const drawAbout = () => {
  put($("inputs"), ...tableOf(["Input", "Size", "SHA-256", "Notes"], facts.inputs.map((one) => [
    oneLine(one.name, 300), bytes(one.size), one.sha256 ?? "read once, so not known", one.notes.map((note) => oneLine(note, 400)).join("; ") || "–"])).children);
  const made = [
    ["Made by", `chatfsm ${facts.version}`],
    ["Command", facts.command || "–"],
    ["Personal data", facts.scrubbed ? "scrubbed: ids and names are pseudonyms, texts are their lengths; hashes are those of the original files, places those of the scrubbed copy" : "as in the logs: pass on only a page that was made with --scrub"],
    ["Times", "when the log received an event, where it says that, else the time of the event"],
    ["Findings", "unknown events, malformed ones, other anomalies, and events after the end"],
  ];
  put($("made"), made.flatMap(([name, text]) => [el("dt", { text: name }), el("dd", {}, el("bdi", { text: plain(text) }))]));
};

const drawHeading = () => {
  $("title").textContent = plain(facts.title);
  const times = facts.chats.map((chat) => chat.started_at).filter(Boolean).sort();
  const span = times.length ? `, ${wallTime(times[0])} to ${wallTime(times.at(-1))} ${zone()}` : "";
  $("subtitle").textContent = `${count(facts.totals.chats, "chat")} from ${count(facts.inputs.length, "file")}${span}${facts.scrubbed ? ", scrubbed" : ""}`;
};

const place = { chat: null };
const address = (chat, step) => (chat === null ? "#" : `#chat=${chat}${step === undefined ? "" : `&step=${step}`}`);
const open = (chat) => {
  location.hash = address(chat);
};
const table = new ChatTable(facts, open);
// Browsers refuse to note each step of a key that is held down.
let noting = 0;
const viewer = new Viewer(facts, (step) => {
  clearTimeout(noting);
  const { chat } = place;
  noting = setTimeout(() => {
    if (place.chat === chat && chat !== null) history.replaceState(null, "", address(chat, step));
  }, 200);
});

const route = () => {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const number = Number(wanted.get("chat") ?? "x");
  const before = place.chat;
  place.chat = Number.isInteger(number) && facts.chats[number] ? number : null;
  const isChat = place.chat !== null;
  $("viewer").hidden = !isChat;
  $("overview").hidden = isChat;
  $("about").hidden = isChat;
  if (isChat) {
    const at = table.shown.indexOf(place.chat);
    $("previous").disabled = at <= 0;
    $("next").disabled = at < 0 || at === table.shown.length - 1;
    $("position").textContent = at < 0 ? "" : `${at + 1} of ${table.shown.length}`;
    const step = Number(wanted.get("step") ?? "x");
    viewer.show(place.chat, Number.isInteger(step) && step >= 0 ? step : undefined);
    if (before !== place.chat) {
      scrollTo(0, 0);
      $("chat-heading").focus({ preventScroll: true });
    }
  } else if (before !== null) {
    table.list.draw();
    table.list.move(Math.max(0, table.shown.indexOf(before)));
    $("table").scrollIntoView({ block: "center" });
    $("table").focus({ preventScroll: true });
  }
};
const neighbour = (by) => {
  const next = table.shown[table.shown.indexOf(place.chat) + by];
  if (next !== undefined) open(next);
};
$("back").addEventListener("click", () => open(null));
$("previous").addEventListener("click", () => neighbour(-1));
$("next").addEventListener("click", () => neighbour(1));
addEventListener("hashchange", route);
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && place.chat !== null && !event.target.matches("input, select")) open(null);
});

// What the reader chose is kept, where the browser allows it.
const remembered = (name) => {
  try {
    return localStorage.getItem(`chatfsm-report-${name}`);
  } catch {
    return null;
  }
};
const remember = (name, value) => {
  try {
    localStorage.setItem(`chatfsm-report-${name}`, value);
  } catch {
    // a page from a file may have no storage
  }
};
const setTheme = (theme) => {
  document.documentElement.dataset.theme = theme;
  $("theme").value = theme;
};
$("theme").addEventListener("input", () => {
  setTheme($("theme").value);
  remember("theme", $("theme").value);
});
setTheme(["light", "dark"].find((theme) => theme === remembered("theme")) ?? "auto");

const drawAll = () => {
  drawHeading();
  drawCharts(facts, (outcome) => table.choose(outcome));
  table.draw();
  viewer.redraw();
};
$("clock").addEventListener("input", () => {
  clock.mode = $("clock").value;
  drawAll();
  if (place.chat !== null) viewer.show(place.chat);
});
$("print").addEventListener("click", () => print());
drawTotals();
drawAgents();
drawAbout();
drawAll();
route();
document.documentElement.dataset.ready = "yes";
