// @ts-check
/** What happened to an order, as sentences for people. */

import { fullTime, price, quantity, stateOf, time } from "../../format.js";
import { html, nothing } from "../../vendor/lit-html.js";

/** @typedef {Record<string, any>} Event */

export const KINDS = /** @type {const} */ ([["important", "Important"], ["all", "All"], ["person", "By person"]]);

const IMPORTANT = new Set(["slice.rejected", "slice.failed", "slice.unknown", "slice.expired", "slice.request"]);
const MACHINES = new Set(["pulse", "broker"]);
const BAD = new Set(["slice.rejected", "slice.failed", "order.alarm", "order.held"]);

/** @param {Event} event @param {string} kind one of KINDS */
export function isShown(event, kind) {
  if (kind === "person") return !MACHINES.has(event.actor);
  return kind === "all" || event.type.startsWith("order.") || IMPORTANT.has(event.type);
}

/**
 * @param {Event[]} events newest first
 * @param {(slice_id: string) => number | undefined} numberOf the number of a slice
 */
export function eventList(events, numberOf) {
  return html`<ol class="events" aria-label="What happened">${events.map((event) => html`
    <li class=${BAD.has(event.type) ? "bad" : event.type === "slice.unknown" ? "doubt" : ""}>
      <time datetime=${event.at} title=${fullTime(event.at)}>${time(event.at)}</time>
      <span>${sign(event)}${sentence(event, numberOf)}</span>
      ${MACHINES.has(event.actor) ? nothing : html`<span class="who">${event.actor_name}</span>`}
    </li>`)}</ol>`;
}

/** @param {Event} event */
function sign(event) {
  if (BAD.has(event.type)) return "! ";
  return event.type === "slice.unknown" ? "? " : "";
}

/** @param {Event} event @param {(slice_id: string) => number | undefined} numberOf @returns {string} */
export function sentence(event, numberOf) {
  const number = event.slice_id ? numberOf(event.slice_id) : undefined;
  const subject = event.slice_id ? `Slice ${number ?? ""}`.trim() : "Order";
  return `${subject}: ${told(event)}`;
}

/** @param {Event} event @returns {string} */
function told(event) {
  const { details, reason } = event;
  switch (event.type) {
    case "slice.fill":
      return `${quantity(details.quantity)} filled at ${price(details.price)}, ${quantity(details.filled_quantity)} so far`;
    case "slice.request":
    case "order.request":
      return `${details.request} was asked for`;
    case "order.alarm":
      return details.alarm;
    case "order.held":
      return `held, ${details.message ?? details.reason}`;
    case "order.amended":
      return `${details.field} changed from ${details.before ?? "none"} to ${details.after ?? "none"}`;
    default: {
      const status = event.to_status ? `${stateOf(event.to_status).word.toLowerCase()}, ` : "";
      const code = details.error_code ? ` (${details.error_code})` : "";
      return `${status}${reason ?? event.type}${code}`;
    }
  }
}
