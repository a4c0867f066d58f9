// @ts-check
/** The frame around every page: who and where one is, how old the figures are, what is halted. */
import { serverNow } from "./api.js";
import { useClock, useExchangeZone } from "./format.js";
import { html, render } from "./vendor/lit-html.js";
import { link, onGo } from "./router.js";
import { session } from "./session.js";
import { settings } from "./settings.js";
import { store } from "./store.js";
import { stream } from "./stream.js";
import { drawFooter, drawHalts, drawHeader, drawStrip, sayAlarms } from "./frame.js";
import { drawLogin } from "./login.js";

/** @typedef {{title: string, close: () => void}} Page */

const ROUTES = [
  { path: /^\/app\/?$/, load: () => import("./pages/orders.js") },
  { path: /^\/app\/orders\/(?<id>[^/]+)$/, load: () => import("./pages/order.js") },
  { path: /^\/app\/new$/, load: () => import("./pages/ticket.js") },
  { path: /^\/app\/attention$/, load: () => import("./pages/attention.js") },
  { path: /^\/app\/account$/, load: () => import("./pages/account.js") },
  { path: /^\/app\/halt$/, load: () => import("./pages/halt.js") },
];

const root = /** @type {HTMLElement} */ (document.getElementById("page"));
const SLOW = 3000; // milliseconds until loading gives its reason
/** @type {Page | null} */
let open = null;
let opening = 0;
let account = "";

async function show() {
  const number = ++opening;
  const path = location.pathname;
  const route = ROUTES.find((one) => one.path.test(path));
  open?.close();
  open = null;
  const into = document.createElement("div");
  into.className = "page";
  root.replaceChildren(into);
  if (!route) return lost(into, "There is no such page.");
  try {
    const page = await route.load();
    if (number !== opening) return;
    const params = { ...route.path.exec(path)?.groups, query: new URLSearchParams(location.search) };
    open = page.open(into, /** @type {any} */ (params));
    document.title = `${open.title} - Pulse`;
  } catch (failure) {
    if (number !== opening) return;
    console.warn(failure);
    lost(into, "This page could not be loaded: the server cannot be reached, or has a newer version.");
  }
}

/**
 * @param {HTMLElement} into
 * @param {string} text
 */
function lost(into, text) {
  render(html`<p class="lost">${text} <button type="button" @click=${() => location.reload()}>Load again</button> <a href="/app">Orders</a></p>`, into);
}

function follow() {
  const now = session.me ? `${session.me.account_id} ${session.me.role} ${session.mustEnrol}` : "";
  // Nothing of one person may stay on the screen of another, nor what a role shows on that of the next.
  if (account && now && account !== now) location.reload();
  if (now && !account) begin();
  account = now || account;
  drawLogin();
  drawHeader();
}

function begin() {
  if (session.mustEnrol) {
    history.replaceState(null, "", "/app/account");
  } else {
    stream.start();
    store.start();
  }
  show();
}

document.addEventListener("click", link);
onGo(() => {
  if (account) {
    show().then(() => root.focus({ preventScroll: true }));
    drawHeader();
  }
});
session.onChange(follow);
stream.onState(drawStrip);
store.halts.onChange(drawHalts);
store.alarms.onChange(drawHeader);
store.alarms.onChange(sayAlarms);
useClock(serverNow);
store.installation.onChange(() => {
  useExchangeZone(store.installation.value?.time_zone);
  drawHeader();
  drawFooter();
});
settings.onChange(drawHeader);
setInterval(() => {
  drawHeader();
  drawStrip();
}, 1000);
setTimeout(() => {
  if (session.state === "unknown") lost(root, "Pulse does not answer yet. It is asked again until it does.");
}, SLOW);
drawFooter();
drawHeader();
session.begin();
