// @ts-check
/** The sheet that amends an order: what is to change, what it was and will be, and then the change. */

import { request } from "../api.js";
import { sheet as side } from "../dialog.js";
import { fullTime, price, quantity, time, zone, zoneName } from "../format.js";
import { announce, toast } from "../notice.js";
import { html, nothing, render } from "../vendor/lit-html.js";
import { choice, field, fieldProblems, insist, refusalOf, refusalStrip } from "./form.js";
import { instantIn, wholeNumber } from "./ticket/draft.js";
import { AT_ENDS, CATCH_UPS, LEFTOVERS } from "./ticket/form.js";

const AGAIN = 5; // an order that is being worked changes with every fill
const CHOICES = /** @type {Record<string, [string, [string, string][]]>} */ ({
  catch_up: ["What it misses", CATCH_UPS],
  leftover: ["Unfilled rest of a slice", LEFTOVERS],
  at_end: ["When the window is over", AT_ENDS],
});
const NUMBERS = /** @type {Record<string, string>} */ ({ max_slice_multiple: "No slice above (times the plan)", extend_minutes: "Window may grow by (minutes)" });
const WORDS = /** @type {Record<string, string>} */ ({ total_quantity: "Quantity", end_at: "End of the window", limit_price: "Limit price", client_note: "Note", ...NUMBERS });
/** What a person saw, and must not have changed by somebody else meanwhile. */
const TERMS = ["total_quantity", "end_at", "limit_price", "client_note", "catch_up", "leftover", "at_end", "max_slice_multiple", "extend_minutes"];

/** @typedef {Record<string, any>} Order */

/** @param {Order} order one that may be amended */
export function mayAmend(order) {
  return ["PENDING", "IN_PROGRESS", "PAUSED"].includes(order.status);
}

/**
 * Opens the sheet for this order.
 * @param {Order} order as the API gives it
 * @returns {Promise<void>} settled when the sheet has closed
 */
export function amend(order) {
  let isBusy = false;
  return side({
    title: "Amend the order",
    mayClose: () => !isBusy,
    fill: (root, close) => amending(root, order, close, (busy) => { isBusy = busy; }),
  }).closed;
}

/** @param {HTMLElement} root @param {Order} seen @param {() => void} close @param {(isBusy: boolean) => void} busy */
function amending(root, seen, close, busy) {
  let begun = typedTerms(seen);
  const typed = { ...begun };
  let isReviewed = false;
  let isSending = false;
  /** @type {any} */
  let refusal = null;

  /** What was changed, as PATCH takes it. */
  function changes() {
    /** @type {Record<string, any>} */
    const body = {};
    for (const name of Object.keys(typed)) if (typed[name].trim() !== begun[name]) body[name] = meant(name, typed[name].trim());
    return body;
  }

  async function send() {
    if (isSending) return;
    sending(true);
    try {
      const answer = await insistOnSeen(changes());
      announce("Amended");
      toast(`${answer.body.instrument}: amended. ${quantity(answer.body.exposure.unsent)} unsent are planned anew until ${time(answer.body.end_at)}.`);
      sending(false);
      close();
    } catch (problem) {
      refusal = refusalOf(problem);
      isReviewed = isReviewed && Object.keys(fieldProblems(refusal)).length === 0;
      sending(false);
      announce(refusal.message, { assertive: true });
    }
  }

  /** Changes the order only while its terms are those that were seen; its fills may go on. @param {Record<string, any>} body */
  async function insistOnSeen(body) {
    for (let tries = 1; ; tries += 1) {
      const { body: now, headers } = await request("GET", `/api/orders/${seen.order_id}`);
      const moved = TERMS.filter((name) => now[name] !== seen[name]);
      if (moved.length) {
        see(now);
        throw { status: 412, message: `It was changed meanwhile: ${moved.map((name) => WORDS[name] ?? CHOICES[name]?.[0] ?? name).join(", ")}. Look again, then send it.`, details: {} };
      }
      try {
        const etag = headers.get("ETag") ?? "*";
        return await insist("PATCH", `/api/orders/${seen.order_id}`, { body, key: crypto.randomUUID(), headers: { "If-Match": etag } });
      } catch (problem) {
        if (refusalOf(problem).status !== 412 || tries === AGAIN) throw problem;
      }
    }
  }

  /** Goes on from what the order is by now, with what was typed here. @param {Order} now */
  function see(now) {
    const terms = typedTerms(now);
    for (const name of Object.keys(typed)) if (typed[name] === begun[name]) typed[name] = terms[name];
    [seen, begun] = [now, terms];
  }

  /** @param {boolean} is */
  function sending(is) {
    isSending = is;
    busy(is);
    draw();
  }

  function draw() {
    render(html`
      <p><strong class=${seen.side === "BUY" ? "buy" : "sell"}>${seen.side} ${quantity(seen.total_quantity)} ${seen.instrument}</strong>,
        ${quantity(seen.exposure.filled)} filled, ${quantity(seen.exposure.unsent)} unsent.</p>
      ${refusalStrip(refusal)}
      ${isReviewed ? review() : form()}`, root);
  }

  function form() {
    const problems = fieldProblems(refusal);
    const body = changes();
    const bad = Object.keys(body).filter((name) => body[name] === null && name !== "client_note");
    const submit = (/** @type {Event} */ event) => {
      event.preventDefault();
      if (!Object.keys(changes()).length || bad.length) return;
      refusal = null;
      isReviewed = true;
      draw();
      /** @type {HTMLElement | null} */ (root.querySelector("[data-back]"))?.focus();
    };
    const change = (/** @type {string} */ name, /** @type {string} */ value) => {
      typed[name] = value;
      draw();
    };
    /** @param {string} name @param {string} label @param {{hint?: string, type?: string, most?: number}} [options] */
    const text = (name, label, { hint, type = "text", most = 24 } = {}) => {
      const problem = bad.includes(name) ? "This is no such value." : problems[name];
      return field({
        id: `amend-${name}`, label, hint, problem,
        control: html`<input id=${`amend-${name}`} type=${type} step=${type === "datetime-local" ? "1" : nothing} maxlength=${type === "text" ? most : nothing} autocomplete="off"
          aria-describedby=${`amend-${name}-told`} aria-invalid=${problem ? "true" : nothing}
          .value=${typed[name]} @input=${(/** @type {any} */ event) => change(name, event.target.value)}>`,
      });
    };
    return html`<form novalidate @submit=${submit} aria-label="Amend">
      <div class="form-grid">
        ${text("total_quantity", "Quantity", { hint: `At least ${quantity(seen.exposure.filled + seen.exposure.working + seen.exposure.unknown)} are filled or may be` })}
        ${text("end_at", `End of the window (${zoneName()})`, { type: "datetime-local" })}
        ${seen.order_type === "LIMIT" ? text("limit_price", "Limit price", { hint: "For what is unsent. Slices at the broker keep theirs" }) : nothing}
        ${text("client_note", "Note", { most: 200 })}
      </div>
      <details class="form-more"><summary>Catching up</summary><div class="form-grid">
        ${Object.entries(CHOICES).map(([name, [label, choices]]) => field({
          id: `amend-${name}`, label, problem: problems[name],
          control: choice({ id: `amend-${name}`, value: typed[name], choices, onChange: (value) => change(name, value) }),
        }))}
        ${Object.entries(NUMBERS).map(([name, label]) => text(name, label))}
      </div></details>
      <div class="question-actions">
        <button type="submit" class="main" ?disabled=${!Object.keys(body).length || bad.length > 0}>Review the change</button>
        <button type="button" @click=${close}>Close</button>
      </div>
    </form>`;
  }

  function review() {
    return html`<section aria-label="Review the change">
      <table class="plain"><thead><tr><th>What</th><th>Was</th><th>Will be</th></tr></thead>
        <tbody>${Object.entries(changes()).map(([name, value]) => html`<tr><td>${WORDS[name] ?? CHOICES[name][0]}</td><td>${shown(name, seen[name])}</td><td><strong>${shown(name, value)}</strong></td></tr>`)}</tbody>
      </table>
      <p>What is unsent is planned anew. What was sent stays as it is.</p>
      <div class="question-actions">
        <button type="button" data-back ?disabled=${isSending} @click=${() => { isReviewed = false; draw(); }}>Back</button>
        <button type="button" class="main" data-confirm ?disabled=${isSending} @click=${send}>${isSending ? "Amending..." : "Amend the order"}</button>
      </div>
    </section>`;
  }

  draw();
  return { close: () => undefined };
}

/** @param {Order} order @returns {Record<string, string>} its terms as fields show them */
function typedTerms(order) {
  return {
    total_quantity: String(order.total_quantity),
    end_at: localTime(order.end_at),
    limit_price: order.limit_price ?? "",
    client_note: order.client_note ?? "",
    max_slice_multiple: String(order.max_slice_multiple),
    extend_minutes: String(order.extend_minutes),
    catch_up: order.catch_up,
    leftover: order.leftover,
    at_end: order.at_end,
  };
}

/** @param {string} name @param {string} value @returns {any} as the API takes it; null for what is no such value, and for no note */
function meant(name, value) {
  if (name === "total_quantity" || name in NUMBERS) return wholeNumber(value);
  if (name === "end_at") return instantIn(zone(), value);
  return value || null;
}

/** @param {string} name @param {any} value */
function shown(name, value) {
  if (value === null) return "none";
  if (name === "end_at") return fullTime(value);
  if (name === "limit_price") return price(value);
  if (name in CHOICES) return CHOICES[name][1].find(([one]) => one === value)?.[1] ?? value;
  return typeof value === "number" ? quantity(value) : value;
}

/** @param {string} instant @returns {string} as an input of the type datetime-local has it, in the zone that is shown */
function localTime(instant) {
  const parts = new Intl.DateTimeFormat("sv-SE", {
    timeZone: zone(), year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
  }).format(Date.parse(instant));
  return parts.replace(" ", "T");
}
