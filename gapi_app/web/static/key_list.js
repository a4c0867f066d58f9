// @ts-check
/** The list of every key that acts now. */

import { settings } from "./settings.js";
import { html, render } from "./vendor/lit-html.js";

/** @param {{scope: string, keys: import("./keys.js").Bindings}[]} scopes */
export function showKeys(scopes) {
  const dialog = document.createElement("dialog");
  dialog.className = "question";
  dialog.setAttribute("aria-labelledby", "keys-title");
  const isOff = settings.get("keys") === "off";
  const turn = () => {
    settings.set("keys", isOff ? "on" : "off");
    dialog.close();
  };
  render(html`
    <h2 id="keys-title">Keys</h2>
    ${isOff ? html`<p>Single keys are turned off.</p>` : ""}
    ${scopes.map(({ scope, keys }) => html`
      <h3>${scope}</h3>
      <dl class="keys">${Object.entries(keys).map(([key, [label]]) => html`
        <div><dt><kbd>${named(key)}</kbd></dt><dd>${label}</dd></div>`)}</dl>`)}
    <p class="soft">Single keys act while no field has the focus.</p>
    <div class="question-actions">
      <button type="button" @click=${turn}>
        Turn single keys ${isOff ? "on" : "off"}</button>
      <button type="button" class="main" autofocus @click=${() => dialog.close()}>Close</button>
    </div>`, dialog);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** @param {string} key */
function named(key) {
  return { Escape: "Esc", " ": "Space", ArrowUp: "↑", ArrowDown: "↓" }[key] ?? key;
}
