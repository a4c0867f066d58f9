// @ts-check
/**
 * The order that is being written, kept in this tab until it is placed: a reload finds it again, with the same order_unique_key, so that
 * an order whose answer was lost is found and not placed twice. Nothing of it is secret.
 */

import { zone } from "../../format.js";

const PLACE = "pulse.ticket";

/** What a new ticket says, all as typed. */
const EMPTY = {
  side: "BUY",
  instrument: "",
  quantity: "",
  slices: "10",
  minutes: "60",
  untilClose: false,
  randomize: true,
  orderType: "MARKET",
  limitPrice: "",
  start: "now",
  startAt: "",
  session: "refuse",
  product: "",
  brokerAccount: "",
  sliceTimeout: "",
  note: "",
  // Empty: the default of the account.
  catchUp: "",
  maxSliceMultiple: "",
  extendMinutes: "",
  leftover: "",
  atEnd: "",
};

/** @typedef {typeof EMPTY & {key: string, account: string}} Draft */

/** @param {string} account whose draft it is: what somebody else wrote in this tab is not shown @returns {Draft} */
export function draftOf(account) {
  try {
    const kept = JSON.parse(sessionStorage.getItem(PLACE) ?? "null");
    if (kept && kept.account === account && typeof kept.key === "string") return { ...EMPTY, ...kept };
  } catch {
    // What cannot be read is as good as none.
  }
  return newDraft(account);
}

/** @param {string} account @returns {Draft} */
export function newDraft(account) {
  const draft = { ...EMPTY, key: `web-${crypto.randomUUID()}`, account };
  keep(draft);
  return draft;
}

/** @param {Draft} draft */
export function keep(draft) {
  try {
    sessionStorage.setItem(PLACE, JSON.stringify(draft));
  } catch {
    // Without storage the draft lasts as long as the page.
  }
}

/** Once it is known to be placed, the next ticket is another order. */
export function forget() {
  try {
    sessionStorage.removeItem(PLACE);
  } catch {
    // Nothing was kept.
  }
}

/**
 * What is missing before the server can be asked, by the API's names of the fields.
 * @param {Draft} draft
 * @returns {Record<string, string>}
 */
export function missing(draft) {
  /** @type {Record<string, string>} */
  const problems = {};
  if (!draft.instrument.trim()) problems.instrument = "Choose an instrument.";
  if (wholeNumber(draft.quantity) === null) problems.total_quantity = "How many shares, as a whole number?";
  if (wholeNumber(draft.slices) === null) problems["split_config.num_splits"] = "Into how many slices?";
  if (!draft.untilClose && wholeNumber(draft.minutes) === null) problems["split_config.duration_minutes"] = "Over how many minutes?";
  if (draft.orderType === "LIMIT" && !/^[0-9]+(\.[0-9]+)?$/.test(draft.limitPrice.trim())) problems.limit_price = "At which price, such as 2510.50?";
  if (draft.start === "at" && startOf(draft) === null) problems.start_at = "When does it begin?";
  return problems;
}

/**
 * The body of the request, as `POST /api/orders` and its preview take it.
 * @param {Draft} draft one in which nothing is missing
 * @returns {Record<string, any>}
 */
export function bodyOf(draft) {
  const window_ = draft.untilClose ? { until_close: true } : { duration_minutes: wholeNumber(draft.minutes) };
  return {
    order_unique_key: draft.key,
    instrument: draft.instrument.trim().toUpperCase(),
    side: draft.side,
    total_quantity: wholeNumber(draft.quantity),
    split_config: { num_splits: wholeNumber(draft.slices), randomize: draft.randomize, ...window_ },
    order_type: draft.orderType,
    ...(draft.orderType === "LIMIT" ? { limit_price: draft.limitPrice.trim() } : {}),
    ...(draft.start === "at" ? { start_at: startOf(draft) } : {}),
    session: draft.session,
    ...(draft.product ? { product: draft.product } : {}),
    ...(draft.brokerAccount ? { broker_account: draft.brokerAccount } : {}),
    ...(draft.sliceTimeout.trim() ? { slice_timeout_seconds: wholeNumber(draft.sliceTimeout) ?? draft.sliceTimeout } : {}),
    ...(draft.note.trim() ? { client_note: draft.note.trim() } : {}),
    ...(draft.catchUp ? { catch_up: draft.catchUp } : {}),
    ...(draft.maxSliceMultiple.trim() ? { max_slice_multiple: wholeNumber(draft.maxSliceMultiple) ?? draft.maxSliceMultiple } : {}),
    ...(draft.extendMinutes.trim() ? { extend_minutes: wholeNumber(draft.extendMinutes) ?? draft.extendMinutes } : {}),
    ...(draft.leftover ? { leftover: draft.leftover } : {}),
    ...(draft.atEnd ? { at_end: draft.atEnd } : {}),
  };
}

/** @param {string} text with or without grouping, such as 1,00,000 @returns {number | null} */
export function wholeNumber(text) {
  const digits = text.replace(/[,\s_']/g, "");
  return /^[0-9]{1,15}$/.test(digits) ? Number(digits) : null;
}

/** @param {Draft} draft */
function startOf(draft) {
  return instantIn(zone(), draft.startAt);
}

/**
 * The instant at which a clock in a zone shows this.
 * @param {string} zoneName such as Asia/Kolkata
 * @param {string} local such as 2026-11-28T14:30, as an input of the type datetime-local has it
 * @returns {string | null} in UTC; null for what is no time
 */
export function instantIn(zoneName, local) {
  const wanted = Date.parse(`${local}Z`);
  if (Number.isNaN(wanted)) return null;
  // Twice: the offset at the guess may be another than that at the instant, on the day the clocks change.
  let at = wanted;
  for (let turn = 0; turn < 2; turn += 1) at = wanted - offset(zoneName, at);
  return new Date(at).toISOString();
}

/** @param {string} zoneName @param {number} at @returns {number} how far its clock is before UTC, in milliseconds */
function offset(zoneName, at) {
  const parts = new Intl.DateTimeFormat("en-CA", {
    timeZone: zoneName, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
  }).formatToParts(at);
  const part = (/** @type {string} */ type) => Number(parts.find((one) => one.type === type)?.value);
  const shown = Date.UTC(part("year"), part("month") - 1, part("day"), part("hour"), part("minute"), part("second"));
  return shown - Math.floor(at / 1000) * 1000;
}
