// @ts-check
/** How orders catch up that do not say so: of the own account, and of a user whom an admin has opened. */

import { request } from "../../api.js";
import { session } from "../../session.js";
import { html, nothing } from "../../vendor/lit-html.js";
import { choice, field } from "../form.js";
import { AT_ENDS, CATCH_UPS, LEFTOVERS } from "../ticket/form.js";
import { part } from "./section.js";

const NAMES = /** @type {Record<string, string>} */ ({
  catch_up: "What it misses", max_slice_multiple: "No slice above (times the plan)", extend_minutes: "Window may grow by (minutes)",
  leftover: "Unfilled rest of a slice", at_end: "When the window is over",
});
const CHOICES = /** @type {Record<string, [string, string][]>} */ ({ catch_up: CATCH_UPS, leftover: LEFTOVERS, at_end: AT_ENDS });

export const policy = {
  id: "policy",
  title: "How orders catch up",
  /** @param {HTMLElement} root */
  fill: (root) => fill(root, "policy", "/api/policy", "", session.may("orders:write")),
};

/** @type {WeakMap<object, HTMLElement>} */
const places = new WeakMap();

/** The same of a user, in an element that stays while the user is shown. @param {any} user */
export function policyOf(user) {
  const place = places.get(user) ?? document.createElement("div");
  if (!places.has(user)) fill(place, `policy-${user.account_id}`, `/api/admin/users/${user.account_id}/policy`, user.username, true);
  places.set(user, place);
  return place;
}

/** @param {HTMLElement} root @param {string} prefix @param {string} path @param {string} whose "": one's own @param {boolean} mayChange */
function fill(root, prefix, path, whose, mayChange) {
  const state = /** @type {Record<string, any>} */ ({ told: null, isChanging: false });
  /** @type {import("./section.js").Part<any>} */
  const self = part(root, prefix, state, () => (state.told === null ? html`<p class="soft">Loading</p>` : html`
    ${whose ? html`<h3>How orders of ${whose} catch up</h3>` : nothing}
    <p class="soft">Of orders that do not say so themselves. Orders that were accepted keep theirs.</p>
    ${state.isChanging ? changing() : html`
      <dl class="facts">${Object.keys(NAMES).map((name) => html`<div><dt>${NAMES[name]}</dt><dd>${inWords(name, state.told.in_force[name])}${state.told.own[name] === null ? "" : " (set)"}</dd></div>`)}</dl>
      ${mayChange ? html`<p><button type="button" @click=${begin}>Change${whose ? ` how orders of ${whose} catch up` : ""}</button></p>` : nothing}`}`));

  function begin() {
    for (const name of Object.keys(NAMES)) state[name] = String(state.told.own[name] ?? "");
    self.set({ isChanging: true });
  }

  /** @param {Event} event */
  function save(event) {
    event.preventDefault();
    const body = Object.fromEntries(Object.keys(NAMES).map((name) => [name, meant(name, state[name].trim())]));
    self.run("Saving", async () => {
      state.told = (await request("PUT", path, { body })).body;
      state.isChanging = false;
    }, "It holds for orders from now on.");
  }

  /** @param {string} name */
  function chosen(name) {
    const id = `${prefix}-${name}`;
    const usual = /** @type {[string, string]} */ (["", "As for all"]);
    return field({ id, label: NAMES[name], control: choice({ id, value: state[name], choices: [usual, ...CHOICES[name]], onChange: (value) => self.set({ [name]: value }) }) });
  }

  function changing() {
    return html`<form @submit=${save}>
      <div class="form-grid">${Object.keys(NAMES).map((name) => (CHOICES[name] ? chosen(name) : self.text(name, NAMES[name], { mode: "numeric", most: 8, hint: "Empty: as for all" })))}</div>
      <div class="question-actions"><button type="submit" class="main" ?disabled=${self.busy !== ""}>Set all of it</button>
        <button type="button" @click=${() => self.set({ isChanging: false })}>Back</button></div></form>`;
  }

  self.run("", async () => {
    state.told = (await request("GET", path)).body;
  });
  return self;
}

/** @param {string} name @param {any} value */
function inWords(name, value) {
  return CHOICES[name]?.find(([one]) => one === value)?.[1] ?? String(value);
}

/** @param {string} name @param {string} typed @returns {any} as the API takes it; what is no number is left to the server to refuse */
function meant(name, typed) {
  if (!typed) return null;
  return !CHOICES[name] && /^[0-9]+$/.test(typed) ? Number(typed) : typed;
}
