// @ts-check
/** Which page is shown, below /app, and how one gets to another without loading it all anew. */
import { toast } from "./notice.js";
import { html, render } from "./vendor/lit-html.js";

/** @typedef {{title: string, shown?: Promise<void>, close: () => void}} Page `shown`: once it has what it is opened for */

/** Where a page can be, and its module, loaded when it is first opened. */
export const ROUTES = [
  { path: /^\/app\/?$/, load: () => import("./pages/orders.js") },
  { path: /^\/app\/orders\/(?<id>[^/]+)$/, load: () => import("./pages/order.js") },
  { path: /^\/app\/new$/, load: () => import("./pages/ticket.js") },
  { path: /^\/app\/attention$/, load: () => import("./pages/attention.js") },
  { path: /^\/app\/account$/, load: () => import("./pages/account.js") },
  { path: /^\/app\/halt$/, load: () => import("./pages/halt.js") },
];
const UNLOADED = "could not be loaded: the server cannot be reached, or has a newer version.";

const root = /** @type {HTMLElement} */ (document.getElementById("page"));
/** @type {Set<() => void>} */
const listeners = new Set();
/** @type {Page | null} */
let open = null;
let opening = 0;

/** Open the page of the address, in place of the one before. */
export async function show() {
  const number = ++opening;
  const path = location.pathname;
  const route = ROUTES.find((one) => one.path.test(path));
  open?.close();
  open = null;
  const into = document.createElement("div");
  into.className = "page";
  root.replaceChildren(into);
  if (!route) return lost("There is no such page.", into);
  try {
    const page = await route.load();
    if (number !== opening) return;
    const params = { ...route.path.exec(path)?.groups, query: new URLSearchParams(location.search) };
    open = page.open(into, /** @type {any} */ (params));
    document.title = `${open.title} - Pulse`;
  } catch (failure) {
    if (number !== opening) return;
    console.warn(failure);
    lost(`This page ${UNLOADED}`, into);
  }
}

/** Done once the page that is open shows what it is opened for. */
export async function shown() {
  await open?.shown;
}

/**
 * What is said where there is no page.
 * @param {string} text
 * @param {HTMLElement} [into]
 */
export function lost(text, into = root) {
  render(html`<p class="lost">${text} <button type="button" @click=${() => location.reload()}>Load again</button> <a href="/app">Orders</a></p>`, into);
}

/**
 * A part of the page that is loaded when it is first used. Null, and said so, where it cannot be had.
 * @template T
 * @param {() => Promise<T>} load
 */
export async function part(load) {
  try {
    return await load();
  } catch (failure) {
    console.warn(failure);
    toast(`This ${UNLOADED}`);
    return null;
  }
}

/**
 * Go to a path, such as `/app/orders/ord_...`.
 * @param {string} path
 * @param {{replace?: boolean}} [options]
 */
export function go(path, { replace = false } = {}) {
  if (path !== location.pathname + location.search) history[replace ? "replaceState" : "pushState"](null, "", path);
  for (const fn of [...listeners]) fn();
}

/** @param {() => void} fn */
export function onGo(fn) {
  listeners.add(fn);
  return () => listeners.delete(fn);
}

/**
 * For clicks of links within the page; what opens another tab or window stays the browser's.
 * @param {MouseEvent} event
 */
function link(event) {
  const to = /** @type {Element} */ (event.target).closest("a");
  if (!to || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (to.target || to.hasAttribute("download") || to.origin !== location.origin) return;
  if (to.pathname !== "/app" && !to.pathname.startsWith("/app/")) return;
  event.preventDefault();
  go(to.pathname + to.search);
}

document.addEventListener("click", link);
addEventListener("popstate", () => {
  for (const fn of [...listeners]) fn();
});
