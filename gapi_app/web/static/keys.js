// @ts-check
/** Single keys. They act only while no field has the focus and no dialog is open, and can be turned off. */

import { go, part } from "./router.js";
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
async function showKeys() {
  const list = await part(() => import("./key_list.js"));
  list?.showKeys(scopes);
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
