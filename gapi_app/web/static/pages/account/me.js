// @ts-check
/** Who is logged in, with which rights and limits. */

import { request } from "../../api.js";
import { fullTime, price, quantity } from "../../format.js";
import { session } from "../../session.js";
import { html, nothing } from "../../vendor/lit-html.js";
import { part } from "./section.js";

const NAMES = /** @type {Record<string, string>} */ ({
  order_quantity: "Units of an order", order_worth: "Worth of an order", day_quantity: "Units of a day", day_worth: "Worth of a day",
  open_orders: "Open orders", orders_per_minute: "Orders a minute", price_collar_percent: "Limit price from the last price, %",
  volume_share_percent: "Of a usual day's volume, %", instruments: "Instruments", products: "Products",
});
const WORTHS = new Set(["order_worth", "day_worth"]);

export const me = {
  id: "me",
  title: "You",
  /** @param {HTMLElement} root */
  fill(root) {
    const self = part(root, "me", { limits: /** @type {any} */ (null) }, ({ state }) => html`
      <dl class="facts">
        <div><dt>Name</dt><dd>${session.me?.username}</dd></div>
        <div><dt>Role</dt><dd>${session.me?.role}</dd></div>
        <div><dt>Account</dt><dd><code>${session.me?.account_id}</code></dd></div>
        <div><dt>This login ends</dt><dd>${fullTime(session.me?.login_ends_at)}</dd></div>
        <div><dt>Requests</dt><dd>${paceOf(session.me?.limits.requests)}</dd></div>
      </dl>
      ${state.limits ? limitTable(state.limits) : nothing}`);
    self.run("", async () => {
      self.state.limits = (await request("GET", "/api/limits")).body;
    });
    return self;
  },
};

/** @param {{limit: number, window_seconds: number} | null | undefined} limit */
function paceOf(limit) {
  return limit ? `${quantity(limit.limit)} in ${limit.window_seconds} s` : "no limit";
}

/** What an account may do at most, and what is left of it. @param {any} limits */
export function limitTable(limits) {
  const rows = Object.keys(NAMES).filter((name) => limits.in_force[name] !== null);
  return html`<table class="plain limits">
    <caption>Limits at ${limits.broker_account}, for the day that ends ${fullTime(limits.day_ends_at)}</caption>
    <thead><tr><th>What</th><th class="number">At most</th><th class="number">Used</th><th class="number">Left</th></tr></thead>
    <tbody>${rows.map((name) => html`<tr><td>${NAMES[name]}</td>${["in_force", "used", "left"].map((column) => html`<td class="number">${written(name, limits[column][name])}</td>`)}</tr>`)}</tbody>
  </table>
  ${rows.length ? nothing : html`<p>No limits of your own.</p>`}
  ${limits.not_enforced.length ? html`<p class="doubt">Not enforced now: ${limits.not_enforced.map((/** @type {any} */ one) => `${one.limit} (${one.reason})`).join("; ")}</p>` : nothing}`;
}

export { NAMES as LIMIT_NAMES };

/** @param {string} name @param {any} value */
function written(name, value) {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.join(", ");
  if (WORTHS.has(name)) return price(value);
  return typeof value === "number" ? quantity(value) : value;
}
