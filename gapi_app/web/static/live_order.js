// @ts-check
/** One order with its slices, fills and events, followed. */
import { request } from "./api.js";
import { Refresher } from "./store_parts.js";
import { store } from "./store.js";

const PAGE = 500;

export class LiveOrder {
  /** @type {any} The order as the API gives it; null until it has come. */
  order = null;
  /** @type {any[]} By sequence number. */
  slices = [];
  /** @type {any[]} Oldest first. */
  fills = [];
  /** @type {any[]} Oldest first; loaded when `loadEvents` is called. */
  events = [];
  /** @type {"loading" | "ready" | "missing" | "error"} */
  state = "loading";
  /** @type {any} */
  error = null;

  #bySequence = new Map();
  /** @type {string | null} */
  #fillCursor = null;
  #fillKeys = new Set();
  #asOf = 0;
  #isFull = true;
  #hasFills = false;
  #followsEvents = false;
  /** @type {any[]} */
  #heard = [];
  /** @type {Set<() => void>} */
  #listeners = new Set();
  #refresher = new Refresher(() => this.#read());

  /**
   * @param {string} id
   * @param {() => void} onClose
   */
  constructor(id, onClose) {
    this.id = id;
    this.onClose = onClose;
  }

  /** @param {() => void} fn */
  onChange(fn) {
    this.#listeners.add(fn);
    return () => this.#listeners.delete(fn);
  }

  close() {
    this.#refresher.stop();
    this.#listeners.clear();
    this.onClose();
  }

  /** Read what has changed since. */
  ask() {
    this.#refresher.ask();
  }

  /** Read all of it anew. */
  reload() {
    this.#isFull = true;
    this.ask();
  }

  /** Something happened, to this order or another. @param {any} event */
  note(event) {
    if (event.order_id !== this.id) return;
    if (event.type === "slice.fill") this.#hasFills = true;
    if (this.#followsEvents) this.#addEvents([event]);
    else this.#heard.push(event);
    this.ask();
  }

  /** Read everything that has happened to it, once; what happens then is added by itself. */
  async loadEvents() {
    let after = 0;
    for (;;) {
      const query = { format: "json", after, limit: PAGE };
      const { body } = await request("GET", `/api/orders/${this.id}/events`, { query });
      this.#addEvents(body.events);
      if (!body.next_after) break;
      after = body.next_after;
    }
    this.#followsEvents = true;
    this.#addEvents(this.#heard);
    this.#heard = [];
    this.#tell();
  }

  /** @param {any[]} events */
  #addEvents(events) {
    const last = this.events.at(-1);
    const lastId = last ? idOf(last) : 0;
    this.events.push(...events.filter((one) => idOf(one) > lastId));
  }

  async #read() {
    const isFull = this.#isFull;
    // Whoever asks for all of it meanwhile gets another reading.
    this.#isFull = false;
    try {
      const path = `/api/orders/${encodeURIComponent(this.id)}`;
      const query = isFull ? {} : { changed_after: this.#asOf };
      const [order, slices] = await Promise.all([request("GET", path), request("GET", `${path}/slices`, { query })]);
      if (isFull) this.#bySequence.clear();
      for (const slice of slices.body.slices) this.#bySequence.set(slice.sequence_number, slice);
      this.slices = [...this.#bySequence.values()].sort((one, other) => one.sequence_number - other.sequence_number);
      this.order = order.body;
      store.answered();
      this.#asOf = slices.body.last_event_id;
      if (isFull || this.#hasFills) await this.#readFills(path);
      this.state = "ready";
      this.error = null;
    } catch (failure) {
      this.error = failure;
      this.#isFull ||= isFull;
      this.state = /** @type {any} */ (failure).status === 404 ? "missing" : "error";
      this.#tell();
      if (this.state === "missing") return;
      throw failure;
    }
    this.#tell();
  }

  /** @param {string} path */
  async #readFills(path) {
    this.#hasFills = false;
    for (;;) {
      const query = { limit: PAGE, cursor: this.#fillCursor };
      const { body } = await request("GET", `${path}/fills`, { query });
      for (const fill of body.fills) {
        const key = `${fill.broker_order_id} ${fill.trade_id}`;
        if (this.#fillKeys.has(key)) continue;
        this.#fillKeys.add(key);
        this.fills.push(fill);
      }
      // The last page is read again for what comes to it.
      if (!body.next_cursor) return;
      this.#fillCursor = body.next_cursor;
    }
  }

  #tell() {
    for (const fn of [...this.#listeners]) fn();
  }
}

/** One order, followed until it is closed. @param {string} id */
export function follow(id) {
  const live = new LiveOrder(id, () => end());
  const end = store.follow(live);
  return live;
}

/** The number of an event in the feed of its account, whichever feed told it. @param {any} event */
function idOf(event) {
  return event.account_event_id ?? event.event_id;
}
