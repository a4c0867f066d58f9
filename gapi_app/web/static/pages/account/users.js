// @ts-check
/** Users, for admins: who there is, what each may do, and who may no more. */

import { request } from "../../api.js";
import { ask } from "../../dialog.js";
import { fullTime, time } from "../../format.js";
import { session } from "../../session.js";
import { html, nothing } from "../../vendor/lit-html.js";
import { limits } from "./limits.js";
import { policyOf } from "./policy.js";
import { part } from "./section.js";

const ROLES = ["viewer", "trader", "operator", "admin"];

export const users = {
  id: "users",
  title: "Users",
  /** @param {HTMLElement} root */
  fill(root) {
    const begun = { users: /** @type {any[] | null} */ (null), cursor: null, opened: "", isAdding: false, username: "", password: "", role: "trader", newPassword: "", openOrders: "keep" };
    const self = part(root, "user", begun, template);
    self.run("", () => load(self));
    return self;
  },
};

/** @typedef {import("./section.js").Part<any>} Part */

/** @param {Part} self @param {boolean} [isMore] */
async function load(self, isMore = false) {
  const { body } = await request("GET", "/api/admin/users", { query: { limit: 100, ...(isMore ? { cursor: self.state.cursor } : {}) } });
  self.state.users = isMore ? [...self.state.users, ...body.users] : body.users;
  self.state.cursor = body.next_cursor ?? null;
}

/** @param {Part} self */
function template(self) {
  const { state } = self;
  if (state.users === null) return html`<p class="soft">Loading users</p>`;
  return html`
    <div class="wide" role="region" tabindex="0" aria-label="Table: Users"><table class="plain"><thead><tr><th>Name</th><th>Role</th><th>May log in</th><th>Second factor</th><th>Since</th><th><span class="visually-hidden">Actions</span></th></tr></thead>
      <tbody>${state.users.map((/** @type {any} */ user) => html`
        <tr><td>${user.username}</td><td>${user.role}</td><td>${user.is_active ? "✓ yes" : "✕ no"}</td><td>${user.second_factor_since ? html`<span title=${fullTime(user.second_factor_since)}>on</span>` : "off"}</td>
          <td title=${fullTime(user.created_at)}>${time(user.created_at)}</td>
          <td><button type="button" aria-label=${`Change ${user.username}`} aria-expanded=${String(state.opened === user.account_id)}
            @click=${() => self.set({ opened: state.opened === user.account_id ? "" : user.account_id, newPassword: "" })}>Change</button></td></tr>
        ${state.opened === user.account_id ? html`<tr><td colspan="6">${changing(self, user)}</td></tr>` : nothing}`)}</tbody></table></div>
    ${state.cursor ? html`<p><button type="button" @click=${() => self.run("Loading", () => load(self, true))}>More users</button></p>` : nothing}
    ${state.isAdding ? adding(self) : html`<p><button type="button" @click=${() => self.set({ isAdding: true })}>New user</button></p>`}`;
}

/** @param {Part} self @param {any} user */
function changing(self, user) {
  const isOwn = user.account_id === session.me?.account_id;
  const patch = (/** @type {any} */ body, /** @type {string} */ said) => change(self, () => request("PATCH", `/api/admin/users/${user.account_id}`, { body }), said);
  const sure = async (/** @type {string} */ title, /** @type {string} */ words, /** @type {string} */ confirm, /** @type {() => Promise<unknown>} */ act, /** @type {string} */ said) => {
    if (await ask({ title, danger: true, confirm, body: () => html`<p>${words}</p>` })) await change(self, act, said);
  };
  return html`<div class="user-change">
    ${isOwn ? html`<p class="soft">This is you: another admin changes your role, or disables you.</p>` : html`
      <div class="form-grid">
        <div class="form-field"><label for="user-role-of">Role of ${user.username}</label>
          <select id="user-role-of" @change=${(/** @type {any} */ event) => patch({ role: event.target.value }, `${user.username} is ${event.target.value} now, and has to log in again.`)}>
            ${ROLES.map((role) => html`<option value=${role} ?selected=${role === user.role}>${role}</option>`)}</select></div>
        <form @submit=${(/** @type {Event} */ event) => { event.preventDefault(); patch({ password: self.state.newPassword }, `${user.username} has a new password.`); }}>
          ${self.text("newPassword", "New password", { apiName: "password", type: "password", autocomplete: "new-password", hint: "12 to 128 characters", isRequired: true })}
          <button type="submit">Set it</button></form>
      </div>
      <div class="question-actions">
        ${user.is_active ? html`<button type="button" @click=${() => sure(`Disable ${user.username}?`, "Its logins end within two seconds, and it cannot log in. Open orders go on.", "Disable", () => request("PATCH", `/api/admin/users/${user.account_id}`, { body: { is_active: false } }), `${user.username} is disabled.`)}>Disable...</button>` : html`
          <button type="button" @click=${() => patch({ is_active: true }, `${user.username} may log in again.`)}>Enable</button>`}
        <button type="button" @click=${() => change(self, () => request("POST", `/api/admin/users/${user.account_id}/logout`), `The logins of ${user.username} have ended.`)}>Log out everywhere</button>
        ${user.second_factor_since ? html`<button type="button" @click=${() => sure(`Remove the second factor of ${user.username}?`, "The password alone is enough again. Make sure who asks.", "Remove it", () => request("DELETE", `/api/admin/users/${user.account_id}/second-factor`), "The second factor is removed.")}>Remove the second factor...</button>` : nothing}
      </div>
      ${leaving(self, user)}`}
    ${limits(user)}
    ${policyOf(user)}
  </div>`;
}

/** @param {Part} self @param {any} user */
function leaving(self, user) {
  const { openOrders } = self.state;
  const go = async () => {
    const isSure = await ask({ title: `${user.username} leaves?`, danger: true, confirm: "Offboard", typed: user.username, body: () => html`<p>The account is disabled, its logins, API keys and streams end, and its open orders: ${openOrders}.</p>` });
    if (!isSure) return;
    await change(self, async () => {
      let left = 1;
      while (left > 0) left = (await request("POST", `/api/admin/users/${user.account_id}/offboard`, { body: { open_orders: openOrders } })).body.orders_left;
    }, `${user.username} has left.`);
  };
  return html`<div class="form-field"><label for="user-leaves">Leaves for good; open orders</label>
    <div class="question-actions"><select id="user-leaves" @change=${(/** @type {any} */ event) => self.set({ openOrders: event.target.value })}>
      ${["keep", "pause", "cancel"].map((one) => html`<option value=${one} ?selected=${one === openOrders}>${one}</option>`)}</select>
      <button type="button" class="danger" @click=${go}>Offboard...</button></div></div>`;
}

/** @param {Part} self @param {() => Promise<unknown>} work @param {string} said */
function change(self, work, said) {
  return self.run("Changing", async () => {
    await work();
    self.state.newPassword = "";
    await load(self);
  }, said);
}

/** @param {Part} self */
function adding(self) {
  const { state } = self;
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    change(self, async () => {
      await request("POST", "/api/admin/users", { body: { username: state.username.trim(), password: state.password, role: state.role } });
      Object.assign(state, { isAdding: false, username: "", password: "" });
    }, "The user may log in now.");
  };
  return html`<form class="narrow" @submit=${submit}><h3>New user</h3>
    ${self.text("username", "Name", { most: 64, isRequired: true })}
    ${self.text("password", "First password", { type: "password", autocomplete: "new-password", hint: "12 to 128 characters; the user sets an own one", isRequired: true })}
    <div class="form-field"><label for="user-role">Role</label><select id="user-role" @change=${(/** @type {any} */ event) => self.set({ role: event.target.value })}>
      ${ROLES.map((role) => html`<option value=${role} ?selected=${role === state.role}>${role}</option>`)}</select></div>
    <div class="question-actions"><button type="submit" class="main" ?disabled=${self.busy !== ""}>Add the user</button><button type="button" @click=${() => self.set({ isAdding: false })}>Back</button></div>
  </form>`;
}
