// @ts-check
/** A new password. It ends every login, this one too. */

import { request } from "../../api.js";
import { session } from "../../session.js";
import { html } from "../../vendor/lit-html.js";
import { part, proofOf } from "./section.js";

export const password = {
  id: "password",
  title: "Password",
  /** @param {HTMLElement} root */
  fill(root) {
    return part(root, "password", { current: "", next: "", code: "", revokeKeys: false }, (self) => {
      const { state, busy } = self;
      const submit = (/** @type {Event} */ event) => {
        event.preventDefault();
        self.run("Changing", async () => {
          const body = { current_password: state.current, new_password: state.next, revoke_keys: state.revokeKeys, ...proofOf(state.code) };
          await request("POST", "/api/auth/password", { body });
          session.ended();
        }, "The password is changed. Log in with it.");
      };
      return html`<form class="narrow" @submit=${submit}>
        <input class="visually-hidden" tabindex="-1" aria-hidden="true" autocomplete="username" readonly .value=${session.me?.username ?? ""}>
        ${self.text("current", "Password now", { type: "password", autocomplete: "current-password", apiName: "current_password", isRequired: true })}
        ${self.text("next", "New password", { type: "password", autocomplete: "new-password", apiName: "new_password", hint: "12 to 128 characters, not easily guessed", isRequired: true })}
        ${self.text("code", "Code of the second factor, if you have one", { mode: "numeric", autocomplete: "one-time-code", apiName: "totp_code" })}
        <label class="form-check"><input type="checkbox" .checked=${state.revokeKeys} @change=${(/** @type {any} */ event) => self.set({ revokeKeys: event.target.checked })}> End my API keys too</label>
        <button type="submit" class="main" ?disabled=${busy !== ""}>${busy ? "Changing..." : "Change the password"}</button>
        <p class="soft">Ends every login of yours, this one too. Orders go on.</p>
      </form>`;
    });
  },
};
