// @ts-check
/** The head of an order's page: what it is, its state, its commands, and where its shares are. */

import { commands } from "../../commands.js";
import { countdown, EXPOSURE, fullTime, gap, orderName, price, quantity, span, stateOf, time, zoneName } from "../../format.js";
import { session } from "../../session.js";
import { html, nothing } from "../../vendor/lit-html.js";
import { plannedBy } from "./plan.js";

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
  // Not `disabled`: that would take the focus away, which is to be there when the answer has come.
  /** @param {string} word @param {string} begun @param {boolean} may @param {() => unknown} run @param {string} [kind] */
  const button = (word, begun, may, run, kind = "") => {
    const isOff = under !== "" || !may;
    return html`<button type="button" class=${kind} aria-disabled=${isOff ? "true" : nothing} @click=${() => isOff || run()}>${under.startsWith(begun) ? under : word}</button>`;
  };
  return html`
    ${button("Pause", "Pausing", commands.mayPause(order), () => commands.pause(order))}
    ${button("Resume", "Resuming", commands.mayResume(order), () => commands.resume(order))}
    ${commands.mayAmend(order) ? button("Amend...", "Amending", true, () => commands.amend(order)) : nothing}
    ${button("Cancel...", "Cancelling", commands.mayCancel(order), () => commands.cancel(order, live), "danger")}`;
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
  const late = order.late_ms;
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
    ${late.last === null ? nothing : html`<div><dt>Late</dt>
      <dd data-figure="late">last ${span(late.last)}, p95 ${span(late.p95)}, worst ${span(late.worst)}</dd></div>`}
    ${next ? html`<div><dt>Next slice</dt><dd title=${fullTime(order.next_slice_at)}>${countdown(Date.parse(order.next_slice_at) - now)}</dd></div>` : nothing}
    ${order.arrival ? html`<div><dt>At arrival</dt><dd>${price(order.arrival.last_price)}</dd></div>` : nothing}
    ${order.result ? html`<div><dt>Result</dt><dd>${order.result.replaceAll("_", " ").toLowerCase()}</dd></div>` : nothing}
  </dl>`;
}
