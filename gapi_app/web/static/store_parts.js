// @ts-check
/** What the store is made of: when something is read again, values that are watched, and which orders a view holds. */
import { serverNow } from "./api.js";

/** @typedef {Record<string, any>} Order */
/**
 * @typedef {{name: "working" | "attention" | "today" | "all", sort?: string, filters?: Record<string, string>}} View
 * `sort`: how the listing is sorted, where that is not the newest first. `filters`: what the listing of orders takes (instrument, side, status, broker_account, account_id, order_unique_key, search).
 */

const PACE = 500;
const AGAIN = 2000;
const WORKING = ["PENDING", "IN_PROGRESS", "PAUSED", "CANCELLING"];

/** Does one thing when asked, never twice at once, and no sooner again than after a pause. What failed is tried again. */
export class Refresher {
  #isAsked = false;
  #isRunning = false;
  #last = -Infinity;
  #isOver = false;

  /**
   * @param {() => Promise<void>} work
   * @param {number} [pace] The least milliseconds from one beginning to the next.
   */
  constructor(work, pace = PACE) {
    this.work = work;
    this.pace = pace;
  }

  ask() {
    if (this.#isAsked || this.#isOver) return;
    this.#isAsked = true;
    if (!this.#isRunning) this.#run();
  }

  stop() {
    this.#isOver = true;
  }

  async #run() {
    this.#isRunning = true;
    while (this.#isAsked && !this.#isOver) {
      const wait = this.#last + this.pace - performance.now();
      if (wait > 0) await pause(wait);
      this.#isAsked = false;
      this.#last = performance.now();
      try {
        await this.work();
      } catch (failure) {
        const isOver = /** @type {any} */ (failure)?.status === 401 || /** @type {any} */ (failure)?.status === 403;
        if (!isOver) {
          await pause(Math.max(AGAIN, (/** @type {any} */ (failure)?.retryAfter ?? 0) * 1000));
          this.#isAsked = true;
        }
      }
    }
    this.#isRunning = false;
  }
}

/** A value, and who wants to know of it. @template T */
export class Signal {
  /** @type {Set<() => void>} */
  #listeners = new Set();
  /** Whether it was ever told: what it began with is nobody's answer. */
  #isTold = false;

  /** @param {T} value */
  constructor(value) {
    this.value = value;
  }

  /** @param {T} value */
  set(value) {
    const isSame = this.#isTold && JSON.stringify(value) === JSON.stringify(this.value);
    this.#isTold = true;
    this.value = value;
    if (!isSame) for (const fn of [...this.#listeners]) fn();
  }

  /** @param {() => void} fn */
  onChange(fn) {
    this.#listeners.add(fn);
    return () => this.#listeners.delete(fn);
  }
}

/** @param {number} milliseconds */
function pause(milliseconds) {
  return new Promise((done) => setTimeout(done, milliseconds));
}

/** What the listing is asked for a view. @param {View} view @param {string} zone of the exchange @returns {Record<string, any>} */
export function questionsOf(view, zone) {
  if (view.name === "working") return { status: WORKING.join(",") };
  if (view.name === "attention") return { attention: true };
  if (view.name === "today") return { created_from: startOfToday(zone) };
  return {};
}

/** Whether an order is of a view, as far as the order tells. @param {Order} order @param {View} view @param {string} zone of the exchange */
export function isOfView(order, { name, filters = {} }, zone) {
  const { status, search, ...exact } = filters;
  if (search && !isMeant(order, search)) return false;
  if (status && !status.split(",").includes(order.status)) return false;
  if (Object.entries(exact).some(([field, value]) => value && order[field] !== value)) return false;
  if (name === "working") return WORKING.includes(order.status);
  return name !== "today" || order.created_at >= startOfToday(zone);
}

/** Whether somebody who looks for a text means the order: by instrument, key, note or id. @param {Order} order @param {string} text */
export function isMeant(order, text) {
  const wanted = text.toLowerCase();
  return [order.instrument, order.order_unique_key, order.client_note ?? "", order.order_id].some((word) => word.toLowerCase().includes(wanted));
}

/** Whether an order was read earlier than another reading of it. @param {Order} one @param {Order} other */
export function isOlder(one, other) {
  return one.updated_at < other.updated_at || (one.updated_at === other.updated_at && one.filled_quantity < other.filled_quantity);
}

/** When the day began there, as the API writes instants. @param {string} zone */
function startOfToday(zone) {
  const now = serverNow();
  const options = /** @type {const} */ ({ timeZone: zone, hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const [hours, minutes, seconds] = new Intl.DateTimeFormat("en-GB", options).format(now).split(":").map(Number);
  const begun = now - (now % 1000) - ((hours * 60 + minutes) * 60 + seconds) * 1000;
  return new Date(begun).toISOString().replace("Z", "000Z");
}
