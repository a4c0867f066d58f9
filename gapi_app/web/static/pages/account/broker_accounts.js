// @ts-check
/** Broker accounts: their state, and logging them in. Admins add accounts, and say who may trade with them. */

import { request } from "../../api.js";
import { ask } from "../../dialog.js";
import { fullTime, time } from "../../format.js";
import { session } from "../../session.js";
import { html, nothing } from "../../vendor/lit-html.js";
import { part } from "./section.js";

const STATES = /** @type {Record<string, [sign: string, words: string, tone: string]>} */ ({
  READY: ["✓", "Ready", "good"],
  AWAITING_TOKEN: ["‖", "Needs a login", "held"],
  BLOCKED: ["!", "Blocked", "bad"],
});

export const brokerAccounts = {
  id: "broker-accounts",
  title: "Broker accounts",
  /** @param {HTMLElement} root */
  fill(root) {
    const begun = {
      accounts: /** @type {any[] | null} */ (null), opened: "", address: "", token: "", user: "", grants: /** @type {any[] | null} */ (null),
      people: /** @type {any[]} */ ([]), person: "", isAdding: false, name: "", broker: "",
    };
    const self = part(root, "broker", begun, template);
    self.run("", () => load(self));
    const looking = setInterval(() => !document.hidden && !self.busy && load(self).then(self.draw, () => undefined), 15_000);
    return {
      close() {
        clearInterval(looking);
        self.close();
      },
    };
  },
};

/** @typedef {import("./section.js").Part<any>} Part */

/** @param {Part} self */
async function load(self) {
  const { body } = await request("GET", "/api/broker-accounts");
  self.state.accounts = await Promise.all(body.broker_accounts.map(async (/** @type {any} */ account) => {
    const status = await request("GET", `/api/broker-accounts/${account.name}/status`);
    return { ...account, ...status.body };
  }));
}

/** @param {Part} self */
function template(self) {
  const { accounts, isAdding } = self.state;
  const isAdmin = session.me?.role === "admin";
  if (accounts === null) return html`<p class="soft">Loading broker accounts</p>`;
  return html`
    <div class="wide" role="region" tabindex="0" aria-label="Table: Broker accounts"><table class="plain"><thead><tr><th>Name</th><th>Broker</th><th>Money</th><th>State</th><th>Logged in as</th><th>Until</th><th><span class="visually-hidden">Actions</span></th></tr></thead>
      <tbody>${accounts.map((/** @type {any} */ account) => html`<tr>
        <td>${account.name}${account.is_default ? html` <span class="soft">(usual)</span>` : nothing}</td><td>${account.broker}</td><td>${account.is_live ? html`<strong>real</strong>` : "paper"}</td>
        <td>${stateOf(account)}</td><td>${account.broker_user ?? ""}</td><td title=${fullTime(account.valid_until)}>${time(account.valid_until)}</td>
        <td><div class="actions">
          ${account.is_live ? html`<button type="button" aria-label=${`Log in to ${account.name}`} @click=${() => openLogin(self, account)}>Log in...</button>` : nothing}
          ${isAdmin && account.is_live ? html`<button type="button" aria-label=${`Who may trade with ${account.name}`} @click=${() => openGrants(self, account)}>Who may trade...</button>` : nothing}
        </div></td></tr>`)}</tbody></table></div>
    ${self.state.opened && self.state.address ? login(self) : nothing}
    ${self.state.opened && self.state.grants ? grants(self) : nothing}
    ${isAdmin ? (isAdding ? adding(self) : html`<p><button type="button" @click=${() => self.set({ isAdding: true })}>New broker account</button></p>`) : nothing}`;
}

/** @param {any} account */
function stateOf(account) {
  const [sign, words, tone] = STATES[account.state] ?? ["·", account.state, "calm"];
  return html`<span class=${`state state-${tone}`} title=${fullTime(account.state_since)}><span aria-hidden="true">${sign}</span> ${words}</span>${account.reason ? html`<div class="soft">${account.reason}</div>` : nothing}`;
}

/** @param {Part} self @param {any} account */
function openLogin(self, account) {
  return self.run("Opening", async () => {
    const { body } = await request("GET", `/api/broker-accounts/${account.name}/login`);
    Object.assign(self.state, { opened: account.name, address: body.address, token: "", user: "", grants: null });
  });
}

/** @param {Part} self */
function login(self) {
  const { opened, address, token, user } = self.state;
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    self.run("Logging in", async () => {
      const body = { request_token: tokenIn(token), ...(user.trim() ? { user: user.trim() } : {}) };
      await request("POST", `/api/broker-accounts/${opened}/login`, { body });
      Object.assign(self.state, { opened: "", address: "", token: "" });
      await load(self);
    }, `${opened} is logged in.`);
  };
  return html`<form class="narrow" @submit=${submit} aria-label=${`Log in to ${opened}`}>
    <h3>Log in to ${opened}</h3>
    <p>1. <a href=${address} target="_blank" rel="noreferrer">Open the broker's login page</a>, and log in there.</p>
    <p>2. The browser ends up at an address with a request_token. Paste that address here; it works once, for some minutes.</p>
    ${self.text("token", "Address, or the request token", { apiName: "request_token", most: 2000, isRequired: true })}
    ${self.text("user", "Whose account it is, at the first login", { hint: "Such as AB1234" })}
    <div class="question-actions"><button type="submit" class="main" ?disabled=${self.busy !== ""}>${self.busy ? "Logging in..." : "Log in"}</button>
      <button type="button" @click=${() => self.set({ opened: "", address: "" })}>Back</button></div>
  </form>`;
}

/** The token of a pasted address, or what was pasted. @param {string} pasted */
function tokenIn(pasted) {
  const found = /[?&]request_token=([^&#\s]+)/.exec(pasted);
  return found ? decodeURIComponent(found[1]) : pasted.trim();
}

/** @param {Part} self @param {any} account */
function openGrants(self, account) {
  return self.run("Opening", async () => {
    const [granted, people] = await Promise.all([request("GET", `/api/broker-accounts/${account.name}/grants`), request("GET", "/api/admin/users", { query: { limit: 200 } })]);
    Object.assign(self.state, { opened: account.name, address: "", grants: granted.body.grants, people: people.body.users, person: "" });
  });
}

/** @param {Part} self */
function grants(self) {
  const { opened, grants: granted, people, person } = self.state;
  const others = people.filter((/** @type {any} */ user) => ["trader", "operator"].includes(user.role) && !granted.some((/** @type {any} */ one) => one.account_id === user.account_id));
  const change = (/** @type {string} */ method, /** @type {string} */ id, /** @type {string} */ said) => self.run("Changing", async () => {
    await request(method, `/api/broker-accounts/${opened}/grants/${id}`);
    self.state.grants = (await request("GET", `/api/broker-accounts/${opened}/grants`)).body.grants;
  }, said);
  const end = async (/** @type {any} */ one) => {
    if (await ask({ title: `${one.username} may trade with ${opened} no more?`, confirm: "End it", keep: "Keep it", body: () => html`<p>Open orders go on. New ones are refused.</p>` })) {
      await change("DELETE", one.account_id, `${one.username} may trade with ${opened} no more.`);
    }
  };
  return html`<section class="narrow" aria-label=${`Who may trade with ${opened}`}>
    <h3>Who may trade with ${opened}</h3>
    <ul>${granted.map((/** @type {any} */ one) => html`<li>${one.username}, since ${time(one.granted_at)} <button type="button" aria-label=${`End the grant of ${one.username}`} @click=${() => end(one)}>End...</button></li>`)}</ul>
    ${granted.length ? nothing : html`<p>Nobody.</p>`}
    <div class="form-field"><label for="broker-person">Let somebody trade with it</label>
      <select id="broker-person" @change=${(/** @type {any} */ event) => self.set({ person: event.target.value })}><option value="">Choose</option>
        ${others.map((/** @type {any} */ user) => html`<option value=${user.account_id} ?selected=${user.account_id === person}>${user.username} (${user.role})</option>`)}</select></div>
    <div class="question-actions"><button type="button" class="main" ?disabled=${!person || self.busy !== ""} @click=${() => change("PUT", person, "Granted.")}>Let trade with real money</button>
      <button type="button" @click=${() => self.set({ opened: "", grants: null })}>Close</button></div>
  </section>`;
}

/** @param {Part} self */
function adding(self) {
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    self.run("Adding", async () => {
      await request("POST", "/api/broker-accounts", { body: { name: self.state.name.trim(), broker: self.state.broker.trim() }, key: crypto.randomUUID() });
      Object.assign(self.state, { isAdding: false, name: "", broker: "" });
      await load(self);
    }, "It is there. Its keys are sealed on the machine: pulse broker keys.");
  };
  return html`<form class="narrow" @submit=${submit}><h3>New broker account</h3>
    ${self.text("name", "Name", { hint: "2 to 20 of a-z, 0-9 and -; never changes", most: 20, isRequired: true })}
    ${self.text("broker", "Broker", { hint: "Such as zerodha or alpaca", most: 20, isRequired: true })}
    <div class="question-actions"><button type="submit" class="main" ?disabled=${self.busy !== ""}>Add it</button><button type="button" @click=${() => self.set({ isAdding: false })}>Back</button></div>
  </form>`;
}
