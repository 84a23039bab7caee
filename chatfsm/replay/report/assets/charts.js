// Charts: plain SVG. Bars differ by pattern as well as colour, and each chart has its figures as a
// table.

const WIDTH = 420;

// The patterns of outcomes: full, hatched, crossed, dotted, empty.
const patterns = () =>
  svg("svg", { class: "patterns", width: 0, height: 0, "aria-hidden": "true" }, svg("defs", {}, OUTCOMES.map(({ key }, number) =>
    svg("pattern", { id: `fill-${key}`, width: 8, height: 8, patternUnits: "userSpaceOnUse" },
      svg("rect", { width: 8, height: 8, class: `fill ${key}` }),
      number === 1 || number === 2 ? svg("path", { d: "M-2 10 10 -2M-2 2 2 -2M6 10 10 6", class: "stripe" }) : null,
      number === 2 ? svg("path", { d: "M-2 -2 10 10M6 -2 10 2M-2 6 2 10", class: "stripe" }) : null,
      number === 3 ? svg("circle", { cx: 4, cy: 4, r: 1.7, class: "dot" }) : null,
      number === 4 ? svg("rect", { x: 1, y: 1, width: 6, height: 6, class: "hole" }) : null,
    ))));

const figure = (heading, note, drawing, heads, rows) =>
  el("figure", {},
    el("figcaption", {}, el("strong", { text: heading }), el("span", { text: note })),
    drawing,
    el("details", {}, el("summary", { text: "Figures" }), tableOf(heads, rows)));

const tableOf = (heads, rows) =>
  el("table", {},
    el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col", text: head })))),
    el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell, number) =>
      number ? el("td", { text: cell }) : el("th", { scope: "row", text: cell }))))));

const outcomeChart = (chats, choose) => {
  const rows = OUTCOMES.map((one) => ({ ...one, number: chats.filter((chat) => outcomeOf(chat).key === one.key).length }));
  const most = Math.max(1, ...rows.map((row) => row.number));
  const bars = el("div", { class: "bars" }, rows.map((row) => {
    const bar = svg("svg", { class: "bar-line", "aria-hidden": "true", preserveAspectRatio: "none" });
    bar.append(svg("rect", { width: `${(row.number / most) * 100}%`, height: "100%", fill: `url(#fill-${row.key})`, class: "framed" }));
    return el("button", { type: "button", disabled: !row.number, on: { click: () => choose(row.key) }, "aria-label": `${row.word}: ${count(row.number, "chat")}. Show them.` },
      el("span", { class: `sign ${row.key}`, text: row.sign }), el("span", { class: "word", text: row.word }), bar,
      el("span", { class: "number", text: `${row.number.toLocaleString("en")}  ${share(chats.length ? row.number / chats.length : null)}` }));
  }));
  return figure("Outcomes", `how ${count(chats.length, "chat")} ended; a bar shows its chats below`, bars, ["Outcome", "Chats"], rows.map((row) => [row.word, row.number]));
};

// Columns of whole numbers under labels; `marks` are the columns that are hatched.
const columnChart = (labels, numbers, options) => {
  const [left, right, top, bottom, height] = [34, 6, 18, 34, 190];
  const most = Math.max(1, ...numbers);
  const step = (WIDTH - left - right) / labels.length;
  const y = (number) => top + (height - top - bottom) * (1 - number / most);
  const every = Math.ceil(labels.length / (labels[0].length > 4 ? 8 : 12));
  const ticks = [...new Set([0, most <= 2 ? most : Math.round(most / 2), most])];
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, class: "columns-chart", role: "img", "aria-label": `${options.label}: ${labels.map((label, index) => `${label} ${numbers[index]}`).join(", ")}` },
    ticks.map((tick) => [
      svg("line", { x1: left, x2: WIDTH - right, y1: y(tick), y2: y(tick), class: "grid" }),
      svg("text", { x: left - 6, y: y(tick) + 4, class: "end", text: tick.toLocaleString("en") }),
    ]),
    numbers.map((number, index) => {
      const [x, wide] = [left + index * step + step * 0.12, step * 0.76];
      const isMarked = options.marks?.(index);
      return svg("g", {},
        svg("title", { text: `${labels[index]}: ${number}` }),
        number ? svg("rect", { x, y: y(number), width: wide, height: height - bottom - y(number), rx: 2, class: "framed", fill: `url(#fill-${isMarked ? "timed_out" : options.fill ?? "ended"})` }) : null,
        number && step > 26 ? svg("text", { x: x + wide / 2, y: y(number) - 4, class: "middle value", text: number }) : null,
        index % every === 0 ? svg("text", { x: x + wide / 2, y: height - bottom + 14, class: "middle", text: labels[index] }) : null);
    }),
    svg("text", { x: (left + WIDTH - right) / 2, y: height - 4, class: "middle note", text: options.axis }));
};

const EDGES = [5, 10, 20, 30, 60, 120, 300, 600];
const EDGE_NAMES = new Map([[60, "1m"], [120, "2m"], [300, "5m"], [600, "10m"]]);
const edgeName = (edge) => EDGE_NAMES.get(edge) ?? `${Math.round(edge * 10) / 10}`;

const durationChart = (heading, what, values, threshold) => {
  const edges = [...new Set([...EDGES, ...(threshold === undefined ? [] : [threshold])])].sort((a, b) => a - b);
  const numbers = new Array(edges.length + 1).fill(0);
  for (const value of values) {
    const found = edges.findIndex((edge) => value <= edge);
    numbers[found < 0 ? edges.length : found] += 1;
  }
  const labels = [...edges.map((edge) => `≤${edgeName(edge)}`), `>${edgeName(edges.at(-1))}`];
  const sorted = [...values].sort((a, b) => a - b);
  const note = values.length ? `${what}: median ${seconds(percentile(sorted, 50))}, 90 % within ${seconds(percentile(sorted, 90))}` : `${what}: none`;
  const options = { label: heading, axis: threshold === undefined ? "seconds, minutes (m)" : `seconds, minutes (m); hatched: longer than ${seconds(threshold)}` };
  if (threshold !== undefined) options.marks = (index) => index >= edges.length || edges[index] > threshold;
  return figure(heading, note, columnChart(labels, numbers, options), ["Up to", heading], labels.map((label, index) => [label, numbers[index]]));
};

// By linear interpolation between the sorted values, as chatfsm.replay.metrics has it.
const percentile = (sorted, percent) => {
  if (!sorted.length) return null;
  const at = ((sorted.length - 1) * percent) / 100;
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below);
};

const hourChart = (chats) => {
  const numbers = new Array(24).fill(0);
  let known = 0;
  for (const chat of chats) {
    if (chat.started_at === null) continue;
    known += 1;
    numbers[Number(wallTime(chat.started_at).slice(11, 13))] += 1;
  }
  const labels = numbers.map((_, hour) => two(hour));
  const note = known === chats.length ? "when they began" : `when they began; ${count(chats.length - known, "chat")} without a time of day`;
  return figure("Chats by hour", note, columnChart(labels, numbers, { label: "Chats by hour", axis: `hour of the day, ${zone()}` }), ["Hour", "Chats"], labels.map((label, index) => [label, numbers[index]]));
};

const MOST_DAYS = 62;
const dayChart = (chats) => {
  const days = new Map();
  for (const chat of chats) if (chat.started_at !== null) {
    const day = wallTime(chat.started_at).slice(0, 10);
    days.set(day, (days.get(day) ?? 0) + 1);
  }
  if (days.size < 2) return null;
  const all = [...days.keys()].sort();
  const kept = all.slice(-MOST_DAYS);
  const numbers = kept.map((day) => days.get(day));
  const note = `${all[0]} to ${all.at(-1)}${all.length > kept.length ? `: the last ${kept.length} with chats` : ", days with chats"}`;
  return figure("Chats by day", note, columnChart(kept.map((day) => day.slice(5)), numbers, { label: "Chats by day", axis: `month and day, ${zone()}` }), ["Day", "Chats"], kept.map((day, index) => [day, numbers[index]]));
};

const drawCharts = (facts, choose) => {
  const chats = facts.chats;
  const known = (name) => chats.map((chat) => chat[name]).filter((value) => value !== null);
  put($("charts"), patterns(),
    outcomeChart(chats, choose),
    durationChart("Waits", "time in the queue", known("queue_seconds"), facts.threshold),
    durationChart("First responses", "agent's first message after connecting", known("first_response_seconds")),
    durationChart("Response times", "customer's message to the agent's answer", chats.flatMap((chat) => chat.response_seconds)),
    hourChart(chats),
    dayChart(chats));
};
