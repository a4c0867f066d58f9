// @ts-check
/** The own account; for operators and admins the broker accounts; for admins the users. */

import { session } from "../session.js";
import { html, nothing, render } from "../vendor/lit-html.js";
import { brokerAccounts } from "./account/broker_accounts.js";
import { keys } from "./account/keys.js";
import { logins } from "./account/logins.js";
import { me } from "./account/me.js";
import { password } from "./account/password.js";
import { policy } from "./account/policy.js";
import { preferences } from "./account/preferences.js";
import { secondFactor } from "./account/second_factor.js";
import { users } from "./account/users.js";

/**
 * A part of the page, which draws into an element of its own.
 * @typedef {{id: string, title: string, fill: (root: HTMLElement) => {close?: () => void} | void}} Section
 */

/** @returns {Section[]} what this login has to do with */
function sections() {
  if (session.mustEnrol) return [secondFactor];
  const role = session.me?.role;
  return [
    me, policy, preferences, secondFactor, password, keys, logins,
    ...(role === "operator" || role === "admin" ? [brokerAccounts] : []),
    ...(role === "admin" ? [users] : []),
  ];
}

/** @param {HTMLElement} root */
export function open(root) {
  const shown = sections();
  render(html`<div class="page-account">
    <h1>Account</h1>
    ${session.mustEnrol ? html`<p class="strip doubt">Your role needs a second factor. Set one up to go on.</p>` : nothing}
    <nav aria-label="Parts of this page">${shown.map(({ id, title }) => html`<a href=${`#${id}`} @click=${(/** @type {Event} */ event) => jump(event, id)}>${title}</a>`)}</nav>
    ${shown.map(({ id, title }) => html`<section id=${id} aria-labelledby=${`${id}-title`} tabindex="-1"><h2 id=${`${id}-title`}>${title}</h2><div class="section-body"></div></section>`)}
  </div>`, root);
  const filled = shown.map(({ id, fill }) => fill(/** @type {HTMLElement} */ (root.querySelector(`#${id} > .section-body`))));
  if (location.hash && shown.some(({ id }) => `#${id}` === location.hash)) document.querySelector(location.hash)?.scrollIntoView();
  return { title: "Account", close: () => filled.forEach((one) => one?.close?.()) };
}

/** Within the page: the router would load it anew. @param {Event} event @param {string} id */
function jump(event, id) {
  event.preventDefault();
  const section = document.getElementById(id);
  section?.scrollIntoView();
  section?.focus({ preventScroll: true });
}
