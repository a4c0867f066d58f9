// @ts-check
/** Ends every login of the account. */

import { request } from "../../api.js";
import { ask } from "../../dialog.js";
import { session } from "../../session.js";
import { html } from "../../vendor/lit-html.js";
import { part } from "./section.js";

export const logins = {
  id: "logins",
  title: "Logins",
  /** @param {HTMLElement} root */
  fill(root) {
    return part(root, "logins", { revokeKeys: false }, (self) => {
      const end = async () => {
        const keys = self.state.revokeKeys ? " API keys end too: programs that use them are refused from then on." : " API keys keep working.";
        const isSure = await ask({
          title: "Log out everywhere?", confirm: "Log out everywhere", danger: self.state.revokeKeys,
          body: () => html`<p>Every login of yours ends, on this browser too. Orders go on.${keys}</p>`,
        });
        if (!isSure) return;
        await self.run("Ending", async () => {
          await request("POST", "/api/auth/logout-all", { query: self.state.revokeKeys ? { revoke_keys: true } : {} });
          session.ended();
        }, "Every login has ended.");
      };
      return html`
        <p>If somebody may have your login, or a screen was left open.</p>
        <p><label class="form-check"><input type="checkbox" .checked=${self.state.revokeKeys} @change=${(/** @type {any} */ event) => self.set({ revokeKeys: event.target.checked })}> End my API keys too</label></p>
        <button type="button" ?disabled=${self.busy !== ""} @click=${end}>Log out everywhere...</button>`;
    });
  },
};
