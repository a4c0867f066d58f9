// @ts-check
/** What a preview says: the schedule as it will be sent, its warnings, and what it is worth. */

import { countdown, milliseconds, price, quantity, span, time, zoneName } from "../../format.js";
import { html, nothing } from "../../vendor/lit-html.js";

/** @typedef {Record<string, any>} Preview */

/** @param {Preview} preview @param {number} now @returns {import("../../chart.js").Data} */
export function chartOf(preview, now) {
  const [from, to] = [milliseconds(preview.start_at) ?? now, milliseconds(preview.end_at) ?? now];
  let sum = 0;
  const planned = preview.slices.map((/** @type {any} */ slice) => {
    sum += slice.quantity;
    return /** @type {[number, number]} */ ([milliseconds(slice.scheduled_at) ?? from, sum]);
  });
  // Nothing is filled, and now is before it begins, so that the readout tells of the plan alone.
  return { planned, filled: [], marks: [], now: from - 1, from, to, total: preview.total_quantity, label: sentence(preview) };
}

/** The schedule in words. @param {Preview} preview @returns {string} */
export function sentence({ slices }) {
  const quantities = slices.map((/** @type {any} */ slice) => slice.quantity);
  const times = slices.map((/** @type {any} */ slice) => milliseconds(slice.scheduled_at));
  const gaps = times.slice(1).map((/** @type {number} */ at, /** @type {number} */ index) => at - times[index]);
  const each = range(Math.min(...quantities), Math.max(...quantities), quantity);
  const every = range(Math.min(...gaps), Math.max(...gaps), (gap) => (gap < 60_000 ? span(gap) : countdown(gap)));
  const last = slices[slices.length - 1];
  return `${slices.length} slices of ${each}, every ${every}. First ${time(slices[0].scheduled_at)}, last ${time(last.scheduled_at)} ${zoneName()}.`;
}

/** What the order is worth, or that nobody told a price. @param {Preview} preview */
export function worthOf(preview) {
  return preview.worth === null ? "Worth not known: no price was told" : `Worth about ${about(preview)}`;
}

/** Its worth without the decimals, as it is an estimate. @param {Preview} preview one whose worth is known */
export function about({ worth, currency }) {
  return money(worth, currency).replace(/\.[0-9]+$/, "");
}

/** An amount with two decimals: these are estimates. @param {string} amount @param {string | null} currency */
export function money(amount, currency) {
  return `${currency === "INR" ? "₹ " : currency ? `${currency} ` : ""}${price(Number(amount).toFixed(2))}`;
}

/** @param {Preview} preview */
export function warnings({ warnings: all }) {
  if (!all.length) return nothing;
  return html`<ul class="warnings">${all.map((/** @type {any} */ one) => html`<li class="doubt"><span aria-hidden="true">▲</span> ${one.message}</li>`)}</ul>`;
}

/** What the broker says of margin, charges, funds and shares; what it does not tell is said to be untold. @param {Preview} preview */
export function moneyTable({ money: told, currency }) {
  const rows = [
    ["Margin", told.margin],
    ["Charges", told.charges?.total ?? null],
    ["Funds", told.funds],
  ].filter(([, amount]) => amount !== null);
  const shares = [["Shares held", told.holdings], ["Promised to other orders", told.promised]].filter(([, count]) => count !== null);
  return html`
    <dl class="facts">
      ${rows.map(([name, amount]) => html`<div><dt>${name}</dt><dd>${money(amount, currency)}</dd></div>`)}
      ${shares.map(([name, count]) => html`<div><dt>${name}</dt><dd>${quantity(count)}</dd></div>`)}
    </dl>
    ${told.not_told.length ? html`<p class="soft">Not told: ${told.not_told.map((/** @type {any} */ one) => `${one.what} (${one.reason})`).join("; ")}.</p>` : nothing}`;
}

/** The slices as a table, for readers and for the curious. @param {Preview} preview */
export function sliceTable({ slices }) {
  return html`<details class="form-more"><summary>All ${slices.length} slices</summary>
    <table class="plain"><thead><tr><th class="number">No</th><th>Planned (${zoneName()})</th><th class="number">Quantity</th></tr></thead>
      <tbody>${slices.map((/** @type {any} */ one) => html`<tr><td class="number">${one.sequence_number}</td><td>${time(one.scheduled_at)}</td><td class="number">${quantity(one.quantity)}</td></tr>`)}</tbody>
    </table></details>`;
}

/** @param {number} least @param {number} most @param {(value: number) => string} written */
function range(least, most, written) {
  const [low, high] = [written(least), written(most)];
  return low === high ? low : `${low} to ${high}`;
}
