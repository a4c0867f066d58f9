// @ts-check
/** An order's plan and fills as the steps of a chart. */

import { gap, quantity, stateOf } from "../../format.js";

/** @typedef {Record<string, any>} Row */

const REFUSED = new Set(["REJECTED", "FAILED"]);

/**
 * @param {Row} order
 * @param {Row[]} slices
 * @param {Row[]} fills
 * @param {number} now in milliseconds, by the server's clock
 * @returns {import("../../chart.js").Data}
 */
export function chartData(order, slices, fills, now) {
  const planned = plannedSteps(slices, order.total_quantity);
  const filled = steps(fills.map((fill) => [Date.parse(fill.traded_at), fill.quantity]));
  const from = Date.parse(order.start_at ?? order.created_at);
  const last = Math.max(planned.at(-1)?.[0] ?? 0, filled.at(-1)?.[0] ?? 0, Date.parse(order.end_at));
  const due = plannedBy(slices, now, order.total_quantity);
  return {
    planned,
    filled,
    marks: slices.flatMap(mark),
    now,
    from: Math.min(from, planned[0]?.[0] ?? from, filled[0]?.[0] ?? from),
    to: last,
    total: order.total_quantity,
    label: `Of ${quantity(order.total_quantity)}, ${quantity(due)} are planned by now and ${quantity(order.filled_quantity)} filled: `
      + `${gap(order.filled_quantity - due)}. The table of slices has every figure.`,
  };
}

/** @param {Row[]} slices @param {number} now @param {number} total @returns {number} shares that the schedule has sent by then */
export function plannedBy(slices, now, total) {
  const due = slices.filter((slice) => isPlanned(slice) && Date.parse(slice.scheduled_at) <= now);
  return Math.min(total, due.reduce((sum, slice) => sum + slice.planned_quantity, 0));
}

/** A slice that an amendment took out is not of the plan any more. @param {Row} slice */
function isPlanned(slice) {
  return slice.error?.code !== "AMENDED";
}

/** @param {Row[]} slices @param {number} total */
function plannedSteps(slices, total) {
  const all = slices.filter(isPlanned).map((slice) => /** @type {[number, number]} */ ([Date.parse(slice.scheduled_at), slice.planned_quantity]));
  // What catches up comes back in slices of its own: no plan asks for more than the order.
  return steps(all).map(([at, amount]) => /** @type {[number, number]} */ ([at, Math.min(amount, total)]));
}

/** @param {[number, number][]} changes @returns {[number, number][]} */
function steps(changes) {
  let sum = 0;
  return changes.sort(([one], [other]) => one - other).map(([at, amount]) => [at, (sum += amount)]);
}

/** @param {Row} slice */
function mark(slice) {
  const at = Date.parse(slice.sent_at ?? slice.scheduled_at);
  const label = `slice ${slice.sequence_number}: ${stateOf(slice.status).word.toLowerCase()}, ${slice.error?.message ?? stateOf(slice.status).meaning}`;
  if (REFUSED.has(slice.status)) return [{ at, kind: "bad", sign: "✕", label }];
  return slice.status === "UNKNOWN" ? [{ at, kind: "doubt", sign: "?", label }] : [];
}
