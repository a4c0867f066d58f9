// @ts-check
/** An alarm of the inbox, with what operators do about it. */

import { fullTime, time } from "../../format.js";
import { announce } from "../../notice.js";
import { session } from "../../session.js";
import { store } from "../../store.js";
import { html, nothing } from "../../vendor/lit-html.js";
import { insist, refusalOf, refusalStrip } from "../form.js";
import { heldActions, orderLink } from "./orders.js";
import { openSettle } from "./settle.js";
import { ALARM_LINKS, ALARM_STEPS, asksToSettle } from "./steps.js";

/** @typedef {Record<string, any>} Fields */

/** What is being written to an alarm, and what came of the last attempt. @type {Map<string, {note: string | null, busy: string, refusal: any}>} */
const under = new Map();

/** @param {string} id */
function stateOf(id) {
  const found = under.get(id) ?? { note: null, busy: "", refusal: null };
  under.set(id, found);
  return found;
}

/** When the page closes, what was half written is gone. */
export function forgetNotes() {
  under.clear();
}

/** @param {Fields} alarm @param {Fields | null} order the order it is about, where it is known @param {() => void} draw */
export function alarmItem(alarm, order, draw) {
  const state = stateOf(alarm.alarm_id);
  const mayOperate = session.may("slices:operate");
  const link = ALARM_LINKS[alarm.code];
  return html`
    <h2><span class="state state-bad"><span aria-hidden="true">!</span> Alarm</span> ${alarm.code}${alarm.occurrences > 1 ? `, seen ${alarm.occurrences} times` : ""}${
        order ? html`, ${orderLink(order)}` : alarm.order_id ? html`, <a href=${`/app/orders/${alarm.order_id}`}>its order</a>` : nothing}</h2>
    <p>${alarm.meaning.charAt(0).toUpperCase()}${alarm.meaning.slice(1)}.</p>
    ${detailOf(alarm)}
    <p class="next-step">Next: ${ALARM_STEPS[alarm.code] ?? "See what it says, and resolve it once it is dealt with."}
      ${link ? html`<a href=${link[0]}>${link[1]}</a>` : nothing}</p>
    ${alarm.status === "ACKNOWLEDGED" ? html`<p class="soft">Taken on by ${who(alarm.acknowledged_by)}
      <time datetime=${alarm.acknowledged_at} title=${fullTime(alarm.acknowledged_at)}>${time(alarm.acknowledged_at)}</time>.</p>` : nothing}
    ${alarm.note ? html`<p class="alarm-note">Note: ${alarm.note}</p>` : nothing}
    ${refusalStrip(state.refusal)}
    ${order?.held && order.held.reason !== "HALTED" ? heldActions(order) : nothing}
    ${mayOperate ? actions(alarm, state, draw) : nothing}`;
}

/** @param {Fields} alarm @param {{note: string | null, busy: string, refusal: any}} state @param {() => void} draw */
function actions(alarm, state, draw) {
  const act = (/** @type {string} */ what, /** @type {string} */ word, /** @type {any} */ body = undefined) => send(alarm, what, word, body, draw);
  const isBusy = state.busy !== "";
  return html`
    <div class="question-actions">
      ${alarm.status === "OPEN" ? html`<button type="button" ?disabled=${isBusy} @click=${() => act("acknowledge", "Acknowledging")}>${state.busy === "Acknowledging" ? "Acknowledging..." : "Acknowledge"}</button>` : nothing}
      <button type="button" ?disabled=${isBusy} @click=${() => act("resolve", "Resolving")}>${state.busy === "Resolving" ? "Resolving..." : "Resolve"}</button>
      ${state.note === null ? html`<button type="button" @click=${() => { state.note = alarm.note ?? ""; draw(); }}>${alarm.note ? "Change the note" : "Note"}</button>` : nothing}
      ${asksToSettle(alarm.code) && alarm.slice_id ? html`<button type="button" @click=${() => openSettle(alarm.order_id, alarm.slice_id, () => store.lookAside())}>Settle...</button>` : nothing}
    </div>
    ${state.note === null ? nothing : html`<form class="note-form" @submit=${(/** @type {Event} */ event) => {
      event.preventDefault();
      if (state.note?.trim()) act("note", "Keeping", { note: state.note.trim() });
    }}>
      <label class="field">Note, for whoever looks next
        <textarea maxlength="500" rows="2" .value=${state.note} @input=${(/** @type {any} */ event) => { state.note = event.target.value; }}></textarea></label>
      <div class="question-actions"><button type="submit" class="main" ?disabled=${isBusy}>Keep the note</button>
        <button type="button" @click=${() => { state.note = null; draw(); }}>Back</button></div>
    </form>`}`;
}

/** @param {Fields} alarm @param {string} what @param {string} word @param {any} body @param {() => void} draw */
async function send(alarm, what, word, body, draw) {
  const state = stateOf(alarm.alarm_id);
  if (state.busy) return;
  [state.busy, state.refusal] = [word, null];
  announce(`${word}...`);
  draw();
  try {
    const answer = await insist("POST", `/api/alarms/${alarm.alarm_id}/${what}`, { body });
    if (what === "note") state.note = null;
    announce(`${alarm.code}: ${what === "note" ? "note kept" : answer.body.status.toLowerCase()}`);
    store.alarms.set(store.alarms.value.map((one) => (one.alarm_id === alarm.alarm_id ? answer.body : one)).filter((one) => one.status !== "RESOLVED"));
  } catch (problem) {
    state.refusal = refusalOf(problem);
  }
  state.busy = "";
  store.lookAside();
  draw();
}

/** What the latest occurrence said. @param {Fields} alarm */
function detailOf({ detail }) {
  const rows = Object.entries(detail ?? {}).filter(([, value]) => value !== null && value !== "");
  if (!rows.length) return nothing;
  return html`<dl class="facts">${rows.map(([name, value]) => html`<div><dt>${name.replaceAll("_", " ")}</dt><dd>${typeof value === "object" ? JSON.stringify(value) : value}</dd></div>`)}</dl>`;
}

/** @param {string} account */
function who(account) {
  return account === session.me?.account_id ? "you" : account;
}
