// Traces: unpacked, named, and arranged in lanes.

const unpack = async (number) => {
  if (typeof DecompressionStream === "undefined") throw new Error("This browser is too old to unpack a trace: it lacks DecompressionStream.");
  const packed = Uint8Array.from(atob($(`trace-${number}`).textContent), (one) => one.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
};

const nameOfParty = (party) =>
  party.display_name || `${party.first_name ?? ""} ${party.last_name ?? ""}`.trim() || party.party_id;
const isAgent = (type) => type === "internal" || type === "msteams";

// What an effect says, in words: what, who, text, and a tone.
const senderOf = (trace, shared) => (shared.own ? "customer" : trace.nameOf(shared.party_id));
const formText = (form) =>
  `${form.secure ? "secure form" : form.name === "" ? "text prompt" : "form"} ${form.name ?? ""}`.trim() + `, request ${form.request_id}`;
const EFFECT_TEXTS = {
  state_changed: (_, one) => ["state", "", `${words(one.previous)} → ${words(one.state)}`, "state"],
  wait_estimated: (_, one) => ["wait", "", `about ${seconds(one.seconds)}`, "quiet"],
  party_added: (_, one) => ["joined", nameOfParty(one.party), one.party.type ?? "", "state"],
  party_changed: (_, one) => ["changed", nameOfParty(one.party), one.party.type ?? "", "state"],
  party_removed: (_, one) => ["left", nameOfParty(one.party), one.party.type ?? "", "state"],
  message_received: (trace, { message }) => ["message", senderOf(trace, message), [message.text || "(no text)", ...message.attachments.map((part) => `[attached: ${part?.name ?? part?.id}]`)].join(" "), message.own ? "own" : "plain"],
  message_edited: (trace, one) => ["edited", trace.nameOf(one.party_id), one.text, "plain"],
  message_deleted: (trace, one) => ["deleted", trace.nameOf(one.party_id), `message ${one.msg_id}`, "plain"],
  typing_started: (trace, one) => ["typing", trace.nameOf(one.party_id), "…", "quiet"],
  typing_stopped: (trace, one) => ["typing", trace.nameOf(one.party_id), `stopped: ${one.reason}`, "quiet"],
  form_opened: (_, one) => ["form", "", `shown: ${formText(one.form)}`, "state"],
  form_closed: (_, one) => ["form", "", `${one.reason}: ${formText(one.form)}`, "state"],
  warning_raised: (_, one) => ["warning", "", one.text || "inactive", "warn"],
  warning_cleared: () => ["warning", "", "cleared", "good"],
  signal_received: (trace, one) => ["signal", trace.nameOf(one.party_id), words(one.signal.signal), "quiet"],
  call_changed: (_, one) => ["call", "", `${one.previous} → ${one.state}`, "state"],
  file_received: (trace, { file }) => ["file", senderOf(trace, file), `${file.file_name ?? file.file_id ?? file.url} (${file.file_type ?? "of no type"})`, file.own ? "own" : "plain"],
  location_received: (trace, { location: place }) => ["location", senderOf(trace, place), `${place.latitude ?? "?"}°, ${place.longitude ?? "?"}° ${place.url ?? ""}`.trim(), place.own ? "own" : "plain"],
  send_events: (_, one) => ["send", "customer", one.events.map((event) => (event.msg === undefined ? event.event : `${event.event}: ${event.msg}`)).join(", "), "own"],
  message_sent: (_, one) => ["sent", "customer", `message ${one.msg_id}`, "quiet"],
  message_failed: (_, one) => ["failed", "customer", `message ${one.msg_id}: ${one.why}`, "bad"],
  message_unconfirmed: (_, one) => ["unconfirmed", "customer", `message ${one.msg_id}: ${one.why}`, "bad"],
  delivery_confirmed: (trace, one) => ["delivered", trace.nameOf(one.party_id), `message ${one.msg_id}`, "quiet"],
  read_confirmed: (trace, one) => ["read", trace.nameOf(one.party_id), `message ${one.msg_id}`, "quiet"],
  case_changed: (_, one) => ["case", "", one.case_id ?? "none", "state"],
  service_named: (_, one) => ["service", "", one.name, "state"],
  cobrowsing_changed: (_, one) => ["cobrowsing", "", one.state, "state"],
  unknown_received: (_, one) => ["unknown", "", one.name, "bad"],
  anomaly: (_, one) => ["anomaly", "", `${words(one.kind)}: ${one.text}`, "bad"],
  ignored: (_, one) => ["ignored", "", `${one.reason}: ${words(one.event?.event ?? "")}`, "quiet"],
  terminated: (_, one) => ["over", "", `${words(one.outcome)} ${one.text}`.trim(), one.outcome === "ended" ? "good" : "bad"],
};

const CUSTOMER = 0;
const SERVER = 1;
const AGENT = 2;
const TOLD_BY_CLIENT = new Set(["submit_form", "cancel_form", "form_data", "form_data_cancel", "client_event"]);

class Trace {
  constructor(data, facts, chat) {
    this.chat = chat;
    this.start = data.start ?? 0;
    this.omitted = data.omitted;
    this.omittedAt = data.at;
    this.inputs = facts.inputs;
    this.parties = new Map();
    this.steps = data.steps.map(([seq, after, input, place, item, effects, isLate], index) =>
      ({ index, seq, after, input, place, item, effects, isLate, findings: [] }));
    this.length = this.steps.at(-1)?.after ?? 0;
    this.lanes = new Lanes(this);
    for (const step of this.steps) this.read(step);
    this.lanes.close(this.length);
    this.found = this.steps.filter((step) => step.findings.length);
  }

  nameOf(id) {
    if (id === null || id === undefined) return "";
    if (!this.parties.has(id) && id.toLowerCase() === this.chat.chat_id.toLowerCase()) return "customer";
    return this.parties.get(id)?.name ?? short(id, 16);
  }

  // Names change on the way, so each step is put into words when it is its turn.
  read(step) {
    for (const one of step.effects) {
      if (one.party) this.parties.set(one.party.party_id, { name: nameOfParty(one.party), type: one.party.type });
    }
    step.texts = step.effects.map((one) => EFFECT_TEXTS[one.effect]?.(this, one) ?? [words(one.effect), "", "", "plain"]);
    for (const [number, one] of step.effects.entries()) {
      if (one.effect === "anomaly") step.findings.push([words(one.kind), one.text]);
      if (one.effect === "unknown_received") step.findings.push(["unknown", one.name]);
      this.lanes.add(step, one, step.texts[number]);
    }
    if (step.isLate) step.findings.push(["late", "an event after the end"]);
    if (step.findings.length) this.lanes.findings.push({ at: step.after, step: step.index, kind: "finding" });
    step.main = this.mainText(step);
    [step.from, step.to] = this.direction(step);
  }

  mainText(step) {
    const rank = { bad: 4, own: 3, plain: 3, warn: 2, state: 2, good: 1.5, quiet: 1 };
    let best = null;
    for (const text of step.texts) if (!best || rank[text[3]] > rank[best[3]]) best = text;
    if (best) return best;
    const name = step.item ? words(step.item.input) : "input";
    const who = step.item?.party_id ? this.nameOf(step.item.party_id) : "";
    return [name, who, name === "tick" ? "nothing was due" : step.item?.state ? `${words(step.item.state)}, as before` : "no effect", "quiet"];
  }

  direction({ item, effects }) {
    if (!item || item.input === "tick") return [CUSTOMER, CUSTOMER];
    const shared = effects.map((one) => one.message ?? one.file ?? one.location).find(Boolean);
    const isOwn = shared ? shared.own : item.party_id?.toLowerCase() === this.chat.chat_id.toLowerCase();
    const hasAgent = this.lanes.agentCount > 0;
    if (item.party_id !== undefined || shared) {
      if (item.input === "party_joined" || item.input === "party_left") return isAgent(this.parties.get(item.party_id)?.type) ? [AGENT, AGENT] : [SERVER, CUSTOMER];
      if (isOwn) return [CUSTOMER, hasAgent ? AGENT : SERVER];
      return isAgent(this.parties.get(item.party_id)?.type) ? [AGENT, CUSTOMER] : [SERVER, CUSTOMER];
    }
    if (TOLD_BY_CLIENT.has(item.input) || effects.some((one) => one.effect === "send_events")) return [CUSTOMER, SERVER];
    return [SERVER, CUSTOMER];
  }
}

// Spans and marks by lane. A track is a row of spans that do not overlap.
class Lanes {
  constructor(trace) {
    this.trace = trace;
    this.lifecycle = [];
    this.parties = new Map();
    this.typing = new Map();
    this.forms = [];
    this.openForms = new Map();
    this.messages = [];
    this.calls = [];
    this.warnings = [];
    this.findings = [];
    this.path = [];
    this.agentCount = 0;
  }

  add(step, one, text) {
    const at = step.after;
    const span = (name, more = {}) => ({ from: at, to: null, first: step.index, last: null, name, ...more });
    const end = (open) => open && open.to === null && Object.assign(open, { to: at, last: step.index });
    if (one.effect === "state_changed") {
      if (!this.lifecycle.length) this.lifecycle.push({ ...span(one.previous), from: 0, first: 0 });
      if (!this.path.length) this.path.push({ state: one.previous, at: 0, step: 0 });
      end(this.lifecycle.at(-1));
      this.lifecycle.push(span(one.state));
      const isOdd = step.effects.some((other) => other.kind === "unexpected_transition");
      this.path.push({ state: one.state, previous: one.previous, at, step: step.index, isOdd });
    } else if (one.effect === "party_added" || one.effect === "party_changed") {
      const known = this.parties.get(one.party.party_id) ?? { name: text[1], type: one.party.type, spans: [] };
      Object.assign(known, { name: text[1], type: one.party.type });
      this.parties.set(one.party.party_id, known);
      if (known.spans.at(-1)?.to !== null) known.spans.push(span(text[1]));
    } else if (one.effect === "party_removed") {
      end(this.parties.get(one.party.party_id)?.spans.at(-1));
    } else if (one.effect === "typing_started") {
      if (!this.typing.has(one.party_id)) this.typing.set(one.party_id, []);
      this.typing.get(one.party_id).push(span(text[1]));
    } else if (one.effect === "typing_stopped") {
      const open = this.typing.get(one.party_id)?.at(-1);
      end(open);
      if (open) open.ending = one.reason;
    } else if (one.effect === "form_opened") {
      const form = span(one.form.name || (one.form.secure ? "secure form" : "text prompt"));
      this.openForms.set(one.form.request_id, form);
      this.forms.push(form);
    } else if (one.effect === "form_closed") {
      const open = this.openForms.get(one.form.request_id);
      this.openForms.delete(one.form.request_id);
      end(open);
      if (open) open.ending = one.reason;
    } else if (one.effect === "call_changed") {
      end(this.calls.at(-1));
      this.calls.push(span(one.state));
    } else if (one.effect === "warning_raised") {
      if (this.warnings.at(-1)?.to !== null) this.warnings.push(span("warning"));
    } else if (one.effect === "warning_cleared") {
      end(this.warnings.at(-1));
    } else if (one.message || one.file || one.location) {
      const shared = one.message ?? one.file ?? one.location;
      const kind = shared.own ? "customer" : isAgent(shared.sender?.type) ? "agent" : "scenario";
      this.messages.push({ at, step: step.index, kind });
    } else if (one.effect === "send_events" && one.msg_ids.length) {
      this.messages.push({ at, step: step.index, kind: "customer" });
    }
    if (one.effect.startsWith("party_")) this.agentCount = [...this.parties.values()].filter((party) => isAgent(party.type) && party.spans.at(-1)?.to === null).length;
  }

  close(at) {
    const last = this.trace.steps.length - 1;
    const all = [this.lifecycle, this.forms, this.calls, this.warnings, ...this.typing.values(), ...[...this.parties.values()].map((party) => party.spans)];
    for (const spans of all) for (const span of spans) if (span.to === null) Object.assign(span, { to: at, last, isOpen: true });
  }
}

const isSpanAt = (span, step) => span.first <= step && (step < span.last || span.isOpen || (span.first === span.last && span.first === step));
