// The viewer of one chat: findings, timeline, steps, the lifecycle with the path taken.

const MOST_FINDINGS = 500;

class Viewer {
  constructor(facts, moveTo) {
    this.facts = facts;
    this.moveTo = moveTo;
    this.lanes = new LaneView($("lanes"), (index) => this.select(index));
    this.steps = new StepList((index) => this.select(index, "list"));
    $("zoom-in").addEventListener("click", () => this.lanes.zoom(0.6));
    $("zoom-out").addEventListener("click", () => this.lanes.zoom(1 / 0.6));
    $("zoom-fit").addEventListener("click", () => this.lanes.fit());
    $("axis").addEventListener("input", () => {
      this.lanes.axis = $("axis").value;
      this.lanes.fit();
    });
    drawLegend();
  }

  async show(index, step) {
    const chat = this.facts.chats[index];
    const outcome = outcomeOf(chat);
    put($("chat-heading"), "Chat ", el("bdi", { class: "id", text: oneLine(chat.chat_id, 80) }));
    const facts = [
      [`${outcome.sign} ${outcome.word}${chat.text ? `: ${oneLine(chat.text, 200)}` : ""}`],
      [`${seconds(chat.duration_seconds)}, from ${wallTime(chat.started_at)}${chat.started_at ? ` ${zone()}` : ""}`],
      [chat.parties.length ? `with ${oneLine(chat.parties.join(", "), 200)}` : "without parties"],
      [`waited ${seconds(chat.queue_seconds)}, first reply ${seconds(chat.first_response_seconds)}, handled ${seconds(chat.handle_seconds)}`],
      [`${count(messageCount(chat), "message")}, ${count(chat.duplicates, "duplicate")}`],
      [`${oneLine(this.facts.inputs[chat.input]?.name ?? "", 120)}`],
    ];
    put($("chat-facts"), facts.map(([text], number) => [number ? el("span", { class: "dot-between", text: " · " }) : "", el("bdi", { text })]));
    if (this.chat === chat && this.trace) return this.select(step ?? this.selected);
    this.chat = chat;
    this.trace = null;
    $("trace").hidden = true;
    $("problem").hidden = false;
    if (chat.trace === undefined) {
      $("problem").textContent = "This page has no trace of this chat: it was made with fewer (--max-chats).";
      return undefined;
    }
    $("problem").textContent = "Unpacking the trace …";
    try {
      const trace = new Trace(await unpack(chat.trace), this.facts, chat);
      if (this.chat !== chat) return undefined; // another one was opened meanwhile
      this.trace = trace;
      clock.hasTenths = trace.steps.some((step) => Math.abs(step.after - Math.round(step.after)) > 0.05);
    } catch (error) {
      $("problem").textContent = `This trace cannot be shown. ${error.message}`;
      return undefined;
    }
    $("problem").hidden = true;
    $("trace").hidden = !this.trace.steps.length;
    if (!this.trace.steps.length) {
      $("problem").hidden = false;
      $("problem").textContent = "This chat has no steps.";
      return undefined;
    }
    this.selected = 0;
    this.drawFindings();
    this.drawPath();
    this.lanes.show(this.trace);
    this.steps.show(this.trace);
    return this.select(Math.min(step ?? this.trace.found[0]?.index ?? 0, this.trace.steps.length - 1));
  }

  redraw() {
    if (!this.trace) return;
    this.lanes.later();
    this.steps.filter();
    this.drawFindings();
    this.drawPath();
    this.select(this.selected);
  }

  select(index, from = "") {
    if (!this.trace) return;
    this.selected = index;
    this.lanes.select(index);
    if (from === "list") this.steps.selected = index;
    this.steps.select(index);
    drawMoment(this.trace, index);
    this.drawLifecycle(index);
    this.moveTo(index);
  }

  drawFindings() {
    const { found } = this.trace;
    $("finding-heading").textContent = found.length ? `${FINDING} Findings in ${count(found.length, "step")}` : "No findings";
    put($("finding-list"), found.slice(0, MOST_FINDINGS).map((step) => el("li", {}, el("button", { type: "button", on: { click: () => this.select(step.index) } },
      el("span", { class: "at", text: `${timeOf(step.after, this.trace.start)} ` }), el("b", { text: `${step.findings.map(([kind]) => kind).join(", ")} ` }), el("bdi", { text: oneLine(step.findings[0][1], 160) })))),
      found.length > MOST_FINDINGS ? el("li", { text: `and ${found.length - MOST_FINDINGS} more: see findings only, below` }) : null);
  }

  drawPath() {
    this.pathButtons = this.trace.lanes.path.slice(0, MOST_FINDINGS).map((one, number) => ({
      one,
      button: el("button", { type: "button", on: { click: () => this.select(one.step) } },
        words(one.state), el("span", { class: "quiet", text: ` ${number ? timeOf(one.at, this.trace.start) : "at first"}` }), one.isOdd ? el("span", { class: "bad", text: ` ${FINDING} unexpected` }) : null),
    }));
    put($("path"), this.pathButtons.map(({ button }) => el("li", {}, button)));
  }

  // The table has no arrows for what no server is known to need: they are drawn when they happen.
  drawOdd(shape, begun) {
    for (const one of shape.querySelectorAll(".odd")) one.remove();
    const middle = (name) => shape.querySelector(`[data-state="${CSS.escape(name)}"]`)?.transform.baseVal[0]?.matrix;
    for (const one of begun.filter((step) => step.isOdd).slice(0, 20)) {
      const [from, to] = [middle(one.previous), middle(one.state)];
      if (from && to) shape.append(svg("path", { class: "odd", d: `M${from.e + 34} ${from.f} L${to.e + 66} ${to.f + 31}` }));
    }
  }

  // The states and the transitions up to a step; those after it are paler.
  drawLifecycle(index) {
    const { path } = this.trace.lanes;
    const shape = $("lifecycle");
    for (const one of shape.querySelectorAll("[data-state], [data-move]")) one.classList.remove("now", "been", "taken", "last", "later");
    const state = (name) => shape.querySelector(`[data-state="${CSS.escape(name)}"]`);
    const begun = path.filter((one) => one.step <= index);
    for (const one of path) {
      const isBegun = one.step <= index;
      const arrow = one.previous && shape.querySelector(`[data-move="${CSS.escape(`${one.previous} ${one.state}`)}"]`);
      for (const [part, name] of [[state(one.state), "been"], [arrow, "taken"]]) {
        if (isBegun) part?.classList.add(name);
        else if (part && !part.classList.contains(name)) part.classList.add("later");
      }
    }
    this.drawOdd(shape, begun);
    state((begun.at(-1) ?? { state: this.chat.state }).state)?.classList.add("now");
    const last = begun.at(-1);
    if (last?.previous) shape.querySelector(`[data-move="${CSS.escape(`${last.previous} ${last.state}`)}"]`)?.classList.add("last");
    for (const { one, button } of this.pathButtons) {
      button.classList.toggle("ahead", one.step > index);
      button.classList.toggle("here", one === last);
      if (one === last) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
    }
    const here = $("path").querySelector(".here");
    if (here) $("path").scrollTop = here.offsetTop - $("path").offsetTop - 40;
  }
}
