// @ts-check
/** Single keys. They act only while no field has the focus and no dialog is open, and can be turned off. */

import { html, render } from "./vendor/lit-html.js";
import { go } from "./router.js";
import { settings } from "./settings.js";

const PATIENCE = 1500; // milliseconds between the keys of "g o"

/** @typedef {Record<string, [string, (event: KeyboardEvent) => void]>} Bindings */

/** The latest scope first: what a page binds goes before what the frame binds. @type {{scope: string, keys: Bindings}[]} */
const scopes = [];
let before = "";
let beforeAt = 0;

/**
 * @param {Bindings} keys such as {"p": ["Pause", pause], "g o": ["Orders", toOrders]}; names are those of KeyboardEvent.key
 * @param {string} [scope] the heading under which `?` lists them
 * @returns {() => void} unbinds them
 */
export function bind(keys, scope = "Everywhere") {
  const bound = { scope, keys };
  scopes.unshift(bound);
  return () => {
    const place = scopes.indexOf(bound);
    if (place >= 0) scopes.splice(place, 1);
  };
}

/** Shows every key that acts now. */
export function showKeys() {
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

/** @param {KeyboardEvent} event */
function press(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (isBusy(event.target) || (event.key.length === 1 && settings.get("keys") === "off")) return;
  const since = event.timeStamp - beforeAt;
  const both = before && since < PATIENCE ? `${before} ${event.key}` : event.key;
  before = event.key;
  beforeAt = event.timeStamp;
  const action = find(both) ?? find(event.key);
  if (!action) return;
  before = "";
  event.preventDefault();
  action(event);
}

/** @param {string} key */
function find(key) {
  for (const { keys } of scopes) if (Object.hasOwn(keys, key)) return keys[key][1];
  return null;
}

/** @param {EventTarget | null} target */
function isBusy(target) {
  if (document.querySelector("dialog[open]")) return true;
  return target instanceof HTMLElement && (target.isContentEditable || target.matches("input, textarea, select"));
}

bind({
  "?": ["This list", showKeys],
  "g o": ["Orders", () => go("/app")],
  "g a": ["Attention", () => go("/app/attention")],
});
addEventListener("keydown", press);
