// @ts-check
/** Whether a halt refuses the order that is being written. */

import { fullTime, time } from "../../format.js";
import { store } from "../../store.js";
import { html, nothing } from "../../vendor/lit-html.js";

/**
 * @param {{instrument: string, brokerAccount: string}} draft
 * @param {string | undefined} account whose order it is
 * @param {any[]} brokerAccounts
 * @returns {any} the first halt in force that covers it, or null
 */
export function haltThatCovers(draft, account, brokerAccounts) {
  const usual = brokerAccounts.find(({ is_default: isDefault }) => isDefault)?.name;
  const brokerAccount = draft.brokerAccount || usual || store.installation.value?.broker_account;
  const covers = (/** @type {any} */ halt) =>
    [null, account].includes(halt.account_id) &&
    [null, brokerAccount].includes(halt.broker_account) &&
    [null, draft.instrument.trim().toUpperCase()].includes(halt.instrument);
  return store.halts.value.find((/** @type {any} */ halt) => halt.status !== "RELEASED" && covers(halt)) ?? null;
}

/** What is halted, in words. @param {any} halt */
export function scopeOf(halt) {
  const parts = [halt.instrument, halt.broker_account && `broker account ${halt.broker_account}`, halt.account_name && `orders of ${halt.account_name}`].filter(Boolean);
  return parts.length ? parts.join(", ") : "everything";
}

/** @param {any} halt */
export function haltStrip(halt) {
  return html`<div class="strip problem halted" role="alert">
    <strong>■ Halted: ${scopeOf(halt)}.</strong>
    <span>“${halt.reason}”, since <time datetime=${halt.made_at} title=${fullTime(halt.made_at)}>${time(halt.made_at)}</time>${halt.status === "RELEASING" ? ", being released" : nothing}.</span>
    <a href="/app/halt">Receipt</a>
  </div>`;
}
