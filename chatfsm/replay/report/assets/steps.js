// The steps of a chat: as a list, or as a sequence diagram; and one of them in full.

class StepList {
  constructor(choose) {
    this.mode = "list";
    this.list = new RowList($("steps"), {
      height: () => (this.mode === "list" ? 30 : 40),
      draw: (index) => this.row(this.shown[index]),
      moved: (index) => choose(this.shown[index]),
    });
    for (const id of ["step-search", "only-findings"]) $(id).addEventListener("input", () => this.filter());
    for (const id of ["tab-list", "tab-sequence"]) {
      $(id).addEventListener("click", () => this.setMode(id.slice(4)));
      $(id).addEventListener("keydown", (event) => {
        if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
        const other = id === "tab-list" ? "tab-sequence" : "tab-list";
        this.setMode(other.slice(4));
        $(other).focus();
      });
    }
  }

  show(trace) {
    this.trace = trace;
    this.selected = 0;
    $("step-search").value = "";
    $("only-findings").checked = false;
    $("only-findings").disabled = !trace.found.length;
    $("steps").classList.toggle("long-times", clock.hasTenths || trace.length >= 3600);
    this.filter();
  }

  setMode(mode) {
    this.mode = mode;
    for (const one of ["list", "sequence"]) {
      $(`tab-${one}`).setAttribute("aria-selected", one === mode);
      $(`tab-${one}`).tabIndex = one === mode ? 0 : -1;
    }
    $("lifelines").hidden = mode !== "sequence";
    $("steps").classList.toggle("sequence", mode === "sequence");
    this.filter();
  }

  filter() {
    const wanted = $("step-search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const onlyFound = $("only-findings").checked;
    const { steps } = this.trace;
    this.shown = [];
    for (const step of steps) {
      if (onlyFound && !step.findings.length) continue;
      if (wanted.length) {
        step.text ??= [...step.texts.map((text) => text.join(" ")), ...step.main, step.place].join(" ").toLowerCase();
        if (!wanted.every((word) => step.text.includes(word))) continue;
      }
      this.shown.push(step.index);
    }
    const all = count(steps.length, "step");
    const omitted = this.trace.omitted ? `; ${count(this.trace.omitted, "step")} after the first ${this.trace.omittedAt.toLocaleString("en")} were left out of this page (--max-steps)` : "";
    $("step-count").textContent = (this.shown.length === steps.length ? all : `${this.shown.length} of ${all}`) + omitted;
    this.list.show(this.shown.length);
    this.select(this.selected);
  }

  select(index) {
    this.selected = index;
    const at = lowerBound(this.shown, (one) => one >= index);
    if (this.shown[at] === index) this.list.move(at, false);
    else {
      this.list.active = -1;
      this.list.draw();
    }
  }

  row(index) {
    const step = this.trace.steps[index];
    const [what, who, text, tone] = step.main;
    const isActive = index === this.selected;
    const more = step.texts.length > 1 ? ` (+${step.texts.length - 1})` : "";
    const sign = step.findings.length ? el("span", { class: "bad", text: `${FINDING} `, title: step.findings.map(([kind]) => kind).join(", ") }) : null;
    const row = el("div", { role: "option", "aria-selected": String(isActive), class: `${tone}${step.findings.length ? " found" : ""}` });
    const time = el("span", { class: "at", text: timeOf(step.after, this.trace.start) });
    if (this.mode === "list") {
      row.append(time, el("span", { class: "what", text: what }), el("span", { class: "text" }, sign, who ? el("bdi", { class: "who", text: `${oneLine(who, 40)} ` }) : null, el("bdi", { text: oneLine(text, 240) }), el("span", { class: "quiet", text: more })));
      return row;
    }
    const between = tone === "state" ? ", " : ": ";
    const says = `${who ? `${oneLine(who, 24)}${text ? between : ""}` : ""}${oneLine(text, 160)}`;
    const isNote = step.from === step.to;
    const arrow = el("span", { class: `arrow from-${step.from} to-${step.to}${isNote ? " event-note" : ""} ${tone}` }, el("span", { class: "label" }, sign, el("b", { text: `${what} ` }), el("bdi", { text: says })));
    row.append(time, el("span", { class: "stage" }, arrow));
    row.setAttribute("aria-label", `${time.textContent}, ${["client", "server", "agent"][step.from]}${isNote ? "" : ` to ${["client", "server", "agent"][step.to]}`}: ${what} ${says}`);
    return row;
  }
}

// One step in full: its place, its input, its effects, and what held just after it.
const drawMoment = (trace, index) => {
  const step = trace.steps[index];
  const file = trace.inputs[step.input]?.name ?? "";
  const wall = isWall(trace.start + step.after) ? `, ${dateOf(trace.start + step.after, clock.mode === "local")} ${zone()}` : "";
  put($("moment-heading"), `Step ${(index + 1).toLocaleString("en")} of ${trace.steps.length.toLocaleString("en")}`, el("span", { class: "quiet", text: ` ${relative(step.after)}${wall}` }));
  put($("moment"),
    el("p", { class: "place" }, el("bdi", { text: `${oneLine(file, 200)}: ${step.place}` })),
    step.findings.length ? el("ul", { class: "finding-box" }, step.findings.map(([kind, text]) => el("li", {}, el("b", { text: `${FINDING} ${kind} ` }), el("bdi", { text: oneLine(text, 600) })))) : null,
    el("h4", { text: step.effects.length === 1 ? "1 effect" : `${step.effects.length} effects` }),
    el("ol", { class: "effects" }, step.effects.map((effect, number) => {
      const [what, who, text, tone] = step.texts[number];
      return el("li", {}, el("details", {},
        el("summary", { class: tone }, el("b", { text: `${what} ` }), who ? el("bdi", { class: "who", text: `${oneLine(who, 60)} ` }) : null, el("bdi", { text: oneLine(text, 1_000) })),
        json(effect)));
    })),
    el("h4", { text: step.item?.input === "tick" ? "A deadline" : `Input: ${words(step.item?.input ?? "unknown")}` }),
    step.item && step.item.input !== "tick" ? json(step.item) : el("p", { class: "note", text: step.item ? "The session's own clock, before the next event." : "Not an event of the chat." }),
    el("h4", { text: "After this step" }),
    el("dl", { class: "after" }, stateAfter(trace, index).flatMap(([name, value]) => [el("dt", { text: name }), el("dd", {}, el("bdi", { text: value }))])));
};

const json = (value) => el("pre", { tabIndex: 0, text: plain(JSON.stringify(value, null, 1)) });

const stateAfter = (trace, index) => {
  const { lanes } = trace;
  const now = (spans) => spans.filter((span) => isSpanAt(span, index));
  const names = (spans) => now(spans).map((span) => oneLine(span.name, 40)).join(", ") || "none";
  return [
    ["state", words(now(lanes.lifecycle).at(-1)?.name ?? lanes.lifecycle[0]?.name ?? trace.chat.state)],
    ["parties", [...lanes.parties.values()].filter((party) => now(party.spans).length).map((party) => oneLine(party.name, 40)).join(", ") || "none"],
    ["typing", names([...lanes.typing.values()].flat())],
    ["open forms", names(lanes.forms)],
    ["call", now(lanes.calls).at(-1)?.name ?? "idle"],
    ["warning", now(lanes.warnings).length ? "raised" : "none"],
  ];
};
