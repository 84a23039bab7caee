// XState's actor over the chats of a file: `node run.mjs CHATS.json [in-place]`.
//
// The context is never changed in place, as XState's documentation asks; with `in-place`, the seen
// ids are, which are the only part of it that grows with the chat.
//
// First the kinds of effects of each chat are written. Then, for each line on standard input, all
// chats are fed once to new actors, and the nanoseconds are written. Reading the file is not
// measured.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { assign, createActor, setup } from "xstate";

const TYPING_TIMEOUT = 30;
const MAX_IDS = 4096;
const inPlace = process.argv[3] === "in-place";
const chats = JSON.parse(readFileSync(process.argv[2], "utf8"));
const live = ["establishing", "ivr", "queued", "connecting", "connected", "completed"];

const withEffect = (context, effect, more = {}) => ({ ...more, effects: [...context.effects, effect] });
const textOf = (event) => `${event.msg}\0${event.msg_text}`;
const fileOf = (event) => `${event.file_id}\0${event.file_type}\0${event.file_name}`;
const formOf = (event) => `${event.form_name}\0${event.form_timeout}\0${event.timestamp}`;
const key = (kind, event, id) => `${kind}\0${event.party_id}\0${id}`;

// The seen ids are an object that is copied, or one Map.
const contentOf = (seenIds, name) => (inPlace ? seenIds.get(name) : seenIds[name]);

function remembered({ seenIds, ids }, name, content) {
  if (inPlace) {
    if (seenIds.size >= MAX_IDS) seenIds.delete(seenIds.keys().next().value);
    return { seenIds: seenIds.set(name, content) };
  }
  if (ids < MAX_IDS) return { seenIds: { ...seenIds, [name]: content }, ids: ids + 1 };
  const { [Object.keys(seenIds)[0]]: _, ...rest } = seenIds;
  return { seenIds: { ...rest, [name]: content } };
}

// The changes of a new event; none if it is a duplicate.
function unlessDuplicate(context, name, content, conclude) {
  if (contentOf(context.seenIds, name) === content) return {};
  return { ...conclude(), ...remembered(context, name, content) };
}

function stopTyping(context, effects, partyId) {
  if (!(partyId in context.typing)) return context.typing;
  const { [partyId]: _, ...typing } = context.typing;
  effects.push({ kind: "TypingStopped", partyId });
  return typing;
}

function lapsed(context, now) {
  const due = [];
  for (const [id, at] of Object.entries(context.typing)) {
    if (now >= at) due.push({ at, kind: "TypingStopped", id });
  }
  for (const form of Object.values(context.forms)) {
    if (form.deadline !== null && now >= form.deadline) {
      due.push({ at: form.deadline, kind: "FormClosed", id: form.id, reason: "expired" });
    }
  }
  if (due.length === 0) return { effects: due };
  due.sort((one, other) => one.at - other.at);
  const typing = { ...context.typing };
  const forms = { ...context.forms };
  for (const one of due) delete (one.kind === "FormClosed" ? forms : typing)[one.id];
  return { typing, forms, effects: due };
}

// One assign an event: what is due first, then what the event brings.
const step = (conclude) =>
  assign(({ context, event }) => {
    const due = lapsed(context, event.now);
    return { ...due, ...conclude({ context: { ...context, ...due }, event }) };
  });

const actions = {
  waits: step(({ context, event }) => {
    if (event.ewt === null || event.ewt === context.ewt) return {};
    return withEffect(context, { kind: "WaitEstimated", seconds: event.ewt }, { ewt: event.ewt });
  }),
  moves: step(({ context, event }) => {
    const effects = [{ kind: "StateChanged", previous: context.state, state: event.state }];
    if (event.ewt !== null) effects.push({ kind: "WaitEstimated", seconds: event.ewt });
    let typing = context.typing;
    if (event.state === "completed") {
      for (const partyId of Object.keys(typing)) typing = stopTyping({ typing }, effects, partyId);
    }
    return {
      state: event.state,
      ewt: event.ewt,
      typing,
      effects: [...context.effects, ...effects],
    };
  }),
  ends: step(({ context, event }) => {
    const effects = [{ kind: "StateChanged", previous: context.state, state: event.type }];
    let typing = context.typing;
    for (const partyId of Object.keys(typing)) typing = stopTyping({ typing }, effects, partyId);
    for (const form of Object.values(context.forms)) {
      effects.push({ kind: "FormClosed", id: form.id, reason: "terminated" });
    }
    effects.push({ kind: "Terminated", outcome: event.type, text: event.msg ?? "" });
    return { state: event.type, typing, forms: {}, effects: [...context.effects, ...effects] };
  }),
  joins: step(({ context, event }) => {
    const { party_id: id, timestamp: at } = event;
    const before = context.parties[id];
    const last = before === undefined ? context.left[id] : before.at;
    if (before?.name === event.display_name || (last !== undefined && at < last)) return {};
    const party = { id, type: event.party_type, name: event.display_name, at };
    const kind = before === undefined ? "PartyAdded" : "PartyChanged";
    return withEffect(context, { kind, party }, { parties: { ...context.parties, [id]: party } });
  }),
  leaves: step(({ context, event }) => {
    const { [event.party_id]: party, ...parties } = context.parties;
    if (party === undefined || event.timestamp < party.at) return {};
    const effects = [];
    const typing = stopTyping(context, effects, event.party_id);
    effects.push({ kind: "PartyRemoved", party });
    const left = { ...context.left, [event.party_id]: event.timestamp };
    return { parties, typing, left, effects: [...context.effects, ...effects] };
  }),
  speaks: step(({ context, event }) =>
    unlessDuplicate(context, key("message", event, event.msg_id), textOf(event), () => {
      const own = event.party_id?.toLowerCase() === context.chatId;
      const effects = [];
      const typing = stopTyping(context, effects, event.party_id);
      if (own && context.warning !== null) effects.push({ kind: "WarningCleared" });
      const sender = context.parties[event.party_id] ?? null;
      effects.push({ kind: "MessageReceived", event, sender, own });
      const warning = own ? null : context.warning;
      return { typing, warning, effects: [...context.effects, ...effects] };
    }),
  ),
  shares: step(({ context, event }) =>
    unlessDuplicate(context, key("file", event, event.msg_id), fileOf(event), () => {
      const sender = context.parties[event.party_id] ?? null;
      return withEffect(context, { kind: "FileReceived", event, sender });
    }),
  ),
  isDelivered: step(({ context, event }) =>
    unlessDuplicate(context, key("delivered", event, event.ref_msg_id), "", () =>
      withEffect(context, { kind: "DeliveryConfirmed", id: event.ref_msg_id }),
    ),
  ),
  isRead: step(({ context, event }) =>
    unlessDuplicate(context, key("read", event, event.ref_msg_id), "", () =>
      withEffect(context, { kind: "ReadConfirmed", id: event.ref_msg_id }),
    ),
  ),
  types: step(({ context, event }) => {
    const typing = { ...context.typing, [event.party_id]: event.now + TYPING_TIMEOUT };
    if (event.party_id in context.typing) return { typing };
    return withEffect(context, { kind: "TypingStarted", partyId: event.party_id }, { typing });
  }),
  stops: step(({ context, event }) => {
    const effects = [];
    const typing = stopTyping(context, effects, event.party_id);
    return { typing, effects: [...context.effects, ...effects] };
  }),
  shows: step(({ context, event }) =>
    unlessDuplicate(context, `form\0${event.form_request_id}`, formOf(event), () => {
      const deadline = event.form_timeout ? event.now + event.form_timeout : null;
      const form = { id: event.form_request_id, name: event.form_name, deadline };
      const forms = { ...context.forms, [form.id]: form };
      return withEffect(context, { kind: "FormOpened", form }, { forms });
    }),
  ),
  answers: step(({ context, event }) => {
    const { [event.form_request_id]: form, ...forms } = context.forms;
    const effects = [];
    if (form !== undefined) effects.push({ kind: "FormClosed", id: form.id, reason: "submitted" });
    if (context.warning !== null) effects.push({ kind: "WarningCleared" });
    return { forms, warning: null, effects: [...context.effects, ...effects] };
  }),
  warns: step(({ context, event }) =>
    withEffect(context, { kind: "WarningRaised", text: event.msg }, { warning: event.msg }),
  ),
};

const actionOf = {
  party_joined: "joins",
  party_left: "leaves",
  message: "speaks",
  file: "shares",
  message_delivered: "isDelivered",
  message_read: "isRead",
  typing: "types",
  not_typing: "stops",
  form_show: "shows",
  form_data: "answers",
  timeout_warning: "warns",
};
const stays = Object.entries(actionOf).map(([type, action]) => [type, { actions: action }]);
const ends = ["ended", "timed_out"].map((type) => [
  type,
  { target: type, actions: "ends" },
]);

function row(source) {
  const moves = live.map((state) => [
    `status_${state}`,
    state === source
      ? { actions: "waits" }
      : { target: state, actions: "moves" },
  ]);
  return { on: Object.fromEntries([...moves, ...ends, ...stays]) };
}

const machine = setup({ actions }).createMachine({
  id: "chat",
  initial: "establishing",
  context: ({ input }) => ({
    chatId: input.chatId,
    state: "establishing",
    ewt: null,
    warning: null,
    parties: {},
    left: {},
    typing: {},
    forms: {},
    seenIds: inPlace ? new Map() : {},
    ids: 0,
    effects: [],
  }),
  states: {
    ...Object.fromEntries(live.map((state) => [state, row(state)])),
    ended: { type: "final" },
    timed_out: { type: "final" },
  },
});

function feedAll(report) {
  for (const { chatId, events } of chats) {
    const actor = createActor(machine, { input: { chatId } });
    actor.start();
    for (const event of events) {
      actor.send(event);
      const { effects } = actor.getSnapshot().context;
      if (report) report(chatId, effects);
    }
  }
}

const kinds = {};
feedAll((chatId, effects) => {
  (kinds[chatId] ??= []).push(...effects.map((effect) => effect.kind));
});
console.log(JSON.stringify(kinds));

for await (const _ of createInterface({ input: process.stdin })) {
  const start = process.hrtime.bigint();
  feedAll(null);
  console.log(String(process.hrtime.bigint() - start));
}
