// Texts: elements without markup, durations, times, and the words and signs of outcomes.

const $ = (id) => document.getElementById(id);

// An element; a text child is always text, and properties that begin with "aria" or "data" or that
// SVG needs are attributes.
const fill = (node, properties, children) => {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [type, run] of Object.entries(value)) node.addEventListener(type, run);
    else if (name === "text") node.textContent = value;
    else if (name === "class") node.setAttribute("class", value);
    else if (name in node && !name.includes("-") && node.namespaceURI.endsWith("xhtml")) node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
};
const el = (tag, properties, ...children) => fill(document.createElement(tag), properties, children);
const svg = (tag, properties, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
const put = (node, ...children) => node.replaceChildren(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== ""));

// Characters that could turn the direction of a text, or hide in it, are shown by their numbers.
const HIDDEN = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;
const plain = (text) =>
  String(text ?? "").replace(HIDDEN, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
const oneLine = (text, length = 400) => {
  const line = plain(text).replaceAll("\n", " ⏎ ");
  return line.length > length ? `${line.slice(0, length)}…` : line;
};
const short = (text, length = 28) => {
  const line = oneLine(text, 200);
  const half = Math.floor((length - 1) / 2);
  return line.length > length ? `${line.slice(0, half)}…${line.slice(-half)}` : line;
};

const count = (number, noun) =>
  `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : noun.endsWith("y") ? "" : "s"}`;
const seconds = (value) => {
  if (value === null || value === undefined) return "–";
  const rounded = value < 10 ? Math.round(value * 10) / 10 : Math.round(value);
  if (rounded < 60) return `${rounded} s`;
  if (rounded < 3600) return `${Math.floor(rounded / 60)} min ${rounded % 60} s`;
  if (rounded < 86_400) return `${Math.floor(rounded / 3600)} h ${Math.floor((rounded % 3600) / 60)} min`;
  return `${Math.floor(rounded / 86_400)} d ${Math.floor((rounded % 86_400) / 3600)} h`;
};
const share = (value) => (value === null ? "–" : `${(value * 100).toFixed(value > 0 && value < 0.1 ? 1 : 0)} %`);
const bytes = (value) => {
  if (value === null) return "–";
  if (value < 1_000) return `${value} B`;
  return value < 1_000_000 ? `${(value / 1_000).toFixed(1)} kB` : `${(value / 1_000_000).toFixed(1)} MB`;
};

// Clocks. A time before 1973 is one of a clock that does not count from 1970, such as a journal's.
const FIRST_WALL_TIME = 1e8;
const LAST_WALL_TIME = 253_402_300_799;
const isWall = (at) => at >= FIRST_WALL_TIME && at <= LAST_WALL_TIME;
const two = (number) => String(number).padStart(2, "0");
const relative = (after) => {
  const whole = Math.floor(Math.max(0, after) + 1e-6);
  const rest = clock.hasTenths ? `.${Math.max(0, Math.floor((after - whole) * 10 + 1e-6))}` : "";
  const [hours, minutes, left] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  return `+${hours ? `${hours}:${two(minutes)}` : minutes}:${two(left)}${rest}`;
};
const dateOf = (at, isLocal) => {
  const date = new Date((isLocal ? at - new Date(at * 1000).getTimezoneOffset() * 60 : at) * 1000);
  return date.toISOString().slice(0, 19).replace("T", " ");
};
const clock = { mode: "relative", hasTenths: false };
const timeOf = (after, start) => {
  if (clock.mode === "relative" || !isWall(start + after)) return relative(after);
  return dateOf(start + after, clock.mode === "local").slice(11);
};
const wallTime = (iso) =>
  iso === null ? "–" : dateOf(Date.parse(iso) / 1000, clock.mode === "local").slice(0, 16);
const zone = () => (clock.mode === "local" ? "local time" : "UTC");

// Outcomes and findings: each has a word and a sign of its own, beside its colour.
const OUTCOMES = [
  { key: "ended", word: "ended", sign: "✓" },
  { key: "timed_out", word: "timed out", sign: "◷" },
  { key: "failed", word: "failed", sign: "✕" },
  { key: "gone", word: "gone", sign: "?" },
  { key: "open", word: "not over", sign: "…" },
];
const outcomeOf = (chat) => OUTCOMES.find((one) => one.key === (chat.outcome ?? "open"));
const FINDING = "▲";
const words = (name) => name.replaceAll("_", " ");
const findingCount = (chat) => {
  const { malformed, ...counted } = chat.findings; // the anomalies include what is malformed
  return Object.values(counted).reduce((sum, number) => sum + number, 0);
};
