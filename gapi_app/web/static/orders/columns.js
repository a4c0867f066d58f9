// @ts-check
/** The columns of the blotter: what each shows, exports and sorts by. A new column is one entry here. */

import { serverNow } from "../api.js";
import { countdown, exposureBar, fullTime, gap, minute, percent, price, quantity, signedPercent, span, stateOf, symbol } from "../format.js";

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Record<string, any>} Order */

/**
 * @param {(order: Order) => boolean} isSelected
 * @param {(order: Order) => void} select
 * @returns {(import("../grid.js").Column & {value?: (order: Order) => string, by?: (order: Order) => string | number})[]} `value` is
 *   what is exported, none for a column that is not; `by` is what rows are sorted by
 */
export function columns(isSelected, select) {
  return [
    {
      name: "chosen", label: "", width: "28px", quiet: true, press: select,
      text: (order) => (isSelected(order) ? "☑" : "☐"),
    },
    {
      name: "sign", label: "", width: "24px", quiet: true,
      text: (order) => notice(order).sign, title: (order) => notice(order).words, kind: (order) => notice(order).tone,
    },
    {
      name: "time", label: "Time", width: "minmax(64px, 0.6fr)", whole: true, sorts: true, from: 600,
      text: (order) => minute(order.created_at), title: (order) => fullTime(order.created_at),
      value: (order) => order.created_at, by: (order) => Date.parse(order.created_at),
    },
    {
      name: "account", label: "Account", width: "minmax(80px, 0.8fr)", sorts: true, from: 590, card: true,
      text: (order) => order.account_name, title: (order) => `${order.account_name} ${order.account_id}`, value: (order) => order.account_name, by: (order) => order.account_name,
    },
    {
      name: "side", label: "Side", width: "56px", sorts: true,
      text: (order) => order.side, kind: (order) => order.side.toLowerCase(), value: (order) => order.side, by: (order) => order.side,
    },
    {
      name: "instrument", label: "Instrument", width: "minmax(110px, 1.2fr)", sorts: true,
      // The text names the order too: the link is drawn anew when another order comes into the row.
      text: (order) => `${symbol(order.instrument)} ${order.order_id}`, title: described, draw: linked,
      value: (order) => order.instrument, by: (order) => symbol(order.instrument),
    },
    {
      name: "quantity", label: "Quantity", width: "minmax(84px, 0.8fr)", number: true, sorts: true,
      text: (order) => quantity(order.total_quantity), value: (order) => String(order.total_quantity), by: (order) => order.total_quantity,
    },
    {
      name: "exposure", label: "Exposure", width: "minmax(110px, 1.8fr)", quiet: true,
      text: (order) => JSON.stringify([order.total_quantity, order.exposure]), title: (order) => exposureBar(order).label,
      draw: drawExposure, value: (order) => exposureBar(order).label,
    },
    {
      name: "filled", label: "Filled", width: "minmax(84px, 0.8fr)", number: true, sorts: true, from: 860,
      text: (order) => quantity(order.filled_quantity), value: (order) => String(order.filled_quantity), by: (order) => order.filled_quantity,
    },
    {
      name: "done", label: "Done", width: "64px", number: true, sorts: true,
      text: (order) => percent(order.filled_quantity, order.total_quantity),
      value: (order) => percent(order.filled_quantity, order.total_quantity), by: (order) => order.filled_quantity / order.total_quantity,
    },
    {
      name: "plan", label: "Plan", width: "86px", number: true, sorts: true, quiet: true, from: 1000,
      text: (order) => (isOpen(order) ? signedPercent(ahead(order) / order.total_quantity) : ""), title: planInWords,
      value: (order) => (isOpen(order) ? String(ahead(order)) : ""), by: (order) => (isOpen(order) ? ahead(order) / order.total_quantity : 1),
    },
    {
      name: "average", label: "Average", width: "minmax(90px, 0.8fr)", number: true, from: 760,
      text: (order) => price(order.average_price), title: (order) => order.currency ?? "", value: (order) => order.average_price ?? "",
    },
    {
      name: "late", label: "Late", width: "72px", number: true, sorts: true, quiet: true, from: 1100,
      text: (order) => span(order.late_ms.last), title: lateInWords,
      value: (order) => (order.late_ms.last === null ? "" : `${order.late_ms.last} ms`), by: (order) => order.late_ms.last ?? -1,
    },
    {
      name: "next", label: "Next", width: "72px", number: true, sorts: true, ticks: true, quiet: true, from: 700,
      text: next, title: (order) => fullTime(order.next_slice_at), value: (order) => order.next_slice_at ?? "",
      by: (order) => Date.parse(order.next_slice_at ?? "") || Infinity,
    },
    {
      name: "state", label: "State", width: "minmax(118px, 0.9fr)", whole: true, sorts: true,
      text: (order) => `${stateOf(order.status).sign} ${stateOf(order.status).word}`,
      title: (order) => order.held?.ended_by ?? stateOf(order.status).meaning, kind: (order) => `state state-${stateOf(order.status).tone}`,
      value: (order) => order.status, by: (order) => order.status,
    },
    { name: "note", label: "Note", width: "minmax(90px, 1fr)", from: 1400, text: (order) => order.client_note ?? "", title: (order) => order.client_note ?? "", value: (order) => order.client_note ?? "" },
  ];
}

/** What of every order is exported beside its columns. */
export const EXPORTED = [
  { label: "Order", value: (/** @type {Order} */ order) => order.order_id },
  { label: "Key", value: (/** @type {Order} */ order) => order.order_unique_key },
];

/** @param {Order} order @returns {{sign: string, words: string, tone: string}} what needs a look, the worst of it */
export function notice(order) {
  const refused = (order.slices.REJECTED ?? 0) + (order.slices.FAILED ?? 0);
  if (order.exposure.unknown) return { sign: "?", words: `${quantity(order.exposure.unknown)} shares in doubt`, tone: "state-doubt" };
  if (order.held) return { sign: "!", words: `held: ${order.held.message ?? order.held.reason}`, tone: "state-bad" };
  if (refused) return { sign: "!", words: `${refused} slices were refused or failed`, tone: "state-bad" };
  return { sign: "", words: "", tone: "" };
}

/** How many shares are in doubt, and how many orders need a look. @param {Order[]} orders */
export function troubles(orders) {
  return {
    doubtful: orders.reduce((sum, order) => sum + order.exposure.unknown, 0),
    needing: orders.filter((order) => notice(order).sign).length,
  };
}

/** These orders by what `by` says of each; equal ones are the newest first. @param {Order[]} orders @param {(order: Order) => string | number} by @param {boolean} isDescending */
export function arranged(orders, by, isDescending) {
  const direction = isDescending ? -1 : 1;
  const compare = (/** @type {Order} */ one, /** @type {Order} */ other) => {
    const [a, b] = [by(one), by(other)];
    return a < b ? -direction : a > b ? direction : 0;
  };
  return orders.sort((one, other) => compare(one, other) || (one.order_id < other.order_id ? 1 : -1));
}

/** @param {Order} order @returns {boolean} */
export function isOpen(order) {
  return order.finished_at === null;
}

/** What is filled less what is planned by now, in shares. @param {Order} order @returns {number} */
function ahead(order) {
  return order.filled_quantity - order.planned_quantity;
}

/** @param {Order} order */
function planInWords(order) {
  if (!isOpen(order)) return "";
  return `${quantity(order.filled_quantity)} filled, ${quantity(order.planned_quantity)} planned by now: ${gap(ahead(order))}`;
}

/** @param {Order} order */
function lateInWords({ late_ms: late }) {
  return late.last === null ? "" : `sent after its time: last ${span(late.last)}, p95 ${span(late.p95)}, worst ${span(late.worst)}`;
}

/** Whether the plan of an order goes on while nothing of it does, so that no event says so. @param {Order} order */
export function isStanding(order) {
  return isOpen(order) && (order.status === "PAUSED" || order.held !== null || Date.parse(order.next_slice_at ?? "") < serverNow());
}

/** @param {Order} order */
function next(order) {
  if (!order.next_slice_at || order.status === "PAUSED" || order.held) return "";
  return countdown(Date.parse(order.next_slice_at) - serverNow());
}

/** @param {Order} order */
function described(order) {
  return [order.instrument, order.order_unique_key, order.client_note].filter(Boolean).join(" · ");
}

/** @param {HTMLElement} cell @param {Order} order */
function linked(cell, order) {
  const anchor = cell.querySelector("a") ?? cell.appendChild(document.createElement("a"));
  anchor.tabIndex = -1;
  anchor.href = `/app/orders/${order.order_id}`;
  anchor.textContent = symbol(order.instrument);
}

/** Draws the bar that shows where the shares of an order are into a cell, in place of the one before. @param {HTMLElement} root @param {any} order */
export function drawExposure(root, order) {
  const { parts, label } = exposureBar(order);
  let svg = root.querySelector("svg");
  if (!svg) {
    svg = document.createElementNS(SVG, "svg");
    set(svg, { class: "exposure", role: "img", viewBox: "0 0 100 14", preserveAspectRatio: "none" });
    root.replaceChildren(svg);
  }
  svg.setAttribute("aria-label", label);
  // What is filled is high, what is at the broker lower, what is unsent a line: the parts are told apart without colour too.
  const heights = /** @type {Record<string, number>} */ ({ filled: 14, working: 10, on_its_way: 6, unknown: 14, unsent: 4 });
  let from = 0;
  for (const [index, { name, share }] of parts.entries()) {
    const rect = svg.children[index] ?? svg.appendChild(document.createElementNS(SVG, "rect"));
    const high = heights[name];
    // Ten shares of a lakh in doubt are seen too: what is unsent gives them the room.
    const least = name === "unsent" ? 0 : 1.5;
    const x = Math.min(from, 100 - least);
    const width = Math.max(least, Math.min(100 * share, 100 - x));
    set(rect, { class: name, x: x.toFixed(2), width: width.toFixed(2), y: String((14 - high) / 2), height: String(high) });
    from = x + width;
  }
  while (svg.childElementCount > parts.length) svg.lastElementChild?.remove();
}

/** @param {Element} element @param {Record<string, string>} attributes */
function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  }
}
