// @ts-check
/** What a user may do at most, set by an admin. */

import { request } from "../../api.js";
import { html } from "../../vendor/lit-html.js";
import { LIMIT_NAMES, limitTable } from "./me.js";
import { part } from "./section.js";

const LISTS = new Set(["instruments", "products"]);
const WHOLE = new Set(["order_quantity", "day_quantity", "open_orders", "orders_per_minute"]);

/** @type {WeakMap<object, HTMLElement>} */
const places = new WeakMap();

/** The limits of a user, in an element that stays while the user is shown. @param {any} user */
export function limits(user) {
  const place = places.get(user) ?? fill(document.createElement("div"), user);
  places.set(user, place);
  return place;
}

/** @param {HTMLElement} root @param {any} user */
function fill(root, user) {
  const path = `/api/admin/users/${user.account_id}/limits`;
  const state = /** @type {Record<string, any>} */ ({ told: null, isChanging: false });
  /** @type {import("./section.js").Part<any>} */
  const self = part(root, `limit-${user.account_id}`, state, () => (state.told === null ? html`<p class="soft">Loading limits</p>` : html`
    <h3>Limits of ${user.username}</h3>
    ${limitTable(state.told)}
    ${state.isChanging ? changing() : html`<p><button type="button" @click=${begin}>Change the limits</button></p>`}`));

  function begin() {
    for (const name of Object.keys(LIMIT_NAMES)) {
      const own = state.told.own[name];
      state[name] = own === null || own === undefined ? "" : Array.isArray(own) ? own.join(", ") : String(own);
    }
    self.set({ isChanging: true });
  }

  /** @param {Event} event */
  function save(event) {
    event.preventDefault();
    const body = Object.fromEntries(Object.keys(LIMIT_NAMES).map((name) => [name, meant(name, state[name].trim())]));
    self.run("Saving", async () => {
      state.told = (await request("PUT", path, { body })).body;
      state.isChanging = false;
    }, "The limits are set.");
  }

  function changing() {
    return html`<form @submit=${save}><p class="soft">Empty: the limit of the installation, if there is one.</p>
      <div class="form-grid">${Object.entries(LIMIT_NAMES).map(([name, label]) => self.text(name, label, { most: LISTS.has(name) ? 2000 : 24 }))}</div>
      <div class="question-actions"><button type="submit" class="main" ?disabled=${self.busy !== ""}>Set all of them</button>
        <button type="button" @click=${() => self.set({ isChanging: false })}>Back</button></div></form>`;
  }

  self.run("", async () => {
    state.told = (await request("GET", path)).body;
  });
  return root;
}

/** @param {string} name @param {string} typed @returns {any} as the API takes it; what is no number is left to the server to refuse */
function meant(name, typed) {
  if (!typed) return null;
  if (LISTS.has(name)) return typed.toUpperCase().split(/[\s,]+/).filter(Boolean);
  const digits = typed.replace(/,/g, "");
  return WHOLE.has(name) && /^[0-9]+$/.test(digits) ? Number(digits) : digits;
}
