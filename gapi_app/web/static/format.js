// @ts-check
/** How figures, times and states are written. Nothing here asks the server. */

import { settings } from "./settings.js";

const DAY = 86_400_000;
/** A few times a second and thousands of cells: a formatter is made once for each zone and kind. */
/** @type {Map<string, Intl.DateTimeFormat>} */
const formatters = new Map();
let exchangeZone = "UTC";
let now = Date.now;

/** Times are those of this zone from now on, unless a person chose another. @param {string | null | undefined} zone */
export function useExchangeZone(zone) {
  if (zone) exchangeZone = zone;
}

/** "Today" is by this clock from now on, that of the server. @param {() => number} clock in milliseconds */
export function useClock(clock) {
  now = clock;
}

const INDIAN = new Intl.NumberFormat("en-IN");
const THOUSANDS = new Intl.NumberFormat("en-US");

/** @param {number | null | undefined} shares @returns {string} such as 1,00,000; an empty string where there is none */
export function quantity(shares) {
  if (shares === null || shares === undefined) return "";
  return (settings.get("grouping") === "indian" ? INDIAN : THOUSANDS).format(shares);
}

/**
 * A price as the server writes it, its digits kept but for zeros behind the second decimal.
 * @param {string | null | undefined} decimal
 */
export function price(decimal) {
  if (decimal === null || decimal === undefined) return "";
  const [whole, fraction = ""] = String(decimal).split(".");
  const sign = whole.startsWith("-") ? "-" : "";
  const kept = fraction.replace(/0+$/, "").padEnd(2, "0");
  // A string of digits of any length: BigInt groups it without a float.
  return `${sign}${quantity(/** @type {any} */ (BigInt(whole.replace("-", ""))))}.${kept}`;
}

/**
 * @param {number} part @param {number} whole
 * @returns {string} such as 48 %. Never 100 % before all is there, and never 0 % when something is.
 */
export function percent(part, whole) {
  if (!whole) return "";
  const share = (100 * part) / whole;
  if (share > 0 && share < 1) return "< 1 %";
  if (share > 99 && share < 100) return "> 99 %";
  return `${Math.round(share)} %`;
}

/** @param {number} share of one, signed @returns {string} such as +1.2 % or −6.0 % */
export function signedPercent(share) {
  const value = (100 * share).toFixed(1);
  if (Number(value) === 0) return "0.0 %";
  return `${share > 0 ? "+" : "−"}${value.replace("-", "")} %`;
}

/** @param {number} shares more than planned @returns {string} such as 2,261 behind */
export function gap(shares) {
  if (shares === 0) return "on plan";
  return `${quantity(Math.abs(shares))} ${shares < 0 ? "behind" : "ahead"}`;
}

/** @returns {string} the zone that times are shown in */
export function zone() {
  const chosen = settings.get("zone");
  if (chosen === "utc") return "UTC";
  return chosen === "local" ? Intl.DateTimeFormat().resolvedOptions().timeZone : exchangeZone;
}

/** @param {number} [at] the name of the zone at that instant, such as IST */
export function zoneName(at = now()) {
  const names = ["en-IN", "en-US", "en-GB"].map((language) => {
    const parts = formatter(`name ${language}`, language, { timeZoneName: "short" }).formatToParts(at);
    return parts.find((part) => part.type === "timeZoneName")?.value ?? zone();
  });
  return names.find((name) => !/^GMT[+-]/.test(name)) ?? names[0];
}

/** @param {string | number | null | undefined} instant @returns {string} 14:02:07, with its date unless that is today */
export function time(instant) {
  return dated(instant, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
}

/** @param {string | number | null | undefined} instant @returns {string} 14:02, with its date unless that is today */
export function minute(instant) {
  return dated(instant, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

/** @param {string | number | null | undefined} instant @returns {string} 2026-11-28 14:02:07.104 IST */
export function fullTime(instant) {
  const at = milliseconds(instant);
  if (at === null) return "";
  const clock = formatter("full", "en-GB", {
    hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23",
  });
  return `${day(at)} ${clock.format(at)} ${zoneName(at)}`;
}

/**
 * How long something took or how old it is. @param {number | null | undefined} duration in milliseconds
 * @returns {string} 47 ms, 1.2 s, 14 s, 3 min 05 s, 2 h 04 min
 */
export function span(duration) {
  if (duration === null || duration === undefined) return "";
  if (duration < 0) return `−${span(-duration)}`;
  if (duration < 1000) return `${Math.round(duration)} ms`;
  if (duration < 9950) return `${(duration / 1000).toFixed(1)} s`;
  const seconds = Math.round(duration / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${two(Math.floor((seconds % 3600) / 60))} min`;
}

/** What is left until an instant. @param {number} left in milliseconds @returns {string} 0:04, 3:12:07; "due" once over */
export function countdown(left) {
  if (left <= 0) return "due";
  const seconds = Math.ceil(left / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** @param {string} instrument such as NSE:RELIANCE @returns {string} RELIANCE */
export function symbol(instrument) {
  return instrument.slice(instrument.indexOf(":") + 1);
}

/** @param {Record<string, any>} order @returns {string} BUY 1,00,000 NSE:RELIANCE */
export function orderName(order) {
  return `${order.side} ${quantity(order.total_quantity)} ${order.instrument}`;
}

/** @typedef {{word: string, sign: string, tone: string, meaning: string}} State */

/** The word, sign and meaning of each status of an order or slice. @type {Record<string, State>} */
export const STATES = {
  PENDING: state("Pending", "◦", "calm", "accepted, about to be split"),
  IN_PROGRESS: state("In progress", "▸", "busy", "its slices are sent at their times"),
  PAUSED: state("Paused", "‖", "held", "no further slices are sent"),
  CANCELLING: state("Cancelling", "◂", "held", "a slice is still being cancelled at the broker"),
  CANCELLED: state("Cancelled", "✕", "ended", "cancelled; fills are kept"),
  DONE: state("Done", "✓", "ended", "every slice has ended"),
  SKIPPED: state("Skipped", "–", "ended", "not sent, and never will be"),
  SCHEDULED: state("Scheduled", "◦", "calm", "waiting for its time"),
  SENDING: state("On its way", "▹", "busy", "on its way to the broker"),
  UNKNOWN: state("In doubt", "?", "doubt", "possibly live at the broker; the broker's book will tell"),
  WORKING: state("Working", "▸", "busy", "live at the broker"),
  FILLED: state("Filled", "✓", "ended", "filled"),
  REJECTED: state("Rejected", "!", "bad", "refused by the broker"),
  EXPIRED: state("Expired", "⊘", "ended", "its time at the broker was over; may have fills"),
  FAILED: state("Failed", "!", "bad", "could not be sent"),
};

/** @param {string} status @returns {State} a status that this page does not know keeps its own word */
export function stateOf(status) {
  return STATES[status] ?? state(status, "·", "calm", "a state that this page does not know");
}

/** The parts of an exposure in the order in which they are drawn, with the word of each. */
export const EXPOSURE = /** @type {const} */ ([
  ["filled", "Filled"],
  ["working", "Working"],
  ["on_its_way", "On its way"],
  ["unknown", "In doubt"],
  ["unsent", "Unsent"],
]);

/**
 * Where the shares of an order are, for a bar.
 * @param {Record<string, any>} order
 * @returns {{parts: {name: string, share: number}[], label: string}} shares of one, and the same as a sentence
 */
export function exposureBar(order) {
  const total = order.total_quantity || 1;
  const parts = [];
  const words = [];
  for (const [name, word] of EXPOSURE) {
    const shares = order.exposure[name] ?? 0;
    if (!shares) continue;
    parts.push({ name, share: shares / total });
    words.push(`${word.toLowerCase()} ${quantity(shares)}`);
  }
  return { parts, label: words.join(", ") || "nothing" };
}

/** @param {string | number | null | undefined} instant @returns {number | null} */
export function milliseconds(instant) {
  if (instant === null || instant === undefined) return null;
  const at = typeof instant === "number" ? instant : Date.parse(instant);
  return Number.isNaN(at) ? null : at;
}

/** @param {string | number | null | undefined} instant @param {Intl.DateTimeFormatOptions} options */
function dated(instant, options) {
  const at = milliseconds(instant);
  if (at === null) return "";
  const clock = formatter(`clock ${options.second ?? ""}`, "en-GB", options).format(at);
  if (Math.abs(at - now()) < DAY && day(at) === day(now())) return clock;
  const date = formatter("date", "en-GB", { day: "2-digit", month: "short" }).format(at);
  return `${date} ${clock}`;
}

/** @param {number} at @returns {string} 2026-11-28 */
function day(at) {
  return formatter("day", "en-CA", { year: "numeric", month: "2-digit", day: "2-digit" }).format(at);
}

/** @param {string} kind @param {string} language @param {Intl.DateTimeFormatOptions} options */
function formatter(kind, language, options) {
  const key = `${zone()} ${kind}`;
  const found = formatters.get(key) ?? new Intl.DateTimeFormat(language, { timeZone: zone(), ...options });
  formatters.set(key, found);
  return found;
}

/** @param {string} word @param {string} sign @param {string} tone @param {string} meaning */
function state(word, sign, tone, meaning) {
  return { word, sign, tone, meaning };
}

/** @param {number} value */
function two(value) {
  return String(value).padStart(2, "0");
}
