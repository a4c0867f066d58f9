// @ts-check
/** The columns of the slices of an order. */

import { fullTime, price, quantity, span, stateOf, time } from "../../format.js";

/** @typedef {Record<string, any>} Slice */
/** @typedef {{word: string, isUnderWay: boolean}} Action */

/**
 * @param {(slice: Slice) => Action | null} action what can be done to a slice now, or is under way
 * @param {(slice: Slice) => void} act
 * @param {boolean} mayAct without it there is no column for it
 * @returns {(import("../../grid.js").Column & {value?: (slice: Slice) => string})[]}
 */
export function columns(action, act, mayAct) {
  return [
    {
      name: "number", label: "No", width: "48px", number: true, quiet: true,
      text: (slice) => String(slice.sequence_number), value: (slice) => String(slice.sequence_number),
    },
    {
      name: "planned", label: "Planned", width: "minmax(76px, 0.7fr)", whole: true, quiet: true,
      text: (slice) => time(slice.scheduled_at), title: (slice) => fullTime(slice.scheduled_at), value: (slice) => slice.scheduled_at,
    },
    {
      name: "sent", label: "Sent", width: "minmax(76px, 0.7fr)", whole: true, from: 620,
      text: (slice) => time(slice.sent_at), title: (slice) => fullTime(slice.sent_at), value: (slice) => slice.sent_at ?? "",
    },
    {
      name: "late", label: "Late", width: "70px", number: true, from: 620,
      text: (slice) => span(slice.late_ms), value: (slice) => (slice.late_ms === null ? "" : `${slice.late_ms} ms`),
    },
    {
      name: "quantity", label: "Quantity", width: "minmax(84px, 0.7fr)", number: true,
      text: (slice) => quantity(slice.quantity), value: (slice) => String(slice.quantity),
      title: (slice) => (slice.planned_quantity === slice.quantity ? "" : `planned ${quantity(slice.planned_quantity)}`),
    },
    {
      name: "filled", label: "Filled", width: "minmax(76px, 0.7fr)", number: true,
      text: (slice) => (slice.attempts ? quantity(slice.filled_quantity) : ""), value: (slice) => String(slice.filled_quantity),
    },
    {
      name: "price", label: "Price", width: "minmax(80px, 0.7fr)", number: true, from: 620,
      text: (slice) => price(slice.average_price), value: (slice) => slice.average_price ?? "",
    },
    {
      name: "state", label: "State", width: "minmax(104px, 0.9fr)", whole: true,
      text: (slice) => `${stateOf(slice.status).sign} ${stateOf(slice.status).word}`, title: (slice) => stateOf(slice.status).meaning,
      kind: (slice) => `state state-${stateOf(slice.status).tone}`, value: (slice) => slice.status,
    },
    {
      name: "tries", label: "Tries", width: "52px", number: true, from: 760,
      text: (slice) => String(slice.attempts || ""), value: (slice) => String(slice.attempts),
    },
    {
      name: "broker", label: "Broker's order", width: "minmax(100px, 1fr)", whole: true, from: 860,
      text: (slice) => slice.broker_order_id ?? "", title: (slice) => slice.broker_order_id ?? "", value: (slice) => slice.broker_order_id ?? "",
    },
    {
      name: "error", label: "Error", width: "minmax(90px, 1.4fr)", from: 480,
      text: (slice) => slice.error?.message ?? slice.error?.code ?? "", title: (slice) => slice.error?.code ?? "",
      value: (slice) => [slice.error?.code, slice.error?.message].filter(Boolean).join(": "),
    },
    ...(mayAct ? [actions(action, act)] : []),
  ];
}

/** @param {(slice: Slice) => Action | null} action @param {(slice: Slice) => void} act @returns {import("../../grid.js").Column} */
function actions(action, act) {
  return {
    name: "action", label: "", width: "110px", quiet: true, ticks: true,
    text: (slice) => `${action(slice)?.word ?? ""} ${slice.slice_id}`,
    draw(cell, slice) {
      const possible = action(slice);
      cell.replaceChildren();
      if (!possible) return;
      const button = document.createElement("button");
      button.type = "button";
      button.tabIndex = -1;
      button.textContent = possible.word;
      button.disabled = possible.isUnderWay;
      button.onclick = () => act(slice);
      cell.append(button);
    },
  };
}
