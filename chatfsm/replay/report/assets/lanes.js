// The timeline: lanes drawn as SVG, of what is in the window alone. Spans and marks that would be
// nearer than a few pixels are drawn as one, with their number.

const LANE = { label: 92, row: 22, gap: 6, axis: 24, overview: 34 };
const MOST_TRACKS = 6;
const NEAR_MARKS = 9;

const tracksOf = (spans) => {
  const tracks = [];
  for (const span of spans) {
    const free = tracks.find((track) => track.at(-1).to <= span.from);
    if (free) free.push(span);
    else tracks.push([span]);
  }
  return tracks;
};

class LaneView {
  constructor(box, choose) {
    this.box = box;
    this.choose = choose;
    this.axis = "time";
    new ResizeObserver(() => this.later()).observe(box);
    box.addEventListener("keydown", (event) => this.key(event));
    box.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    box.addEventListener("pointerdown", (event) => this.press(event));
    box.addEventListener("pointermove", (event) => this.drag(event));
    for (const type of ["pointerup", "pointercancel"]) box.addEventListener(type, (event) => this.release(event));
    this.pointers = new Map();
  }

  show(trace) {
    this.trace = trace;
    const { lanes } = trace;
    const parties = [...lanes.parties.values()];
    const kept = parties.length > MOST_TRACKS ? parties.slice(0, MOST_TRACKS - 1) : parties;
    const rest = parties.slice(kept.length);
    const partyTracks = kept.map((party) => ({ name: party.name, spans: party.spans, kind: isAgent(party.type) ? "agent" : party.type === "scenario" ? "scenario" : "customer" }));
    if (rest.length) partyTracks.push({ name: `${rest.length} more`, spans: rest.flatMap((party) => party.spans).sort((a, b) => a.from - b.from), kind: "scenario" });
    const typing = [...lanes.typing.values()].flat().sort((a, b) => a.from - b.from);
    this.rows = [
      { name: "Lifecycle", tracks: [{ spans: lanes.lifecycle, kind: "state" }] },
      { name: "Parties", tracks: partyTracks.map((track) => ({ ...track, isNamed: true })) },
      { name: "Typing", tracks: tracksOf(typing).slice(0, 3).map((spans) => ({ spans, kind: "typing" })) },
      { name: "Forms", tracks: tracksOf(lanes.forms).slice(0, 3).map((spans) => ({ spans, kind: "form" })) },
      { name: "Messages", tracks: ["customer", "agent", "scenario"].map((kind) => ({ marks: lanes.messages.filter((mark) => mark.kind === kind) })).filter((track) => track.marks.length) },
      { name: "Calls", tracks: [{ spans: lanes.calls.filter((span) => span.name !== "idle" && span.name !== "ended" && span.name !== "rejected"), kind: "call", marks: lanes.calls.filter((span) => span.name === "ended" || span.name === "rejected").map((span) => ({ at: span.from, step: span.first, kind: "over" })) }] },
      { name: "Alerts", tracks: [{ spans: lanes.warnings, kind: "warning", marks: lanes.findings }] },
    ];
    for (const row of this.rows) {
      row.isEmpty = row.tracks.every((track) => !(track.spans?.length || track.marks?.length));
      if (!row.tracks.length) row.tracks.push({ spans: [] });
    }
    this.fit();
  }

  get extent() {
    return this.axis === "time" ? Math.max(this.trace.length, 1e-3) : Math.max(this.trace.steps.length - 1, 1);
  }

  fit() {
    const margin = this.extent * 0.01;
    this.window = [-margin, this.extent + margin];
    this.later();
  }

  zoom(factor, at = null) {
    const [from, to] = this.window;
    const selected = this.selected === undefined ? null : this.place(this.trace.steps[this.selected]?.after ?? 0, this.selected);
    const isSeen = selected !== null && selected >= from && selected <= to;
    const middle = at ?? (isSeen ? selected : (from + to) / 2);
    const least = this.axis === "time" ? 0.5 : 4;
    const length = Math.min(this.extent * 1.02, Math.max(least, (to - from) * factor));
    const ratio = (middle - from) / (to - from);
    this.moveTo(middle - length * ratio, length);
  }

  moveTo(from, length = this.window[1] - this.window[0]) {
    const margin = this.extent * 0.01;
    const first = Math.max(-margin, Math.min(from, this.extent + margin - length));
    this.window = [first, first + length];
    this.later();
  }

  select(index) {
    this.selected = index;
    const at = this.place(this.trace.steps[index].after, index);
    const [from, to] = this.window;
    if (at < from || at > to) this.moveTo(at - (to - from) / 2);
    this.later();
  }

  // A time and a step as a number on the axis.
  place(after, step) {
    return this.axis === "time" ? after : step;
  }

  later() {
    if (this.waits || !this.trace) return;
    this.waits = true;
    requestAnimationFrame(() => {
      this.waits = false;
      this.draw();
    });
  }

  draw() {
    const wide = this.box.clientWidth;
    if (!wide || !this.trace) return;
    const label = wide < 560 ? 74 : LANE.label;
    this.left = label;
    this.scale = (wide - label - 8) / (this.window[1] - this.window[0]);
    this.x = (at) => label + (at - this.window[0]) * this.scale;
    const grounds = [];
    const parts = [];
    let y = LANE.axis;
    for (const row of this.rows) {
      const height = row.tracks.length * LANE.row;
      grounds.push(svg("rect", { x: label, y, width: wide - label, height, class: "lane" }));
      parts.push(svg("text", { x: 4, y: y + 15, class: "lane-name", text: row.name }));
      if (row.isEmpty) parts.push(svg("text", { x: label + 8, y: y + 15, class: "none", text: "none" }));
      row.tracks.forEach((track, number) => parts.push(this.track(track, y + number * LANE.row, wide)));
      row.y = y;
      y += height + LANE.gap;
    }
    const bottom = y;
    const axis = this.ticks(wide, bottom);
    const cursor = this.cursor(bottom);
    const overview = this.overview(wide, bottom + 6);
    const height = bottom + 6 + LANE.overview;
    const gutter = svg("rect", { x: 0, y: 0, width: label, height, class: "gutter" });
    const names = parts.filter((part) => part.classList?.contains("lane-name"));
    put(this.box, svg("svg", { width: wide, height, viewBox: `0 0 ${wide} ${height}`, "aria-hidden": "true" },
      grounds, axis, parts.filter((part) => !names.includes(part)), cursor, gutter, names, overview));
    const [from, to] = this.window;
    const seen = this.trace.steps.filter((step) => { const at = this.place(step.after, step.index); return at >= from && at <= to; }).length;
    this.box.setAttribute("aria-label", `Timeline of the chat: ${seen} of ${this.trace.steps.length} steps in the window`);
  }

  track(track, y, wide) {
    const group = svg("g", {});
    if (track.spans) this.spans(group, track, y, wide);
    if (track.marks) this.marks(group, track.marks, y, wide);
    return group;
  }

  spans(group, track, y, wide) {
    const right = wide - 4;
    let run = null;
    const flush = () => {
      if (!run) return;
      const x = Math.max(this.left, run.x);
      const width = Math.max(2, Math.min(right, run.to) - x);
      const { span } = run;
      const name = words(run.count > 1 ? `${run.count} ×` : span.name) + (run.count === 1 && span.ending ? ` (${span.ending})` : "");
      const kind = track.kind === "state" ? `state-${span.name}` : track.kind;
      const rect = svg("rect", { x, y: y + 3, width, height: LANE.row - 6, rx: 3, class: `span ${kind}${span.isOpen ? " open" : ""}` });
      rect.append(svg("title", { text: `${oneLine(name, 120)}: ${relative(span.from)} to ${span.isOpen ? "the end of the log" : relative(span.to)}` }));
      group.append(rect);
      const text = oneLine(name, 60);
      const room = Math.floor((width - 8) / 7.7);
      if (room >= Math.min(text.length, 4)) group.append(svg("text", { x: x + 5, y: y + 15, class: `span-name ${kind}`, text: text.length > room ? `${text.slice(0, Math.max(1, room - 1))}…` : text }));
      run = null;
    };
    for (const span of track.spans) {
      const x = this.x(this.place(span.from, span.first));
      const to = this.x(this.place(span.to, span.last));
      if (to < this.left) continue;
      if (x > right) break;
      const isTiny = to - x < 4;
      if (run?.isTiny && isTiny && x - run.to < 2) {
        run.to = Math.max(run.to, to);
        run.count += 1;
        continue;
      }
      flush();
      run = { x, to, span, isTiny, count: 1 };
    }
    flush();
  }

  marks(group, marks, y, wide) {
    const middle = y + LANE.row / 2;
    let run = [];
    const flush = () => {
      if (!run.length) return;
      const x = run.length > 1 ? run[0].x + 1 : run[0].x;
      const { kind } = run[0].mark;
      const mark = glyph(kind, x, middle);
      mark.append(svg("title", { text: run.length === 1 ? `${kind}, ${relative(run[0].mark.at)}` : `${run.length}, ${relative(run[0].mark.at)} to ${relative(run.at(-1).mark.at)}` }));
      group.append(mark);
      if (run.length > 1) group.append(svg("text", { x: x + 7, y: middle + 4, class: "many", text: run.length > 999 ? "999+" : run.length }));
      run = [];
    };
    const first = lowerBound(marks, (mark) => this.x(this.place(mark.at, mark.step)) >= this.left);
    for (let index = first; index < marks.length; index++) {
      const mark = marks[index];
      const x = this.x(this.place(mark.at, mark.step));
      if (x > wide) break;
      const room = NEAR_MARKS + (run.length > 1 ? 14 + 6 * Math.min(4, String(run.length).length) : 0);
      if (run.length && x - run[0].x > room) flush();
      run.push({ x, mark });
    }
    flush();
  }

  ticks(wide, bottom) {
    const [from, to] = this.window;
    const least = (clock.mode === "relative" || this.axis === "step" ? 70 : 84) / this.scale;
    const steps = this.axis === "time" ? [0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400] : [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];
    const step = steps.find((one) => one >= least) ?? Math.ceil(least / steps.at(-1)) * steps.at(-1);
    const parts = [];
    for (let at = Math.max(0, Math.ceil(from / step)) * step; at <= Math.min(to, this.extent); at += step) {
      const x = this.x(at);
      parts.push(svg("line", { x1: x, x2: x, y1: LANE.axis - 4, y2: bottom, class: "grid" }));
      const text = this.axis === "time" ? timeOf(at, this.trace.start) : `#${Math.round(at) + 1}`;
      parts.push(svg("text", { x, y: LANE.axis - 8, class: x > wide - 50 ? "end" : x < this.left + 20 ? "start" : "middle", text }));
    }
    return parts;
  }

  cursor(bottom) {
    const step = this.trace.steps[this.selected];
    if (!step) return [];
    const x = this.x(this.place(step.after, step.index));
    return [svg("line", { x1: x, x2: x, y1: LANE.axis - 4, y2: bottom, class: "cursor" }), svg("path", { d: `M${x - 5} ${LANE.axis - 6}h10l-5 7z`, class: "cursor-head" })];
  }

  // The whole chat: the density of its steps, and the window.
  overview(wide, y) {
    const inner = wide - this.left - 8;
    const bins = Math.max(10, Math.floor(inner / 4));
    const key = `${this.axis} ${bins} ${this.trace.steps.length}`;
    if (this.density?.key !== key || this.density.trace !== this.trace) {
      const numbers = new Array(bins).fill(0);
      for (const step of this.trace.steps) numbers[Math.min(bins - 1, Math.floor((this.place(step.after, step.index) / this.extent) * bins))] += 1;
      const most = Math.max(...numbers);
      const height = (number) => (number ? 3 + 21 * Math.sqrt(number / most) : 0);
      this.density = { key, trace: this.trace, d: numbers.map((number, bin) => (number ? `M${(bin * inner) / bins} 26v${-height(number)}h3v${height(number)}z` : "")).join("") };
    }
    this.overviewTop = y;
    const x = (at) => this.left + (at / this.extent) * inner;
    const [from, to] = this.window;
    const x1 = Math.max(this.left, x(from));
    return [
      svg("rect", { x: this.left, y, width: inner, height: 26, class: "lane" }),
      svg("path", { d: this.density.d, transform: `translate(${this.left} ${y})`, class: "density" }),
      svg("rect", { x: x1, y, width: Math.max(4, Math.min(this.left + inner, x(to)) - x1), height: 26, class: "window", rx: 3 }),
      svg("text", { x: 4, y: y + 17, class: "lane-name", text: "Whole" }),
    ];
  }

  at(event) {
    const box = this.box.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  valueAt(x) {
    return this.window[0] + (x - this.left) / this.scale;
  }

  press(event) {
    if (event.button) return;
    const { x, y } = this.at(event);
    this.pointers.set(event.pointerId, x);
    this.box.setPointerCapture(event.pointerId);
    this.pressed = { x, y, window: [...this.window], moved: false, isOverview: y >= this.overviewTop };
    this.pinch = this.pointers.size === 2 ? { apart: this.apart(), length: this.window[1] - this.window[0], middle: this.valueAt([...this.pointers.values()].reduce((a, b) => a + b) / 2) } : null;
    if (this.pressed.isOverview) this.centre(x);
  }

  apart() {
    const [one, other] = [...this.pointers.values()];
    return Math.max(10, Math.abs(one - other));
  }

  centre(x) {
    const at = ((x - this.left) / (this.box.clientWidth - this.left - 8)) * this.extent;
    this.moveTo(at - (this.window[1] - this.window[0]) / 2);
  }

  drag(event) {
    if (!this.pressed || !this.pointers.has(event.pointerId)) return;
    const { x } = this.at(event);
    this.pointers.set(event.pointerId, x);
    if (this.pinch) {
      this.pressed.moved = true;
      const length = Math.min(this.extent * 1.02, Math.max(this.axis === "time" ? 0.5 : 4, (this.pinch.length * this.pinch.apart) / this.apart()));
      this.moveTo(this.pinch.middle - length / 2, length);
    } else if (this.pressed.isOverview) this.centre(x);
    else if (this.pressed.moved || Math.abs(x - this.pressed.x) > 4) {
      this.pressed.moved = true;
      this.moveTo(this.pressed.window[0] - (x - this.pressed.x) / this.scale);
    }
  }

  release(event) {
    this.pointers.delete(event.pointerId);
    const { pressed } = this;
    if (this.pointers.size) return;
    this.pressed = this.pinch = null;
    if (!pressed || pressed.moved || pressed.isOverview || event.type === "pointercancel" || pressed.x < this.left) return;
    this.choose(this.nearest(pressed.x, pressed.y));
  }

  // The step nearest to a point: in the lane of marks that the point is in, else of all.
  nearest(x, y) {
    const at = this.valueAt(x);
    const row = this.rows.filter((one) => one.y <= y).at(-1);
    const inRow = row?.tracks[Math.min(row.tracks.length - 1, Math.floor((y - row.y) / LANE.row))]?.marks;
    const marks = inRow?.length ? inRow : this.trace.steps.map((step) => ({ at: step.after, step: step.index }));
    const value = (mark) => this.place(mark.at, mark.step);
    const after = lowerBound(marks, (mark) => value(mark) >= at);
    const pair = [marks[after - 1], marks[after]].filter(Boolean);
    pair.sort((a, b) => Math.abs(value(a) - at) - Math.abs(value(b) - at));
    return pair[0].step;
  }

  wheel(event) {
    if (!event.ctrlKey && !event.metaKey && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return;
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) this.zoom(Math.exp(event.deltaY * 0.004), this.valueAt(this.at(event).x));
    else this.moveTo(this.window[0] + event.deltaX / this.scale);
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const length = this.window[1] - this.window[0];
    const selected = this.selected ?? 0;
    if (event.key === "+" || event.key === "=") this.zoom(0.6);
    else if (event.key === "-") this.zoom(1 / 0.6);
    else if (event.key === "0") this.fit();
    else if (event.key === "ArrowLeft" && event.shiftKey) this.moveTo(this.window[0] - length * 0.25);
    else if (event.key === "ArrowRight" && event.shiftKey) this.moveTo(this.window[0] + length * 0.25);
    else if (event.key === "ArrowLeft") this.choose(Math.max(0, selected - 1));
    else if (event.key === "ArrowRight") this.choose(Math.min(this.trace.steps.length - 1, selected + 1));
    else if (event.key === "Home") this.choose(0);
    else if (event.key === "End") this.choose(this.trace.steps.length - 1);
    else return;
    event.preventDefault();
  }
}

const lowerBound = (items, isReached) => {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isReached(items[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
};

// Marks differ by their form: customer circle, agent square, scenario diamond, finding triangle.
const GLYPHS = {
  customer: (x, y) => `M${x - 5} ${y}a5 5 0 1 0 10 0a5 5 0 1 0 -10 0`,
  agent: (x, y) => `M${x - 4.5} ${y - 4.5}h9v9h-9z`,
  scenario: (x, y) => `M${x} ${y - 6}l6 6l-6 6l-6 -6z`,
  finding: (x, y) => `M${x} ${y - 6}l6.5 11h-13z`,
  over: (x, y) => `M${x - 4} ${y - 5}l8 10M${x + 4} ${y - 5}l-8 10`,
};
const glyph = (kind, x, y) => svg("path", { d: GLYPHS[kind](x, y), class: `mark ${kind}` });
const legendItem = (kind, text) => el("li", {}, svg("svg", { width: 16, height: 16, "aria-hidden": "true" }, glyph(kind, 8, 8)), text);
const drawLegend = () => put($("legend"), legendItem("customer", "customer"), legendItem("agent", "agent"), legendItem("scenario", "scenario"), legendItem("finding", "finding (bars: warnings of inactivity)"), legendItem("over", "call over"), el("li", { text: "a number: so many that are close together" }));
