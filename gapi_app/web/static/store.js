// @ts-check
/**
 * What the server has said about orders. Nothing else changes it: an event says what to ask for again, at most twice a
 * second, and the answer is what is shown.
 */
import { request } from "./api.js";
import { session } from "./session.js";
import { isOfView, isOlder, questionsOf, Refresher, Signal } from "./store_parts.js";
import { stream } from "./stream.js";

/** @typedef {import("./store_parts.js").Order} Order */
/** @typedef {import("./store_parts.js").View} View */

const PAGE = 200;
const ACCOUNTS_AT_ONCE = 4;
const POLL = 2000;
const LOOK = 15_000;

class Store {
  /** @type {Map<string, Order>} The orders of the view by id, in the order of the listing. */
  orders = new Map();
  /** @type {View} */
  view = { name: "working" };
  /** @type {"idle" | "loading" | "ready" | "error"} */
  state = "idle";
  /** @type {any} The ApiError of the last reading that failed. */
  error = null;
  /** When a reading that was refused for a while is tried again, in milliseconds since 1970; 0: by nobody. */
  retryAt = 0;
  /** Whether there are orders of the view beyond those that are loaded. */
  hasMore = false;
  /** The last event that the figures show. */
  asOf = 0;
  /** @type {Set<string>} Ids of the orders that somebody should look at: up to 200 of them. */
  attention = new Set();
  installation = new Signal(/** @type {any} */ (null));
  halts = new Signal(/** @type {any[]} */ ([]));
  alarms = new Signal(/** @type {any[]} */ ([]));

  #answeredAt = 0;
  /** @type {{name: string, page: Promise<any>} | null} */
  #foreseen = null;
  /** @type {string | null} */
  #cursor = null;
  #round = 0;
  #reading = Promise.resolve();
  /** @type {Map<string, number>} By account: the event after which its orders have to be asked for. */
  #pending = new Map();
  /** @type {Map<string, number>} By account: the event up to which its orders are known. */
  #seen = new Map();
  /** @type {Set<(change: {changed: Set<string>, added: Set<string>, removed: Set<string>}) => void>} */
  #listeners = new Set();
  /** @type {Set<import("./live_order.js").LiveOrder>} */
  #open = new Set();
  #changes = new Refresher(() => this.#readChanges());
  #attention = new Refresher(() => this.#readAttention(), 2000);
  #aside = new Refresher(() => this.#readAside(), 1000);

  /** Begin to follow; repeating it is harmless. */
  start() {
    stream.onEvent((event) => this.#note(event));
    // What is being read is shown first: its rows are the server's, and those who wait see them sooner.
    stream.onGap(() => this.#reading.then(() => this.reload()));
    session.onChange(() => session.state === "in" && this.state === "error" && this.reload());
    setInterval(() => this.#look(), POLL);
    setInterval(() => this.#aside.ask(), LOOK);
    this.#aside.ask();
    this.#attention.ask();
  }

  /** How old things are, in milliseconds: what was `heard` of the server, the `figures` of the table. */
  ages() {
    const now = Date.now();
    const heard = stream.heardAt ? now - stream.heardAt : Infinity;
    return { heard, figures: stream.state === "live" ? 0 : Math.min(heard, this.#answeredAt ? now - this.#answeredAt : Infinity) };
  }

  /** @param {(change: {changed: Set<string>, added: Set<string>, removed: Set<string>}) => void} fn */
  onChange(fn) {
    this.#listeners.add(fn);
    return () => this.#listeners.delete(fn);
  }

  /**
   * Show another view; `state` and `error` say how that goes. The orders of the view before stay until it has come.
   * @param {View} view
   */
  async load(view) {
    this.view = view;
    return this.reload();
  }

  /** Ask for the first orders of a view before it is shown, as soon as somebody is logged in. @param {any} name */
  foresee(name) {
    const page = session.token().then(() => (session.mustEnrol ? null : this.#page({ name }, null)));
    this.#foreseen = { name, page: page.catch(() => null) };
  }

  /** What was asked for ahead, once; null where that was something else, or was not answered. */
  async #foreseenPage() {
    const foreseen = this.#foreseen;
    this.#foreseen = null;
    const isIt = foreseen?.name === this.view.name && !this.view.sort && !Object.values(this.view.filters ?? {}).some(Boolean);
    return isIt ? foreseen.page : null;
  }

  /** Read the view anew, as many orders as are loaded. Done when what was asked for last has come. */
  async reload() {
    this.#reading = this.#readView();
    let last;
    do {
      last = this.#reading;
      await last;
    } while (last !== this.#reading);
  }

  async #readView() {
    const round = ++this.#round;
    const wanted = Math.max(this.orders.size, 1);
    this.retryAt = 0;
    if (this.state !== "ready") this.#become("loading", null);
    try {
      /** @type {Map<string, Order>} */
      const found = new Map();
      let cursor = null;
      let asOf = 0;
      do {
        /** @type {any} */
        const page = (await this.#foreseenPage()) ?? (await this.#page(this.view, cursor));
        if (round !== this.#round) return;
        for (const order of page.orders) found.set(order.order_id, order);
        asOf ||= page.last_event_id ?? 0;
        cursor = page.next_cursor;
      } while (cursor && found.size < wanted);
      this.#cursor = cursor;
      this.hasMore = cursor !== null;
      if (!session.isOverseer) this.asOf = asOf;
      this.#replace(found);
    } catch (failure) {
      if (round === this.#round) this.#failed(failure, round);
    }
    this.#attention.ask();
    this.#aside.ask();
    for (const live of this.#open) live.reload();
  }

  /** What the server refuses for a while is asked for once that is over. @param {any} failure @param {number} round */
  #failed(failure, round) {
    const wait = 1000 * (failure.retryAfter ?? 0);
    this.retryAt = wait && Date.now() + wait;
    if (wait) setTimeout(() => round === this.#round && this.reload(), wait);
    this.#become("error", failure);
  }

  /** The next page of the view. */
  async more() {
    const round = this.#round;
    if (!this.#cursor) return;
    const page = await this.#page(this.view, this.#cursor);
    if (round !== this.#round) return;
    this.#cursor = page.next_cursor;
    this.hasMore = this.#cursor !== null;
    this.#merge(page.orders, true);
  }

  /** All of the view, a page after the other. */
  async rest() {
    const round = this.#round;
    while (this.hasMore && round === this.#round) await this.more();
  }

  /** Read the first page of the view again, in silence: figures that move with the time and have no event. */
  async lookAgain() {
    const [round, page] = [this.#round, await this.#page(this.view, null).catch(() => null)];
    if (page && round === this.#round) this.#merge(page.orders, false);
  }

  /** Show an order as a command has just answered it. @param {Order} order */
  put(order) {
    this.#merge([order], false);
    for (const live of this.#open) if (live.id === order.order_id) live.ask();
  }

  /** Tell an order what happens, until what is returned is called. @param {import("./live_order.js").LiveOrder} live */
  follow(live) {
    this.#open.add(live);
    live.reload();
    return () => this.#open.delete(live);
  }

  /** Read halts and alarms now, as after a command that concerns them. */
  lookAside() {
    this.#aside.ask();
    this.#attention.ask();
  }

  /** @param {any} event */
  #note(event) {
    const account = session.isOverseer ? event.account_id : "";
    const number = session.isOverseer ? event.account_event_id : event.event_id;
    if (session.isOverseer) this.asOf = event.event_id;
    const known = this.#seen.get(account) ?? (session.isOverseer ? 0 : this.asOf);
    if (number > known) this.#pending.set(account, Math.min(this.#pending.get(account) ?? Infinity, number - 1));
    this.#changes.ask();
    for (const live of this.#open) live.note(event);
    if (/alarm|rejected|failed|unknown|held|released/.test(event.type) || event.from_status === "UNKNOWN") this.lookAside();
    else if (this.attention.has(event.order_id)) this.#attention.ask();
  }

  async #readChanges() {
    const accounts = [...this.#pending].slice(0, ACCOUNTS_AT_ONCE);
    for (const [account, after] of accounts) {
      this.#pending.delete(account);
      try {
        await this.#readChangesOf(account, Math.max(after, this.#seen.get(account) ?? 0));
      } catch (failure) {
        this.#pending.set(account, Math.min(this.#pending.get(account) ?? Infinity, after));
        throw failure;
      }
    }
    if (this.#pending.size) this.#changes.ask();
  }

  /** @param {string} account @param {number} after */
  async #readChangesOf(account, after) {
    const query = { changed_after: after, limit: PAGE, account_id: account };
    let cursor = null;
    let last = 0;
    do {
      const { body } = await request("GET", "/api/orders", { query: { ...query, cursor } });
      this.#answeredAt = Date.now();
      this.#merge(body.orders, false);
      last ||= body.last_event_id;
      cursor = body.next_cursor;
    } while (cursor);
    this.#seen.set(account, Math.max(last, this.#seen.get(account) ?? 0));
    if (!session.isOverseer) this.asOf = Math.max(this.asOf, last);
  }

  /** Something of what is shown was answered just now. */
  answered() {
    this.#answeredAt = Date.now();
  }

  /** Without a stream it is asked for, less often. */
  #look() {
    if (session.state === "out" || stream.state === "live" || stream.state === "connecting") return;
    for (const live of this.#open) live.ask();
    if (this.state === "idle") return;
    if (session.isOverseer) {
      this.reload();
      return;
    }
    this.#pending.set("", Math.min(this.#pending.get("") ?? Infinity, this.asOf));
    this.#changes.ask();
  }

  /** @param {View} view @param {string | null} cursor */
  async #page(view, cursor) {
    const query = { ...questionsOf(view, this.#zone()), ...view.filters, sort: view.sort, limit: PAGE, cursor };
    const { body } = await request("GET", "/api/orders", { query });
    this.#answeredAt = Date.now();
    return body;
  }

  async #readAttention() {
    if (session.state === "out" || !session.me) return;
    const { body } = await request("GET", "/api/orders", { query: { attention: true, limit: PAGE } });
    this.attention = new Set(body.orders.map((/** @type {Order} */ one) => one.order_id));
    if (this.view.name === "attention") this.#drop((order) => !this.attention.has(order.order_id));
    this.#merge(body.orders, false);
    this.#tell(new Set(this.attention), new Set(), new Set());
  }

  async #readAside() {
    if (session.state === "out" || !session.me || session.mustEnrol) return;
    if (!this.installation.value) this.installation.set((await request("GET", "/api/installation")).body);
    this.halts.set((await request("GET", "/api/halts", { query: { in_force: true, limit: 100 } })).body.halts);
    if (session.isOverseer) {
      const open = ["OPEN", "ACKNOWLEDGED"].map((status) => request("GET", "/api/alarms", { query: { status, limit: PAGE } }));
      this.alarms.set((await Promise.all(open)).flatMap((one) => one.body.alarms));
    }
  }

  /** @param {Map<string, Order>} found */
  #replace(found) {
    const before = this.orders;
    this.orders = found;
    const removed = new Set([...before.keys()].filter((id) => !found.has(id)));
    const added = new Set([...found.keys()].filter((id) => !before.has(id)));
    this.#become("ready", null);
    this.#tell(new Set(found.keys()), added, removed);
  }

  /**
   * @param {Order[]} orders
   * @param {boolean} isListed Whether they are of the view for certain, and come after those that are loaded.
   */
  #merge(orders, isListed) {
    const changed = new Set();
    const added = new Set();
    const removed = new Set();
    for (const order of orders) {
      const id = order.order_id;
      const known = this.orders.get(id);
      // What was asked for earlier may come later.
      if (known && isOlder(order, known)) continue;
      const belongs = isListed || this.#belongs(order);
      if (!known && !belongs) continue;
      if (!belongs) this.orders.delete(id);
      else if (known || isListed) this.orders.set(id, order);
      else this.orders = new Map([[id, order], ...this.orders]);
      (belongs ? (known ? changed : added) : removed).add(id);
    }
    if (changed.size || added.size || removed.size) this.#tell(changed, added, removed);
  }

  /** @param {(order: Order) => boolean} isOver */
  #drop(isOver) {
    const removed = new Set([...this.orders.values()].filter(isOver).map((one) => one.order_id));
    for (const id of removed) this.orders.delete(id);
    if (removed.size) this.#tell(new Set(), new Set(), removed);
  }

  /** @param {Order} order */
  #belongs(order) {
    return (this.view.name !== "attention" || this.attention.has(order.order_id)) && isOfView(order, this.view, this.#zone());
  }

  #zone() {
    return this.installation.value?.time_zone ?? "UTC";
  }

  /** @param {"loading" | "ready" | "error"} state @param {any} error */
  #become(state, error) {
    this.state = state;
    this.error = error;
    this.#tell(new Set(), new Set(), new Set());
  }

  /** @param {Set<string>} changed @param {Set<string>} added @param {Set<string>} removed */
  #tell(changed, added, removed) {
    for (const fn of [...this.#listeners]) fn({ changed, added, removed });
  }
}

export const store = new Store();
