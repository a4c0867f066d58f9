// @ts-check
/** The fields of a ticket. They show a draft and tell what was typed; what it means is decided elsewhere. */

import { choice, field } from "../form.js";
import { quantity, zoneName } from "../../format.js";
import { html, nothing } from "../../vendor/lit-html.js";
import { wholeNumber } from "./draft.js";

export const SESSIONS = /** @type {[string, string][]} */ ([
  ["refuse", "Refuse the order"],
  ["wait", "Wait until it takes the order"],
  ["at_open", "Begin when it opens"],
]);
export const CATCH_UPS = /** @type {[string, string][]} */ ([
  ["spread", "Evenly over the rest of the window"],
  ["next_slice", "With the next slice"],
  ["burst", "At once"],
  ["skip", "Give it up"],
]);
export const LEFTOVERS = /** @type {[string, string][]} */ ([
  ["catch_up", "Goes out again"],
  ["drop", "Is given up"],
]);
export const AT_ENDS = /** @type {[string, string][]} */ ([
  ["leave", "Leave the rest unfilled"],
  ["market", "Send the rest at market"],
]);

/**
 * @typedef {import("./draft.js").Draft} Draft
 * @typedef {object} Facts
 * @property {any} installation
 * @property {any[]} brokerAccounts
 * @property {any} instrument of the list, or null
 * @property {Record<string, any>} policy how orders of the account catch up that do not say it
 * @property {HTMLElement} search the place of the search for instruments
 */

/**
 * @param {Draft} draft
 * @param {Record<string, string>} problems by the API's names of the fields
 * @param {Facts} facts
 * @param {(change: Partial<Draft>) => void} change
 */
export function fields(draft, problems, facts, change) {
  const text = texts(draft, problems, change);
  return html`
    <div class="form-grid">
      ${sides(draft, change)}
      ${field({ id: "ticket-instrument", label: "Instrument", control: facts.search, hint: facts.instrument?.name, problem: problems.instrument })}
      ${text("quantity", "Quantity", "total_quantity", { hint: shares(draft.quantity) })}
      ${text("slices", "Slices", "split_config.num_splits", {})}
      ${draft.untilClose ? nothing : text("minutes", "Over minutes", "split_config.duration_minutes", {})}
      ${checkbox("ticket-until-close", "Until the market closes", draft.untilClose, (on) => change({ untilClose: on }), problems["split_config.until_close"])}
      ${checkbox("ticket-randomize", "Vary quantities and times", draft.randomize, (on) => change({ randomize: on }))}
      ${field({
        id: "ticket-type", label: "Price", problem: problems.order_type,
        control: choice({ id: "ticket-type", value: draft.orderType, choices: [["MARKET", "At market"], ["LIMIT", "Limit"]], onChange: (value) => change({ orderType: value }) }),
      })}
      ${draft.orderType === "LIMIT" ? text("limitPrice", "Limit price", "limit_price", { hint: facts.instrument ? `Tick ${facts.instrument.tick_size}` : "", mode: "decimal" }) : nothing}
      ${starts(draft, problems, change)}
      ${products(draft, problems, facts, change)}
      ${accounts(draft, problems, facts, change)}
      ${text("note", "Note", "client_note", { mode: "text", most: 200 })}
    </div>
    ${more(draft, problems, facts.policy, text, change)}`;
}

/** @param {Draft} draft @param {(change: Partial<Draft>) => void} change */
function sides(draft, change) {
  const side = (/** @type {string} */ value, /** @type {string} */ words) => html`
    <label class=${`side-choice ${value.toLowerCase()}`}>
      <input type="radio" name="ticket-side" value=${value} ?checked=${draft.side === value} .checked=${draft.side === value} @change=${() => change({ side: value })}> ${words}
    </label>`;
  return html`<fieldset class="sides"><legend>Side</legend>${side("BUY", "Buy")}${side("SELL", "Sell")}</fieldset>`;
}

/** @param {Draft} draft @param {Record<string, string>} problems @param {(change: Partial<Draft>) => void} change */
function texts(draft, problems, change) {
  /** @param {keyof Draft} name @param {string} label @param {string} apiName @param {{hint?: string, mode?: string, most?: number}} options */
  return (name, label, apiName, { hint, mode = "numeric", most = 24 }) => {
    const id = `ticket-${name}`;
    return field({
      id, label, hint, problem: problems[apiName],
      control: html`<input id=${id} inputmode=${mode} maxlength=${most} autocomplete="off" aria-describedby=${`${id}-told`}
        aria-invalid=${problems[apiName] ? "true" : nothing} .value=${String(draft[name])}
        @input=${(/** @type {any} */ event) => change({ [name]: event.target.value })}>`,
    });
  };
}

/** @param {string} id @param {string} label @param {boolean} isOn @param {(isOn: boolean) => void} set @param {string} [problem] */
function checkbox(id, label, isOn, set, problem) {
  return html`<div class="form-field form-check">
    <label><input id=${id} type="checkbox" .checked=${isOn} @change=${(/** @type {any} */ event) => set(event.target.checked)}> ${label}</label>
    ${problem ? html`<div class="form-told"><span class="problem">✕ ${problem}</span></div>` : nothing}
  </div>`;
}

/** @param {Draft} draft @param {Record<string, string>} problems @param {(change: Partial<Draft>) => void} change */
function starts(draft, problems, change) {
  return html`
    ${field({
      id: "ticket-start", label: "Start", problem: draft.start === "now" ? problems.start_at : "",
      control: choice({ id: "ticket-start", value: draft.start, choices: [["now", "Now"], ["at", "At a time"]], onChange: (value) => change({ start: value }) }),
    })}
    ${draft.start === "at" ? field({
      id: "ticket-start-at", label: `Start at (${zoneName()})`, problem: problems.start_at,
      control: html`<input id="ticket-start-at" type="datetime-local" step="1" aria-describedby="ticket-start-at-told" .value=${draft.startAt}
        @input=${(/** @type {any} */ event) => change({ startAt: event.target.value })}>`,
    }) : nothing}`;
}

/** @param {Draft} draft @param {Record<string, string>} problems @param {Facts} facts @param {(change: Partial<Draft>) => void} change */
function products(draft, problems, facts, change) {
  const usual = facts.installation?.default_product;
  const offered = facts.instrument?.products ?? facts.installation?.products ?? [];
  const words = (/** @type {string} */ product) => (product === usual ? `${product} (usual)` : product);
  return field({
    id: "ticket-product", label: "Product", problem: problems.product,
    control: choice({
      id: "ticket-product", value: draft.product || usual || "",
      choices: offered.map((/** @type {string} */ product) => [product, words(product)]), onChange: (value) => change({ product: value }),
    }),
  });
}

/** @param {Draft} draft @param {Record<string, string>} problems @param {Facts} facts @param {(change: Partial<Draft>) => void} change */
function accounts(draft, problems, facts, change) {
  if (facts.brokerAccounts.length < 2 && !problems.broker_account) return nothing;
  const usual = facts.brokerAccounts.find(({ is_default: isDefault }) => isDefault)?.name ?? "";
  return field({
    id: "ticket-account", label: "Broker account", problem: problems.broker_account,
    control: choice({
      id: "ticket-account", value: draft.brokerAccount || usual,
      choices: facts.brokerAccounts.map(({ name, is_live: isLive, state }) => [name, `${name}: ${isLive ? "real money" : "paper"}${state === "READY" ? "" : `, ${state}`}`]),
      onChange: (value) => change({ brokerAccount: value }),
    }),
  });
}

/** @param {Draft} draft @param {Record<string, string>} problems @param {Record<string, any>} policy @param {ReturnType<typeof texts>} text @param {(change: Partial<Draft>) => void} change */
function more(draft, problems, policy, text, change) {
  /** @param {keyof Draft} name @param {string} label @param {[string, string][]} choices @param {string} apiName */
  const select = (name, label, choices, apiName) => field({
    id: `ticket-${name}`, label, problem: problems[apiName],
    control: choice({ id: `ticket-${name}`, value: String(draft[name] || policy[apiName]), choices, onChange: (value) => change({ [name]: value }) }),
  });
  const usual = (/** @type {string} */ apiName) => ({ hint: `Empty: ${policy[apiName]}` });
  const names = ["session", "slice_timeout_seconds", "catch_up", "max_slice_multiple", "extend_minutes", "leftover", "at_end"];
  return html`<details class="form-more" ?open=${names.some((name) => problems[name])}>
    <summary>Market closed, catching up, time-outs</summary>
    <div class="form-grid">
      ${select("session", "Where the market is closed", SESSIONS, "session")}
      ${text("sliceTimeout", "A slice works at most (seconds)", "slice_timeout_seconds", { hint: "Empty: the usual time" })}
      ${select("catchUp", "What it misses", CATCH_UPS, "catch_up")}
      ${text("maxSliceMultiple", "No slice above (times the plan)", "max_slice_multiple", usual("max_slice_multiple"))}
      ${text("extendMinutes", "Window may grow by (minutes)", "extend_minutes", usual("extend_minutes"))}
      ${select("leftover", "Unfilled rest of a slice", LEFTOVERS, "leftover")}
      ${select("atEnd", "When the window is over", AT_ENDS, "at_end")}
    </div>
  </details>`;
}

/** @param {string} typed */
function shares(typed) {
  const number = wholeNumber(typed);
  return number === null ? "" : `${quantity(number)} shares`;
}
