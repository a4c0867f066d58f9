// @ts-check
/** The second step of a ticket: the order as a sentence, and the button that places it. */

import { serverNow } from "../../api.js";
import { refusalStrip } from "../form.js";
import { countdown, milliseconds, price, quantity, time, zoneName } from "../../format.js";
import { settings } from "../../settings.js";
import { html, nothing } from "../../vendor/lit-html.js";
import { wholeNumber } from "./draft.js";
import { AT_ENDS, CATCH_UPS, LEFTOVERS, SESSIONS } from "./form.js";
import { about, sentence, sliceTable, warnings } from "./schedule.js";

/** A schedule that holds for less than this cannot be reviewed in time: the order is placed without it. */
const SHORTEST = 15_000; // milliseconds

/** What goes without saying in the review. */
export const USUAL = { catch_up: "spread", max_slice_multiple: 3, extend_minutes: 0, leftover: "catch_up", at_end: "leave" };

/**
 * @typedef {object} Review
 * @property {any} preview
 * @property {Record<string, any>} body
 * @property {boolean} isLive
 * @property {boolean} isHeld whether the schedule that is shown is the one that will be sent
 * @property {string} typed
 * @property {"" | "placing" | "lost" | "unknown"} placing
 * @property {any} refusal
 */

/** @param {any} preview @param {Record<string, any>} body @param {boolean} isLive @returns {Review} */
export function reviewOf(preview, body, isLive) {
  const isHeld = (milliseconds(preview.expires_at) ?? 0) - serverNow() >= SHORTEST;
  return { preview, body, isLive, isHeld, typed: "", placing: "", refusal: null };
}

/** What is sent: with the token of the plan where it can be held. @param {Review} review @returns {Record<string, any>} */
export function placed({ body, preview, isHeld }) {
  return isHeld ? { ...body, plan_token: preview.plan_token } : body;
}

/** @param {Review} review */
export function isOver({ preview, isHeld, placing }) {
  return isHeld && placing === "" && (milliseconds(preview.expires_at) ?? 0) <= serverNow();
}

/** With real money a large order, or one of unknown worth, is typed once more. @param {Review} review */
export function needsTyping({ isLive, preview }) {
  return isLive && (preview.worth === null || Number(preview.worth) >= Number(settings.get("retype")));
}

/** @param {Review} review */
export function mayPlace(review) {
  const isTyped = !needsTyping(review) || wholeNumber(review.typed) === review.body.total_quantity;
  return isTyped && !isOver(review) && review.placing !== "placing" && review.placing !== "lost";
}

/**
 * @param {Review} review
 * @param {HTMLElement} chartPlace where the schedule is drawn
 * @param {{back: () => void, place: () => void, again: () => void, type: (typed: string) => void, fresh: () => void}} actions
 */
export function reviewStep(review, chartPlace, { back, place, again, type, fresh }) {
  const { preview, body, isLive, placing, refusal } = review;
  const isBusy = placing === "placing" || placing === "lost";
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (mayPlace(review)) place();
  };
  return html`<form class="review" @submit=${submit} aria-labelledby="review-title">
    <h2 id="review-title" tabindex="-1">Review</h2>
    <p class="review-sentence">
      <strong class=${body.side === "BUY" ? "buy" : "sell"}>${body.side === "BUY" ? "Buy" : "Sell"} ${quantity(body.total_quantity)} ${body.instrument}</strong>
      ${body.order_type === "LIMIT" ? `at ${price(body.limit_price)} or better` : "at market"},
      ${preview.slices.length} slices, ${time(preview.start_at)} to ${time(preview.end_at)} ${zoneName()},
      ${preview.worth === null ? "worth not known" : `about ${about(preview)}`}.
      <strong>${isLive ? "LIVE: real money" : "PAPER: no money moves"}, account ${preview.broker_account}.</strong>
    </p>
    <p>${sentence(preview)} ${review.isHeld ? nothing : html`<span class="doubt">Its slices come so soon that Pulse plans it anew when it is placed, by the same rules.</span>`}</p>
    ${warnings(preview)}
    ${terms({ ...USUAL, ...preview, ...body })}
    ${review.isHeld ? html`${chartPlace}${sliceTable(preview)}` : nothing}
    ${needsTyping(review) ? html`<div class="form-field">
      <label for="review-quantity">Type the quantity once more: ${quantity(body.total_quantity)}</label>
      <input id="review-quantity" inputmode="numeric" autocomplete="off" .value=${review.typed} @input=${(/** @type {any} */ event) => type(event.target.value)}>
    </div>` : nothing}
    ${refusalStrip(placing === "unknown" ? null : refusal)}
    ${changes(refusal)}
    ${refusal?.details?.existing_order_id ? html`<p><a href=${`/app/orders/${refusal.details.existing_order_id}`}>The order that was placed with this form</a>
      <button type="button" @click=${fresh}>Write a new order</button></p>` : nothing}
    ${placing === "lost" ? html`<p class="doubt" role="status">No answer yet. Asking again for the same order: it cannot be placed twice.</p>` : nothing}
    ${placing === "unknown" ? html`<p class="strip doubt" role="alert">No answer from the server. It is not known whether the order was placed. Ask again: the same order is found, or placed once.</p>` : nothing}
    ${isOver(review) ? html`<p class="doubt" role="status">The schedule is out of date. <button type="button" @click=${again}>Preview again</button></p>` : holds(review)}
    <div class="question-actions">
      <button type="button" ?disabled=${isBusy} @click=${back}>Back</button>
      <button type="submit" class="main" data-place ?disabled=${!mayPlace(review)}>${isBusy ? "Placing..." : placing === "unknown" ? "Ask again" : "Place the order"}</button>
    </div>
  </form>`;
}

/** @param {Review} review */
function holds({ isHeld, placing, preview }) {
  if (!isHeld || placing) return nothing;
  return html`<p class="soft">This schedule holds for ${countdown((milliseconds(preview.expires_at) ?? 0) - serverNow())}.</p>`;
}

/** The terms that are not the usual ones, those of the account too, so that none goes out unseen. @param {Record<string, any>} body */
function terms(body) {
  const word = (/** @type {[string, string][]} */ choices, /** @type {string} */ value) => choices.find(([one]) => one === value)?.[1] ?? value;
  const rows = [
    ["Product", body.product],
    ["Market closed", body.session !== "refuse" && word(SESSIONS, body.session)],
    ["What it misses", body.catch_up !== USUAL.catch_up && word(CATCH_UPS, body.catch_up)],
    ["No slice above", body.max_slice_multiple !== USUAL.max_slice_multiple && `${body.max_slice_multiple} times the plan`],
    ["Window may grow by", body.extend_minutes !== USUAL.extend_minutes && `${body.extend_minutes} min`],
    ["Unfilled rest of a slice", body.leftover !== USUAL.leftover && word(LEFTOVERS, body.leftover)],
    ["Window over", body.at_end !== USUAL.at_end && word(AT_ENDS, body.at_end)],
    ["A slice works at most", body.slice_timeout_seconds && `${body.slice_timeout_seconds} s`],
    ["Note", body.client_note],
  ].filter(([, value]) => value);
  return rows.length ? html`<dl class="facts">${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>` : nothing;
}

/** What is not as it was shown. @param {any} refusal */
function changes(refusal) {
  const differs = refusal?.code === "PLAN_CHANGED" ? refusal.details.differs : [];
  if (!differs.length) return nothing;
  const written = (/** @type {any} */ value) => (value === null ? "nothing" : typeof value === "object" ? `${quantity(value.quantity)} at ${time(value.scheduled_at)}` : String(value));
  return html`<ul>${differs.slice(0, 6).map((/** @type {any} */ one) => html`<li>${one.field ?? `Slice ${one.sequence_number}`}: ${written(one.before)} is now ${written(one.after)}</li>`)}
    ${differs.length > 6 ? html`<li>and ${differs.length - 6} more</li>` : nothing}</ul>`;
}
