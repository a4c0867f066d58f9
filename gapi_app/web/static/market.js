// @ts-check
/** Whether the exchange trades now, and for how long or from when. */
import { request, serverNow } from "./api.js";
import { countdown, time } from "./format.js";

const OLD = 300_000;

/** @type {any} */
let day = null;
let askedAt = -OLD;

/**
 * Such as `NSE open, 3:12:07 left`; "" until it is known.
 * @param {string | undefined} exchange
 */
export function marketNow(exchange) {
  if (exchange && performance.now() - askedAt > OLD) ask(exchange);
  if (!day) return "";
  const now = serverNow();
  const phase = day.phases.find((/** @type {any} */ one) => one.takes.length && Date.parse(one.opens_at) <= now && now < Date.parse(one.closes_at));
  if (phase) return `${day.exchange} open, ${countdown(Date.parse(phase.closes_at) - now)} left`;
  if (!day.is_kept) return `${day.exchange} closed, paper trades`;
  return day.next_session ? `${day.exchange} closed until ${time(day.next_session.opens_at)}` : `${day.exchange} closed`;
}

/** @param {string} exchange */
async function ask(exchange) {
  askedAt = performance.now();
  try {
    day = (await request("GET", `/api/markets/${encodeURIComponent(exchange)}`)).body;
  } catch {
    // Asked again in a while; what is known stays.
  }
}
