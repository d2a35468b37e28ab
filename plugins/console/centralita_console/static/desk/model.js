/* What the desk knows: the agent, the conversations, and what this window has read.

   The server's views are the truth and are kept as they came; what is added here is only this window's
   own: which conversation is in front, what has been read, drafts, messages on their way. */

import { ms, now, setNow } from "../shared/time.js";
import { readable } from "../shared/words.js";

const TYPING_MS = 6000;

export const model = {
  me: null,
  link: { up: false, retryAt: 0, over: false, away: "" },
  agent: null,
  contacts: new Map(),
  queues: [],
  agents: [],
  dispositions: [],
  breakReasons: [],
  channels: {},
  quickTexts: [],
  front: 0,
  awaited: 0,
  read: new Map(),
  drafts: new Map(),
  lines: new Map(),
  outgoing: new Map(),
  typing: new Map(),
  histories: new Map(),
  sideTab: "customer",
  sideOpen: false, // asked for, where there is no room for it beside the conversation
};

let drawing = false;
const readers = new Set();

/** Calls `reader` after every change, at most once a turn of the event loop. */
export function onChange(reader) {
  readers.add(reader);
}

/** Says that something changed. It is drawn before the next key or click: what is to have the focus then gets it by
 *  a microtask after this one. */
export function changed() {
  if (drawing) return;
  drawing = true;
  queueMicrotask(() => {
    drawing = false;
    for (const reader of readers) reader(model);
  });
}

/** This agent's work in a contact, or undefined. */
export const workOf = (contact) => contact.works.find((work) => work.agent === model.agent?.name);

/** What this agent does in a contact; the customer being on hold is the contact's own phase. */
export function stateOf(contact) {
  const { state } = workOf(contact);
  return state === "connected" && contact.phase === "on_hold" ? "held" : state;
}

/** Whether the contact is before this agent as an offer. */
export const isOffer = (contact) => workOf(contact)?.state === "offered";

/** Offers, oldest first. */
export const offers = () =>
  [...model.contacts.values()].filter(isOffer).sort((a, b) => workOf(a).since_ns - workOf(b).since_ns);

/** Conversations in the order in which they came to this agent. */
export const conversations = () =>
  [...model.contacts.values()]
    .filter((contact) => !isOffer(contact))
    .sort((a, b) => order.get(a.id) - order.get(b.id));

const order = new Map();
let arrivals = 0;

/** The conversation in front, or null. */
export function inFront() {
  const contact = model.contacts.get(model.front);
  return contact && !isOffer(contact) ? contact : null;
}

/** What the channel of a contact can do. A consultation is between agents and can do nothing outside. */
export function can(contact, what) {
  if (contact.direction === "consultation") return false;
  return model.channels[contact.channel]?.[what] === true;
}

const PHONE = /^\+?[\d\s().-]{4,}$/;
export const isPhone = (handle) => PHONE.test(handle);

/** Whom to reach in a callback or a contact that we began, where that is a number or an address. */
export function handleToReach(contact) {
  const handle = contact.callback_handle || (contact.direction === "outbound" ? contact.handle : "");
  return isPhone(handle) || handle.includes("@") ? handle : "";
}

const channelToReach = (contact) => model.channels[contact.callback_channel || contact.channel];

/** Whether the agent has to reach them, because the channel can't: a chat begins on its own page and rings
 *  no telephone. Where the page is still open the chat has connected them before anybody dials. */
export const dialsByHand = (contact) => {
  const channel = channelToReach(contact);
  return handleToReach(contact) !== "" && (channel?.dial !== true || channel.medium === "chat");
};

/** Whether written words reach the other side: on a call, dialled by whomever, they would not. */
export function writes(contact) {
  if (contact.direction === "consultation") return true;
  const channel = channelToReach(contact);
  if (["voice", "video"].includes(channel?.medium ?? contact.medium)) return false;
  return channel?.dial === true || handleToReach(contact) === "";
}

/** Whether a colleague asks this agent about a contact: what is written goes to the colleague. */
export const isConsulted = (contact) => contact.direction === "consultation" && !contact.asked;

/** Whether the customer is there now; e-mail and the like are read later. */
export const isLive = (contact) =>
  contact.direction === "consultation" || model.channels[contact.channel]?.live !== false;

/** How to call the other side: the customer's name, else the handle. */
export function nameOf(contact) {
  if (contact.direction === "consultation") {
    const others = contact.works.filter((work) => work.agent !== model.agent?.name);
    if (others.length) return others.map((work) => titleOf(work.agent)).join(", ");
  }
  return (
    contact.customer?.name || contact.customer_name || readable(contact.callback_handle) || readable(contact.handle)
  );
}

/** An agent's title, or the name where there is none. */
export const titleOf = (name) => model.agents.find((agent) => agent.name === name)?.title || name;

/** A queue's title, or its name. */
export const queueTitle = (name) => model.queues.find((queue) => queue.name === name)?.title || name;

/** Messages from others that this window has not shown. */
export function unread(contact) {
  const last = model.read.get(contact.id) ?? 0;
  return contact.messages.filter(
    (message) => message.number > last && message.author !== "system" && !isMine(message),
  ).length;
}

export const isMine = (message) => message.author === "agent" && message.author_id === model.agent?.name;

/** Since when the customer waits for a word, in ns; 0 when it is their turn. */
export function owedSince(contact) {
  let since = 0;
  for (const message of contact.messages) {
    if (message.internal || message.author === "system") continue;
    if (message.author === "customer") since ||= message.at_ns;
    else since = 0;
  }
  return since;
}

/** Puts a conversation in front, at once or when it is one: a command's reply and the news of what it did
 *  overtake each other. Until then, what is in front stays. */
export function bringToFront(id) {
  model.awaited = id;
  settleFront();
  markRead();
  changed();
}

/** What is in front of somebody who looks has been read. */
export function markRead() {
  const contact = inFront();
  if (contact && !document.hidden) model.read.set(contact.id, contact.messages.at(-1)?.number ?? 0);
}

/** Takes a frame of the server in. Gives what deserves a sign: "offer", "message" or "". */
export function take(frame) {
  const sign = {
    hello: takeHello,
    offer: takeOffer,
    withdraw: takeWithdrawal,
    update: takeUpdate,
    agents: takeAgents,
    signal: takeSignal,
  }[frame.type]?.(frame);
  if (sign === undefined) return "";
  markRead();
  changed();
  return sign;
}

function takeHello(frame) {
  setNow(frame.now_ns);
  const offered = new Set(offers().map((contact) => contact.id));
  Object.assign(model, {
    agent: frame.agent,
    queues: frame.queues,
    agents: frame.agents,
    dispositions: frame.dispositions,
    breakReasons: frame.break_reasons,
    channels: frame.channels,
  });
  const before = [...model.contacts.values()];
  model.contacts = new Map();
  model.typing.clear();
  for (const contact of [...frame.contacts].sort((a, b) => a.id - b.id)) keep(contact);
  for (const contact of before.filter(({ id }) => !model.contacts.has(id))) forget(contact);
  settleFront();
  return offers().some((contact) => !offered.has(contact.id)) ? "offer" : "";
}

function takeOffer(frame) {
  const known = model.contacts.has(frame.contact.id);
  const works = frame.contact.works.some((work) => work.agent === model.agent.name)
    ? frame.contact.works
    : [
        ...frame.contact.works,
        {
          agent: model.agent.name,
          state: "offered",
          since_ns: now() * 1e6,
          deadline_ns: frame.expires_ns,
          offer: frame.offer,
        },
      ];
  keep({ ...frame.contact, works });
  return known ? "" : "offer";
}

function takeWithdrawal(frame) {
  const contact = model.contacts.get(frame.contact);
  if (contact && isOffer(contact) && workOf(contact).offer === frame.offer) forget(contact);
  return "";
}

function takeUpdate(frame) {
  model.agent = frame.agent;
  let sign = "";
  // A consultation that became a conference hands what is being written to the contact that it was about.
  for (const contact of [...frame.contacts].sort((a, b) => a.id - b.id)) {
    const known = model.contacts.get(contact.id);
    const before = known?.messages.length ?? 0;
    const wasOffer = known !== undefined && isOffer(known);
    if (!keep(contact)) continue;
    const news = contact.messages.slice(before).some((message) => message.author === "customer");
    if (isOffer(contact) && !known) sign = "offer";
    else if (news && !isOffer(contact) && !wasOffer && (contact.id !== model.front || document.hidden))
      sign ||= "message";
  }
  for (const contact of [...model.contacts.values()]) {
    const mine = contact.asked
      ? model.contacts.get(contact.parent)?.consultation === contact.id
      : contact.id in frame.agent.works;
    if (!mine) forget(contact);
  }
  settleFront();
  return sign;
}

function takeAgents(frame) {
  const agents = new Map(model.agents.map((agent) => [agent.name, agent]));
  for (const agent of frame.agents) agents.set(agent.name, agent);
  for (const name of frame.gone) agents.delete(name);
  model.agents = [...agents.values()];
  const me = frame.agents.find((agent) => agent.name === model.agent.name);
  if (!me || me.state === model.agent.state) return "";
  // Nothing else is heard of an agent who was signed out: such an agent sits at no desk any more.
  if (me.state !== "offline") model.agent = { ...model.agent, state: me.state };
  else signedOut();
  return "";
}

function signedOut() {
  const nothing = { state: "offline", status: "offline", reason: "", leaving: false, units_used: 0, works: {} };
  model.agent = { ...model.agent, ...nothing };
  for (const contact of [...model.contacts.values()]) forget(contact);
}

function takeSignal(frame) {
  if (frame.kind !== "typing") return "";
  if (frame.on) model.typing.set(frame.contact, { by: frame.by, until: Date.now() + TYPING_MS });
  else model.typing.delete(frame.contact);
  return "";
}

/** Typing signs that were never taken back fade by themselves. */
export function fadeTyping() {
  const at = Date.now();
  for (const [id, sign] of model.typing) {
    if (sign.until > at) continue;
    model.typing.delete(id);
    changed();
  }
}

function keep(given) {
  const contact = workOf(given) ? given : asAsker(given);
  if (contact === null) {
    forget(given);
    return false;
  }
  model.contacts.set(contact.id, contact);
  // What came before this agent's own last words has been read, whatever this window has shown.
  if (!model.read.has(contact.id)) model.read.set(contact.id, contact.messages.findLast(isMine)?.number ?? 0);
  if (!order.has(contact.id)) order.set(contact.id, arrivals++);
  const sent = new Set(contact.messages.map((message) => message.message_id).filter(Boolean));
  const left = (model.outgoing.get(contact.id) ?? []).filter((message) => !sent.has(message.message_id));
  if (left.length) model.outgoing.set(contact.id, left);
  else model.outgoing.delete(contact.id);
  return true;
}

/** A consultation that this agent asked for is answered by the colleague alone; here it is shown as the
 *  agent's conversation too. Null where the contact is not that. */
function asAsker(contact) {
  const parent = model.contacts.get(contact.parent);
  if (!parent || !workOf(parent) || parent.consultation !== contact.id || contact.phase === "ended") return null;
  const state = contact.phase === "connected" ? "connected" : "connecting";
  const work = { agent: model.agent.name, state, since_ns: contact.arrived_ns, deadline_ns: 0, offer: 0 };
  return { ...contact, asked: true, works: [...contact.works, work] };
}

/** Lets go of a contact that is no longer this agent's. */
export function letGo(contact) {
  forget(contact);
  settleFront();
  changed();
}

function forget(contact) {
  model.contacts.delete(contact.id);
  const draft = model.drafts.get(contact.id);
  for (const kept of [model.drafts, model.outgoing, model.typing, model.histories, model.read, order])
    kept.delete(contact.id);
  if (model.awaited === contact.id) model.awaited = 0;
  if (draft && !model.drafts.get(contact.parent)?.text) keepDraft(contact, draft);
}

/** Keeps words and files that were not sent, before those that have been written since. Words of a consultation that
 *  is over stay with the contact that it was about, as a note: they were meant for a colleague, and there the
 *  customer reads along. */
export function keepDraft(contact, draft) {
  const here = model.contacts.has(contact.id);
  const id = here ? contact.id : contact.parent;
  const kept = here ? draft : { ...draft, internal: true, files: [] };
  const since = model.drafts.get(id) ?? { text: "", internal: false, files: [] };
  if (!(kept.text || kept.files.length) || !model.contacts.has(id)) return;
  // What either was to be kept from the customer stays so.
  model.drafts.set(id, {
    text: [kept.text, since.text].filter(Boolean).join("\n"),
    internal: kept.internal || since.internal,
    files: [...kept.files, ...since.files],
  });
}

/** Something is in front whenever there is something to be done. */
function settleFront() {
  const awaited = model.contacts.get(model.awaited);
  if (awaited && !isOffer(awaited)) Object.assign(model, { front: model.awaited, awaited: 0 });
  if (inFront()) return;
  const rest = conversations();
  model.front = (rest.find((contact) => workOf(contact).state !== "wrapping") ?? rest[0])?.id ?? 0;
}

/** Shows a message before the server has it. */
export function showOutgoing(id, message) {
  model.outgoing.set(id, [...(model.outgoing.get(id) ?? []), { ...message, at_ms: now() }]);
  changed();
}

/** Takes back a message that was refused. */
export function dropOutgoing(id, messageId) {
  const left = (model.outgoing.get(id) ?? []).filter((message) => message.message_id !== messageId);
  if (left.length) model.outgoing.set(id, left);
  else model.outgoing.delete(id);
  changed();
}

/** The moment a work began, in ms of the engine's clock. */
export const began = (work) => ms(work.since_ns);
