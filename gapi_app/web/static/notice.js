// @ts-check
/** Short messages: to be seen (toasts), and to be heard from a screen reader. */
import { html, render } from "./vendor/lit-html.js";

const SHOWN = 6000;
const SHOWN_WITH_ACTION = 12_000;
const MOST = 4;

/** @type {{id: number, text: string, action?: string, run?: () => void}[]} */
let shown = [];
let last = 0;

/**
 * A message for some seconds, with one thing that can be done about it.
 * @param {string} text
 * @param {{action?: string, run?: () => void}} [options]
 */
export function toast(text, { action, run } = {}) {
  const id = ++last;
  shown = [...shown, { id, text, action, run }].slice(-MOST);
  draw();
  announce(text);
  setTimeout(() => close(id), action ? SHOWN_WITH_ACTION : SHOWN);
}

/**
 * A message that is heard alone.
 * @param {string} text
 * @param {{assertive?: boolean}} [options] Said at once, whatever is being said: for alarms.
 */
export function announce(text, { assertive = false } = {}) {
  const region = document.getElementById(assertive ? "assertive" : "polite");
  if (!region) return;
  // The same words again are said again only where the text has changed between.
  region.textContent = "";
  requestAnimationFrame(() => (region.textContent = text));
}

/** @param {number} id */
function close(id) {
  shown = shown.filter((one) => one.id !== id);
  draw();
}

function draw() {
  const root = document.getElementById("toasts");
  if (root) render(shown.map(line), root);
}

/** @param {(typeof shown)[number]} one */
function line(one) {
  const done = () => {
    close(one.id);
    one.run?.();
  };
  return html`<p class="toast">
    <span>${one.text}</span>
    ${one.action ? html`<button type="button" @click=${done}>${one.action}</button>` : ""}
    <button type="button" class="plain" aria-label="Close this message" @click=${() => close(one.id)}>&times;</button>
  </p>`;
}
