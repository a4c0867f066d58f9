// @ts-check
/** A slice that needs somebody, and an order that is held. */

import { commands } from "../../commands.js";
import { fullTime, quantity, stateOf, time } from "../../format.js";
import { session } from "../../session.js";
import { html, nothing } from "../../vendor/lit-html.js";
import { openSettle } from "./settle.js";
import { sliceStep } from "./steps.js";

/** @typedef {Record<string, any>} Fields */

/** @param {Fields} order such as BUY 1,00,000 NSE:RELIANCE, as a link */
export function orderLink(order) {
  return html`<a href=${`/app/orders/${order.order_id}`}><span class=${order.side === "BUY" ? "buy" : "sell"}>${order.side}</span> ${quantity(order.total_quantity)} ${order.instrument}</a>`;
}

/** @param {Fields} order @param {Fields} slice @param {{ask: () => void}} reader */
export function sliceItem(order, slice, reader) {
  const state = stateOf(slice.status);
  const mayOperate = session.may("slices:operate");
  const isOver = order.finished_at !== null && slice.status !== "UNKNOWN";
  const busy = commands.under(slice.slice_id);
  return html`
    <h2><span class=${`state state-${state.tone}`}><span aria-hidden="true">${state.sign}</span> ${state.word}</span>
      slice ${slice.sequence_number}, ${quantity(slice.quantity - slice.filled_quantity)} shares, of ${orderLink(order)}</h2>
    <p>${slice.error ? slice.error.message ?? slice.error.code : `It is ${state.meaning}.`}
      ${slice.broker_order_id ? html`<span class="soft">Broker's order ${slice.broker_order_id}.</span>` : nothing}
      ${slice.attempts ? html`<span class="soft">Sent ${slice.attempts} ${slice.attempts === 1 ? "time" : "times"}.</span>` : nothing}</p>
    <p class="next-step">Next: ${sliceStep(slice, order, mayOperate)}</p>
    ${note(order)}
    ${refused(slice.slice_id)}
    ${mayOperate && !isOver ? html`<div class="question-actions">
      ${slice.status === "UNKNOWN" ? html`
        <button type="button" ?disabled=${busy !== ""} @click=${() => commands.resolve(order, slice)}>${busy || "Ask the broker now"}</button>
        <button type="button" @click=${() => openSettle(order.order_id, slice.slice_id, () => reader.ask())}>Settle...</button>` : html`
        <button type="button" ?disabled=${busy !== ""} @click=${() => commands.retry(order, slice)}>${busy || "Send again..."}</button>`}
    </div>` : nothing}`;
}

/** @param {Fields} order */
export function heldItem(order) {
  const { reason, message, since, ended_by: endedBy } = order.held;
  return html`
    <h2><span class="state state-held"><span aria-hidden="true">‖</span> Held</span> ${orderLink(order)}</h2>
    <p>${reason}${message ? html`: “${message}”` : nothing}, since <time datetime=${since} title=${fullTime(since)}>${time(since)}</time>. ${quantity(order.exposure.unsent)} unsent wait.</p>
    <p class="next-step">Next: ${endedBy}</p>
    ${note(order)}
    ${refused(order.order_id)}
    ${heldActions(order)}`;
}

/** @param {Fields} order */
export function heldActions(order) {
  if (!session.may("orders:write")) return nothing;
  const busy = commands.under(order.order_id);
  return html`<div class="question-actions">
    ${commands.mayResume(order) ? html`<button type="button" ?disabled=${busy !== ""} @click=${() => commands.resume(order)}>${busy || "Resume"}</button>` : nothing}
    ${commands.mayCancel(order) ? html`<button type="button" ?disabled=${busy !== ""} @click=${() => commands.cancel(order)}>Cancel...</button>` : nothing}
    ${order.held?.reason === "HALTED" ? html`<a href="/app/halt">Halts</a>` : nothing}
  </div>`;
}

/** @param {Fields} order */
function note(order) {
  return order.client_note ? html`<p class="soft">Note: ${order.client_note}</p>` : nothing;
}

/** @param {string} id */
function refused(id) {
  const refusal = commands.refusal(id);
  return refusal ? html`<p class="problem" role="alert">${refusal.title} <span class="soft">${refusal.details}</span></p>` : nothing;
}
