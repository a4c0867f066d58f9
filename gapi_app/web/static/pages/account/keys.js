// @ts-check
/** API keys, for programs. */

import { request } from "../../api.js";
import { ask } from "../../dialog.js";
import { fullTime, time } from "../../format.js";
import { session } from "../../session.js";
import { html, nothing } from "../../vendor/lit-html.js";
import { copy } from "./second_factor.js";
import { part, proofOf } from "./section.js";

const SCOPES = /** @type {Record<string, string>} */ ({
  "orders:read": "read orders and slices", "orders:write": "place and steer orders, halt", "events:read": "follow events",
  "webhooks:write": "make and change webhooks", "slices:operate": "retry, resolve and settle slices, work on alarms",
});

export const keys = {
  id: "keys",
  title: "API keys",
  /** @param {HTMLElement} root */
  fill(root) {
    const begun = { keys: /** @type {any[] | null} */ (null), isMaking: false, made: /** @type {any} */ (null), name: "", scopes: ["orders:read", "events:read"], days: "90", networks: "", password: "", code: "" };
    const self = part(root, "key", begun, template);
    self.run("", () => load(self));
    return self;
  },
};

/** @typedef {import("./section.js").Part<any>} Part */

/** @param {Part} self */
async function load(self) {
  self.state.keys = (await request("GET", "/api/keys", { query: { limit: 100 } })).body.keys;
}

/** @param {Part} self */
function template(self) {
  const { state } = self;
  return html`
    ${state.made ? html`<div class="strip doubt"><p><strong>${state.made.name}</strong>: this key is shown this once. Keep it where the program reads it.</p>
      <p><code class="secret">${state.made.api_key}</code></p>
      <div class="question-actions"><button type="button" @click=${() => copy(state.made.api_key)}>Copy</button>
        <button type="button" class="main" @click=${() => self.set({ made: null })}>I have kept it</button></div></div>` : nothing}
    ${state.keys === null ? html`<p class="soft">Loading keys</p>` : keyTable(state.keys, (key) => revoke(self, key))}
    ${state.isMaking ? making(self) : html`<button type="button" @click=${() => self.set({ isMaking: true })}>New key</button>`}`;
}

/** @param {any[]} all @param {(key: any) => void} onRevoke */
export function keyTable(all, onRevoke) {
  const live = all.filter((key) => key.revoked_at === null);
  if (!live.length) return html`<p>No keys.</p>`;
  return html`<div class="wide" role="region" tabindex="0" aria-label="Table: Keys"><table class="plain"><thead><tr><th>Name</th><th>May</th><th>From</th><th>Last used</th><th>Ends</th><th><span class="visually-hidden">Actions</span></th></tr></thead>
    <tbody>${live.map((key) => html`<tr><td>${key.name}</td><td>${key.scopes.join(", ")}</td><td>${key.networks?.length ? key.networks.join(", ") : "everywhere"}</td>
      <td title=${fullTime(key.last_used_at)}>${key.last_used_at ? time(key.last_used_at) : "never"}</td><td title=${fullTime(key.expires_at)}>${time(key.expires_at)}</td>
      <td><button type="button" aria-label=${`Revoke ${key.name}`} @click=${() => onRevoke(key)}>Revoke...</button></td></tr>`)}</tbody></table></div>`;
}

/** @param {Part} self */
function making(self) {
  const { state } = self;
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const networks = state.networks.split(/[\s,]+/).filter(Boolean);
    await self.run("Making", async () => {
      const body = {
        name: state.name.trim(), scopes: state.scopes, expires_in_days: Number(state.days) || state.days, password: state.password,
        ...(networks.length ? { networks } : {}), ...proofOf(state.code),
      };
      state.made = (await request("POST", "/api/keys", { body })).body;
      Object.assign(state, { isMaking: false, name: "", password: "", code: "" });
      await load(self);
    });
  };
  const toggle = (/** @type {string} */ scope, /** @type {boolean} */ isOn) => {
    self.set({ scopes: isOn ? [...state.scopes, scope] : state.scopes.filter((/** @type {string} */ one) => one !== scope) });
  };
  return html`<form class="narrow" @submit=${submit}>
    <h3>New key</h3>
    ${self.text("name", "Name", { hint: "What it is for, such as rebalancer", most: 64, isRequired: true })}
    <fieldset><legend>It may</legend>${(session.me?.scopes ?? []).map((/** @type {string} */ scope) => html`
      <label class="form-check"><input type="checkbox" .checked=${state.scopes.includes(scope)} @change=${(/** @type {any} */ event) => toggle(scope, event.target.checked)}> ${SCOPES[scope] ?? scope}</label>`)}</fieldset>
    ${self.text("days", "Ends in days", { apiName: "expires_in_days", mode: "numeric", most: 3, isRequired: true })}
    ${self.text("networks", "Only from these addresses or networks", { hint: "Such as 203.0.113.0/24; empty: from everywhere" })}
    ${self.text("password", "Password", { type: "password", autocomplete: "current-password", isRequired: true })}
    ${self.text("code", "Code of the second factor, if you have one", { autocomplete: "one-time-code", apiName: "totp_code" })}
    <div class="question-actions"><button type="submit" class="main" ?disabled=${self.busy !== "" || !state.scopes.length}>${self.busy ? "Making..." : "Make the key"}</button>
      <button type="button" @click=${() => self.set({ isMaking: false, password: "", code: "" })}>Back</button></div>
  </form>`;
}

/** @param {Part} self @param {any} key */
async function revoke(self, key) {
  const isSure = await ask({ title: `Revoke ${key.name}?`, danger: true, confirm: "Revoke it", keep: "Keep it", body: () => html`<p>Programs that use it are refused within two seconds. It cannot be taken back.</p>` });
  if (!isSure) return;
  await self.run("Revoking", async () => {
    await request("DELETE", `/api/keys/${key.key_id}`);
    await load(self);
  }, `${key.name} is revoked.`);
}
