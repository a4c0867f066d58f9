// @ts-check
/** The head of an order's page: what it is, its state, its commands, and where its shares are. */

import { commands } from "../../commands.js";
import { countdown, EXPOSURE, fullTime, orderName, price, quantity, span, stateOf, time, zoneName } from "../../format.js";
import { session } from "../../session.js";
import { html, nothing } from "../../vendor/lit-html.js";
import { gap, lateness, plannedBy } from "./plan.js";

/** @typedef {Record<string, any>} Row */

/**
 * @param {Row} order
 * @param {{mayAct: boolean, isFrozen: boolean, freeze: () => void, copy: (text: string) => void, live: any}} page
 */
export function heading(order, { mayAct, isFrozen, freeze, copy, live }) {
  const state = stateOf(order.status);
  const refused = commands.refusal(order.order_id);
  return html`
    <div class="order-head">
      <a href="/app">← Orders</a>
      <h1><span class=${order.side.toLowerCase()}>${order.side}</span> ${orderName(order).slice(order.side.length)}</h1>
      <span class="state state-${state.tone}" title=${state.meaning}>${state.sign} ${state.word}</span>
      ${mayAct ? html`<div class="actions">${buttons(order, live)}</div>` : nothing}
      <div class="tools"><button type="button" aria-pressed=${String(isFrozen)} @click=${freeze}>${isFrozen ? "Frozen" : "Freeze"}</button>
        <button type="button" title=${order.order_id} @click=${() => copy(order.order_id)}>Copy id</button></div>
    </div>
    <p class="order-terms">${terms(order)}</p>
    ${refused ? html`<div class="refused" role="alert"><strong>${refused.title}</strong> <span>${refused.details}</span></div>` : nothing}
    ${order.held ? html`<p class="strip problem">! Held since ${time(order.held.since)}: ${order.held.message ?? order.held.reason}.
      ${order.held.ended_by}</p>` : nothing}
    ${order.not_fitting ? html`<p class="strip doubt">${quantity(order.not_fitting.quantity)} shares are not sent any more:
      ${order.not_fitting.reason}.</p>` : nothing}`;
}

/** @param {Row} order @param {any} live */
function buttons(order, live) {
  const under = commands.under(order.order_id);
  if (under) return html`<button type="button" disabled>${under}</button>`;
  return html`
    <button type="button" ?disabled=${!commands.mayPause(order)} @click=${() => commands.pause(order)}>Pause</button>
    <button type="button" ?disabled=${!commands.mayResume(order)} @click=${() => commands.resume(order)}>Resume</button>
    ${commands.mayAmend(order) ? html`<button type="button" @click=${() => commands.amend(order)}>Amend...</button>` : nothing}
    <button type="button" class="danger" ?disabled=${!commands.mayCancel(order)} @click=${() => commands.cancel(order, live)}>Cancel...</button>`;
}

/** @param {Row} order @returns {string} */
function terms(order) {
  const { num_splits: slices, randomize } = order.split_config;
  const type = order.order_type === "LIMIT" ? `LIMIT ${price(order.limit_price)}` : order.order_type;
  const from = order.start_at ?? order.created_at;
  return [
    [type, order.product, order.broker_account].filter(Boolean).join(" "),
    `${slices} slices${randomize ? ", randomized" : ""}`,
    `window ${time(from)} to ${time(order.end_at)} ${zoneName(Date.parse(order.end_at))}`,
    order.client_note ? `note: ${order.client_note}` : "",
    `key ${order.order_unique_key}`,
    session.isOverseer ? `account ${order.account_name}` : "",
  ].filter(Boolean).join(" · ");
}

/** @param {Row} order @param {Row[]} slices @param {number} now */
export function figures(order, slices, now) {
  const late = lateness(slices);
  const isOpen = order.finished_at === null;
  const due = plannedBy(slices, now, order.total_quantity);
  const next = order.next_slice_at && isOpen && order.status !== "PAUSED" && !order.held;
  return html`<dl class="figures">
    ${EXPOSURE.map(([name, word]) => {
      const isDoubtful = name === "unknown" && order.exposure[name] > 0;
      return html`<div class=${isDoubtful ? "doubt" : ""}><dt>${isDoubtful ? "? " : ""}${word}</dt>
        <dd data-figure=${name}>${quantity(order.exposure[name])}</dd></div>`;
    })}
    <div><dt>Average</dt><dd data-figure="average">${price(order.average_price) || "none yet"}
      ${order.average_price ? html`<small>${order.currency ?? ""}</small>` : nothing}</dd></div>
    ${slices.length ? html`<div><dt>Plan by now</dt><dd>${quantity(due)} <small>${isOpen ? gap(order.filled_quantity - due) : ""}</small></dd></div>` : nothing}
    ${late ? html`<div><dt>Late: last, p95, worst</dt><dd>${span(late.last)}, ${span(late.p95)}, ${span(late.worst)}</dd></div>` : nothing}
    ${next ? html`<div><dt>Next slice</dt><dd title=${fullTime(order.next_slice_at)}>${countdown(Date.parse(order.next_slice_at) - now)}</dd></div>` : nothing}
    ${order.arrival ? html`<div><dt>At arrival</dt><dd>${price(order.arrival.last_price)}</dd></div>` : nothing}
    ${order.result ? html`<div><dt>Result</dt><dd>${order.result.replaceAll("_", " ").toLowerCase()}</dd></div>` : nothing}
  </dl>`;
}
