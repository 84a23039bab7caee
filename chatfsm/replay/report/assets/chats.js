// The table of chats: search, filters, sorting, and keys.

const COLUMNS = [
  { key: "chat_id", head: "Chat", sort: (chat) => chat.chat_id, text: (chat) => short(chat.chat_id, 24), title: (chat) => chat.chat_id },
  { key: "started", head: "Started", sort: (chat) => chat.started_at, text: (chat) => wallTime(chat.started_at) },
  { key: "outcome", head: "Outcome", sort: (chat) => OUTCOMES.indexOf(outcomeOf(chat)), text: (chat) => outcomeOf(chat).word },
  { key: "duration", head: "Duration", number: true, sort: (chat) => chat.duration_seconds, text: (chat) => seconds(chat.duration_seconds) },
  { key: "agents", head: "Agents", sort: (chat) => chat.agents.join(), text: (chat) => oneLine(chat.agents.join(", "), 60) || "–" },
  { key: "waited", head: "Waited", number: true, sort: (chat) => chat.queue_seconds, text: (chat) => seconds(chat.queue_seconds) },
  { key: "response", head: "First reply", number: true, sort: (chat) => chat.first_response_seconds, text: (chat) => seconds(chat.first_response_seconds) },
  { key: "messages", head: "Messages", number: true, sort: (chat) => messageCount(chat), text: (chat) => String(messageCount(chat)) },
  { key: "found", head: "Findings", number: true, sort: (chat) => findingCount(chat), text: (chat) => (findingCount(chat) ? `${FINDING} ${findingCount(chat)}` : "–") },
];
const messageCount = (chat) => Object.values(chat.messages).reduce((sum, number) => sum + number, 0);

class ChatTable {
  constructor(facts, open) {
    this.facts = facts;
    this.order = { column: COLUMNS[1], isDown: false };
    this.texts = facts.chats.map((chat) =>
      [chat.chat_id, ...chat.agents, ...chat.parties, chat.text, outcomeOf(chat).word, facts.inputs[chat.input]?.name, ...Object.keys(chat.anomaly_kinds).map(words)].join("\n").toLowerCase());
    this.list = new RowList($("table"), {
      height: () => (matchMedia("(max-width: 720px)").matches ? 62 : 38),
      draw: (index) => this.row(index),
      open: (index) => open(this.shown[index]),
    });
    this.head = el("div", { class: "head", role: "row", "aria-rowindex": 1 });
    $("table").prepend(this.head);
    this.fillFilters();
    for (const id of ["search", "outcome", "service", "findings"]) $(id).addEventListener("input", () => this.filter());
    $("filters").addEventListener("submit", (event) => event.preventDefault());
    $("filters").addEventListener("reset", () => setTimeout(() => this.filter()));
    $("sort").addEventListener("input", () => this.sortBy(COLUMNS[$("sort").value]));
    this.filter();
  }

  fillFilters() {
    const kinds = new Set(this.facts.chats.flatMap((chat) => [...Object.keys(chat.findings), ...Object.keys(chat.anomaly_kinds)]));
    const option = (value, text) => el("option", { value, text });
    put($("outcome"), option("", "all"), OUTCOMES.map((one) => option(one.key, `${one.sign} ${one.word}`)));
    put($("findings"), option("", "all"), option("any", "with findings"), option("none", "without"), [...kinds].sort().map((kind) => option(`=${kind}`, words(kind))));
    put($("sort"), COLUMNS.map((column, index) => option(index, column.head)));
    $("sort").value = "1";
  }

  choose(outcome) {
    $("outcome").value = outcome;
    this.filter();
    $("chats-heading").scrollIntoView();
    $("table").focus({ preventScroll: true });
  }

  filter() {
    const wanted = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const [outcome, service, findings] = ["outcome", "service", "findings"].map((id) => $(id).value);
    this.shown = [...this.facts.chats.keys()].filter((index) => {
      const chat = this.facts.chats[index];
      if (outcome && outcomeOf(chat).key !== outcome) return false;
      if (service && service !== (chat.answered ? "answered" : chat.abandoned ? "abandoned" : "neither")) return false;
      const number = findingCount(chat);
      if ((findings === "any" && !number) || (findings === "none" && number)) return false;
      const kind = findings.slice(1);
      if (findings.startsWith("=") && !chat.findings[kind] && !chat.anomaly_kinds[kind]) return false;
      return wanted.every((word) => this.texts[index].includes(word));
    });
    this.sort();
  }

  sortBy(column) {
    this.order = { column, isDown: column === this.order.column ? !this.order.isDown : Boolean(column.number) };
    $("sort").value = COLUMNS.indexOf(column);
    this.sort();
  }

  // What is not defined comes last, whichever way the others are sorted.
  sort() {
    const { column, isDown } = this.order;
    const keys = this.facts.chats.map(column.sort);
    const isMissing = (key) => key === null || key === "" || Number.isNaN(key);
    this.shown.sort((a, b) => {
      const [one, other] = [keys[a], keys[b]];
      if (isMissing(one) || isMissing(other)) return isMissing(one) - isMissing(other) || a - b;
      const order = one < other ? -1 : one > other ? 1 : 0;
      return (isDown ? -order : order) || a - b;
    });
    this.draw();
  }

  draw() {
    const { column, isDown } = this.order;
    put(this.head, COLUMNS.map((one) =>
      el("span", { role: "columnheader", class: one.key + (one.number ? " number" : ""), "aria-sort": one === column ? (isDown ? "descending" : "ascending") : "none" },
        el("button", { type: "button", text: one.head + (one === column ? (isDown ? " ↓" : " ↑") : ""), on: { click: () => { this.sortBy(one); [...this.head.querySelectorAll("button")][COLUMNS.indexOf(one)].focus(); } } }))));
    const all = this.facts.chats.length;
    const more = this.facts.more_chats ? `; ${count(this.facts.more_chats, "further chat")} in the totals only` : "";
    $("shown").textContent = `${this.shown.length === all ? count(all, "chat") : `${this.shown.length} of ${count(all, "chat")}`}${more}`;
    $("table").setAttribute("aria-rowcount", this.shown.length + 1);
    $("table").setAttribute("aria-colcount", COLUMNS.length);
    $("table").scrollTop = 0;
    this.list.show(this.shown.length, this.shown.length ? 0 : -1);
  }

  row(index) {
    const chat = this.facts.chats[this.shown[index]];
    const outcome = outcomeOf(chat);
    return el("div", { role: "row", "aria-rowindex": index + 2 }, COLUMNS.map((column) => {
      const cell = el("span", { role: "gridcell", class: column.key + (column.number ? " number" : ""), title: column.title ? plain(column.title(chat)).slice(0, 300) : null, "data-head": column.head });
      if (column.key === "outcome") cell.append(el("span", { class: `sign ${outcome.key}`, text: outcome.sign, "aria-hidden": "true" }));
      cell.append(el("bdi", { text: column.text(chat) }));
      if (column.key === "found" && findingCount(chat)) cell.classList.add("bad");
      return cell;
    }));
  }
}
