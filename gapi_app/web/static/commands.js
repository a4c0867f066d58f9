// @ts-check
/**
 * What a person can do to orders and slices, and how it goes: a button shows "Pausing..." until the server has answered, never a
 * result before.
 */

import { part } from "./router.js";

/** @typedef {Record<string, any>} Order */

export const OPEN = new Set(["PENDING", "IN_PROGRESS", "PAUSED"]);

/** @type {Map<string, {word: string, isSlow: boolean}>} */
const pending = new Map();
/** @type {Map<string, {title: string, details: string}>} */
const refusals = new Map();
/** @type {Set<() => void>} */
const listeners = new Set();

export const commands = {
  /** What is under way for an order or slice, such as "Pausing...", or an empty string. @param {string} id */
  under(id) {
    const command = pending.get(id);
    return command ? `${command.word}...${command.isSlow ? " still waiting" : ""}` : "";
  },

  /** Why the last command to an order or slice was refused, or null. @param {string} id */
  refusal(id) {
    return refusals.get(id) ?? null;
  },

  /** @param {() => void} listener @returns {() => void} */
  onChange(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },

  /** @param {Order} order */
  mayPause: (order) => order.status === "PENDING" || order.status === "IN_PROGRESS",
  /** @param {Order} order */
  mayResume: (order) => order.status === "PAUSED" || (order.held !== null && OPEN.has(order.status) && order.held.reason !== "HALTED"),
  /** @param {Order} order */
  mayCancel: (order) => OPEN.has(order.status),
  /** @param {Order} order */
  mayAmend: (order) => OPEN.has(order.status),
  /** @param {Record<string, any>} slice */
  mayRetry: (slice) => slice.status === "FAILED" || slice.status === "REJECTED",
  /** @param {Record<string, any>} slice */
  mayResolve: (slice) => slice.status === "UNKNOWN",

  /** What can be done to an order now. @param {Order} order @returns {[word: string, run: () => unknown][]} */
  possible(order) {
    /** @type {[string, (order: Order) => boolean, (order: Order) => unknown][]} */
    const all = [
      ["Pause", commands.mayPause, commands.pause],
      ["Resume", commands.mayResume, commands.resume],
      ["Amend...", commands.mayAmend, commands.amend],
      ["Cancel...", commands.mayCancel, commands.cancel],
    ];
    return all.flatMap(([word, may, run]) => (may(order) ? [[word, () => run(order)]] : []));
  },

  pause: carried("pause"),
  resume: carried("resume"),
  cancel: carried("cancel"),
  cancelAll: carried("cancelAll"),
  retry: carried("retry"),
  resolve: carried("resolve"),

  /** Opens the sheet that changes an order. @param {Order} order */
  async amend(order) {
    const sheet = await part(() => import("./pages/amend.js"));
    sheet?.amend(order);
  },
};

/** How the commands to orders and slices go, by their ids: told by whoever carries them out. */
export const course = {
  /** @param {string} id */
  isUnder: (id) => pending.has(id),

  /** @param {string} id @param {string} word such as "Pausing" */
  begin(id, word) {
    pending.set(id, { word, isSlow: false });
    refusals.delete(id);
    tell();
  },

  /** @param {string} id */
  isSlow(id) {
    const command = pending.get(id);
    if (command) command.isSlow = true;
    tell();
  },

  /** @param {string} id */
  end(id) {
    pending.delete(id);
    tell();
  },

  /** @param {string} id @param {{title: string, details: string}} refusal */
  refused(id, refusal) {
    refusals.set(id, refusal);
    tell();
  },
};

/** @param {keyof typeof import("./carry_out.js")} name @returns {(...given: any[]) => Promise<void>} */
function carried(name) {
  return async (...given) => {
    const all = /** @type {any} */ (await part(() => import("./carry_out.js")));
    await all?.[name](...given);
  };
}

function tell() {
  for (const listener of [...listeners]) listener();
}
