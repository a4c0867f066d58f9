// @ts-check
/** What forms share: a field with its problem below it, the answer of the server in words, and a request that may be lost. */

import { request } from "../api.js";
import { html, nothing } from "../vendor/lit-html.js";

const TRIES = 4;
/** Nobody knows whether it was done, or nothing was done: repeating it under the same key is harmless. */
const LOST = new Set([0, 502, 503, 504]);

/** @typedef {{status: number, code: string, message: string, details: Record<string, any>, requestId?: string, retryAfter?: number}} Refusal */

/**
 * Each field that the server did not like, with what is wrong.
 * @param {Refusal | null} refusal
 * @returns {Record<string, string>} by the name that the API gives the field, such as `split_config.num_splits`
 */
export function fieldProblems(refusal) {
  if (!refusal) return {};
  const { field, fields, rule, nearest, allowed } = refusal.details ?? {};
  if (fields) return fields;
  if (typeof field !== "string") return {};
  const choices = nearest ?? allowed;
  return { [field]: choices ? `Possible: ${choices.join(", ")}.` : (rule ?? refusal.message) };
}

/**
 * The refusal as a strip with what helps to go on.
 * @param {Refusal | null} refusal
 */
export function refusalStrip(refusal) {
  if (!refusal) return nothing;
  const { requestId, retryAfter, status } = refusal;
  const names = Object.entries(refusal.details?.fields ?? {});
  return html`<div class="strip problem" role="alert">
    <span>${status === 0 ? "No answer from the server." : refusal.message}${retryAfter ? ` Again in ${retryAfter} s.` : ""}</span>
    ${names.length ? html`<ul>${names.map(([name, rule]) => html`<li>${name}: ${rule}</li>`)}</ul>` : nothing}
    ${requestId && (status === 0 || status >= 500) ? html`<span class="soft">Request ${requestId}</span>` : nothing}
  </div>`;
}

/**
 * A label with its control, its hint and its problem. The control carries `id` and `aria-describedby` of `described(id)`.
 * @param {{id: string, label: string, control: unknown, hint?: unknown, problem?: string}} field
 */
export function field({ id, label, control, hint, problem }) {
  return html`<div class="form-field">
    <label for=${id}>${label}</label>
    ${control}
    <div class="form-told" id=${`${id}-told`}>
      ${problem ? html`<span class="problem">✕ ${problem}</span>` : nothing}
      ${hint ? html`<span class="soft">${hint}</span>` : nothing}
    </div>
  </div>`;
}

/**
 * A select for a field.
 * @param {{id: string, value: string, choices: [value: string, words: string][], onChange: (value: string) => void}} select
 */
export function choice({ id, value, choices, onChange }) {
  return html`<select id=${id} aria-describedby=${`${id}-told`} @change=${(/** @type {any} */ event) => onChange(event.target.value)}>
    ${choices.map(([one, words]) => html`<option value=${one} ?selected=${one === value}>${words}</option>`)}
  </select>`;
}

/**
 * A request that is asked again, unchanged, while its answer is lost. `key` makes that harmless where the order's own key does not.
 * @param {string} method @param {string} path
 * @param {{body?: unknown, key?: string, headers?: Record<string, string>}} [options]
 * @param {(tries: number) => void} [onLost] told before each repetition
 * @returns {Promise<{status: number, body: any, headers: Headers}>} throws the refusal, or the last loss
 */
export async function insist(method, path, options = {}, onLost = () => undefined) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await request(method, path, options);
    } catch (problem) {
      const { status, retryAfter } = /** @type {any} */ (problem);
      if (!LOST.has(status) || tries === TRIES) throw problem;
      onLost(tries);
      await new Promise((resolve) => setTimeout(resolve, retryAfter ? 1000 * retryAfter : 500 * 2 ** tries));
    }
  }
}

/** @param {unknown} problem @returns {Refusal} what the server said; anything else is thrown on */
export function refusalOf(problem) {
  if (problem && typeof problem === "object" && "status" in problem) return /** @type {Refusal} */ (problem);
  throw problem;
}
