// @ts-check
/** What needs a person: slices in doubt, refused or failed, held orders and alarms, the oldest first, each with its next step. */

import { request } from "../api.js";
import { commands } from "../commands.js";
import { fullTime, span, time } from "../format.js";
import { serverNow } from "../api.js";
import { Refresher } from "../store_parts.js";
import { session } from "../session.js";
import { store } from "../store.js";
import { stream } from "../stream.js";
import { html, nothing, render } from "../vendor/lit-html.js";
import { alarmItem, forgetNotes } from "./attention/alarms.js";
import { heldItem, sliceItem } from "./attention/orders.js";
import { refusalOf, refusalStrip } from "./form.js";

const PACE = 2000; // milliseconds between two readings
const AT_ONCE = 4;
const MOST_ORDERS = 50;
const TROUBLE = new Set(["UNKNOWN", "REJECTED", "FAILED"]);
const WORKING = "PENDING,IN_PROGRESS,PAUSED,CANCELLING";
/** An alarm of these tells the same as its held order. */
const OF_HOLDS = new Set(["ORDER_HELD", "LIMIT_REACHED"]);

/** @typedef {Record<string, any>} Fields */
/** @typedef {{key: string, at: string, kind: "slice" | "held" | "alarm", draw: () => unknown}} Item */

/** @param {HTMLElement} root */
export function open(root) {
  /** @type {{order: Fields, slices: Fields[]}[]} */
  let troubled = [];
  /** @type {Fields[]} */
  let held = [];
  let isLoaded = false;
  let hasMore = false;
  /** @type {any} */
  let refusal = null;
  let isClosed = false;
  const reader = new Refresher(read, PACE);

  async function read() {
    try {
      const [attention, working] = await Promise.all([
        request("GET", "/api/orders", { query: { attention: true, sort: "created_at", limit: 200 } }),
        request("GET", "/api/orders", { query: { status: WORKING, sort: "created_at", limit: 200 } }),
      ]);
      const orders = attention.body.orders.slice(0, MOST_ORDERS);
      hasMore = attention.body.orders.length > MOST_ORDERS || attention.body.next_cursor !== null;
      const found = await slicesOf(orders);
      troubled = found;
      const all = new Map([...attention.body.orders, ...working.body.orders].map((order) => [order.order_id, order]));
      held = [...all.values()].filter((order) => order.held !== null && order.finished_at === null);
      [isLoaded, refusal] = [true, null];
    } catch (problem) {
      refusal = refusalOf(problem);
      draw();
      throw problem;
    }
    draw();
  }

  /** @returns {Item[]} */
  function items() {
    const alarms = store.alarms.value;
    const byOrder = new Map([...troubled.map(({ order }) => order), ...held].map((order) => [order.order_id, order]));
    const told = new Set(alarms.filter((alarm) => OF_HOLDS.has(alarm.code)).map((alarm) => alarm.order_id));
    /** @type {Item[]} */
    const all = [
      ...troubled.flatMap(({ order, slices }) => slices.map((slice) => (
        /** @type {Item} */ ({ key: slice.slice_id, at: slice.sent_at ?? slice.scheduled_at, kind: "slice", draw: () => sliceItem(order, slice, reader) })))),
      ...held.filter((order) => !told.has(order.order_id)).map((order) => (
        /** @type {Item} */ ({ key: order.order_id, at: order.held.since, kind: "held", draw: () => heldItem(order) }))),
      ...alarms.map((alarm) => (
        /** @type {Item} */ ({ key: alarm.alarm_id, at: alarm.opened_at, kind: "alarm", draw: () => alarmItem(alarm, byOrder.get(alarm.order_id) ?? null, draw) }))),
    ];
    return all.sort((one, other) => one.at.localeCompare(other.at));
  }

  function draw() {
    if (isClosed) return;
    const all = items();
    render(html`<div class="page-attention">
      <h1>Attention</h1>
      ${refusal ? html`${refusalStrip(refusal)}<p><button type="button" @click=${() => reader.ask()}>Try again</button></p>` : nothing}
      ${isLoaded ? summary(all) : html`<p class="soft">Loading what needs you</p>`}
      <ol class="attention">${all.map((item) => html`<li data-item=${item.key} data-kind=${item.kind}>
        <p class="soft"><time datetime=${item.at} title=${fullTime(item.at)}>${time(item.at)}</time>, ${span(Math.max(0, serverNow() - Date.parse(item.at)))} ago</p>
        ${item.draw()}</li>`)}
      </ol>
      ${hasMore ? html`<p>Slices of the oldest ${MOST_ORDERS} orders are shown. <a href="/app?view=attention">All orders that need somebody</a></p>` : nothing}
    </div>`, root);
  }

  /** @param {Item[]} all */
  function summary(all) {
    if (!all.length) return html`<p>✓ Nothing needs you.</p>`;
    const words = /** @type {const} */ ([["slice", "slice in doubt or refused", "slices in doubt or refused"], ["held", "held order", "held orders"], ["alarm", "alarm", "alarms"]]);
    const parts = words.map(([kind, one, several]) => {
      const count = all.filter((item) => item.kind === kind).length;
      return count ? `${count} ${count === 1 ? one : several}` : "";
    }).filter(Boolean);
    return html`<p>${parts.join(", ")}, the oldest first.${session.isOverseer ? nothing : " Of your own orders."}</p>`;
  }

  const offs = [
    stream.onEvent((event) => /alarm|slice\.(rejected|failed|unknown|scheduled|filled|working)|order\.(held|released|done|cancelled)/.test(event.type) && reader.ask()),
    store.alarms.onChange(() => { reader.ask(); draw(); }),
    commands.onChange(() => { reader.ask(); draw(); }),
    session.onChange(draw),
  ];
  const ticking = setInterval(draw, 1000);
  const looking = setInterval(() => reader.ask(), 15_000);
  draw();
  reader.ask();
  return {
    title: "Attention",
    close() {
      isClosed = true;
      clearInterval(ticking);
      clearInterval(looking);
      reader.stop();
      forgetNotes();
      for (const off of offs) off();
    },
  };
}

/** @param {Fields[]} orders @returns {Promise<{order: Fields, slices: Fields[]}[]>} those with slices that need somebody */
async function slicesOf(orders) {
  /** @type {{order: Fields, slices: Fields[]}[]} */
  const found = [];
  const left = orders.filter((order) => [...TROUBLE].some((status) => order.slices[status]));
  const worker = async () => {
    for (let order = left.shift(); order; order = left.shift()) {
      const { body } = await request("GET", `/api/orders/${order.order_id}/slices`);
      found.push({ order, slices: body.slices.filter((/** @type {Fields} */ slice) => TROUBLE.has(slice.status)) });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return found;
}
