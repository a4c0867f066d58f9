// @ts-check
/** The frame around every page: who and where one is, how old the figures are, what is halted. */
import { ApiError, serverNow } from "./api.js";
import { span, time, useClock, useExchangeZone, zoneName } from "./format.js";
import { announce, toast } from "./notice.js";
import { lost, onGo, ROUTES, show, shown } from "./router.js";
import { session } from "./session.js";
import { settings } from "./settings.js";
import { store } from "./store.js";
import { stream } from "./stream.js";
import { html, nothing, render } from "./vendor/lit-html.js";

const SLOW = 3000; // milliseconds until loading gives its reason
const AGAIN = 2000;
/** Figures of this age are not old yet: without a stream they are asked for every other second. */
const SHORT = 5000;

/** @param {string} id */
const at = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** A mark beside the word. @type {Record<string, string>} */
const SIGNS = { live: "●", connecting: "◌", reconnecting: "◌", stale: "◌", off: "○" };
/** @type {Set<string> | null} Alarms that were there when the page was opened are on the page of alarms. */
let knownAlarms = null;
/** Whether the exchange trades now, in words; "" until they are loaded. @type {(exchange: string | undefined) => string} */
let marketNow = () => "";
/** @type {(() => void) | null} Once it is loaded. */
let drawLogin = null;
let account = "";

/** What is not needed at once. */
const LATER = [
  () => import("./market.js").then((market) => (marketNow = market.marketNow)),
  ...ROUTES.map(({ load }) => load),
  () => import("./carry_out.js"),
  () => import("./pages/amend.js"),
  () => import("./key_list.js"),
  () => import("./csv.js"),
  () => import("./login.js"),
];

function follow() {
  const now = session.me ? `${session.me.account_id} ${session.me.role} ${session.mustEnrol}` : "";
  // Nothing of one person may stay on the screen of another, nor what a role shows on that of the next.
  if (account && now && account !== now) location.reload();
  if (now && !account) begin();
  account = now || account;
  if (drawLogin) drawLogin();
  else if (session.state === "out" || session.isAskedAgain) loadLogin();
  drawHeader();
}

async function begin() {
  if (session.mustEnrol) history.replaceState(null, "", "/app/account");
  // What it is opened for is asked for first.
  await show();
  if (!session.mustEnrol) {
    stream.start();
    store.start();
  }
  await shown();
  performance.mark("shown");
  loadRest();
}

/** So it is there by the time that it is used, even if the server is away then. */
async function loadRest() {
  try {
    for (const load of LATER) await load();
  } catch {
    // Some browsers do not try again what has failed: the others are loaded when they are used.
  }
}

async function loadLogin() {
  try {
    drawLogin = (await import("./login.js")).drawLogin;
    drawLogin();
  } catch {
    setTimeout(follow, AGAIN);
  }
}

function drawHeader() {
  render(session.me ? header() : html`<a class="name" href="/app">Pulse</a>`, at("header"));
}

function drawFooter() {
  const links = Object.entries(session.links);
  render(
    html`<a href="/docs">API</a>${links.map(
      ([name, url]) => html`<a href=${url} target="_blank" rel="noopener noreferrer">${name}</a>`,
    )}<span>${store.installation.value ? `Pulse ${store.installation.value.version}` : ""}</span>`,
    at("footer"),
  );
}

/** The red band on every page while something is halted. */
function drawHalts() {
  render(
    store.halts.value.map(
      (one) => html`<p class="halt-band" role="alert">
        <strong>HALTED</strong> ${scopeOf(one)}, by ${one.made_by === session.me?.account_id ? "you" : one.made_by_name} at ${time(one.made_at)}: ${one.reason}
        <a href="/app/halt">Receipt and release</a>
      </p>`,
    ),
    at("halts"),
  );
}

/** Say each new alarm once, at once, in the tab that is looked at. */
function sayAlarms() {
  const open = store.alarms.value.filter((one) => one.status === "OPEN");
  const fresh = open.filter((one) => knownAlarms !== null && !knownAlarms.has(one.alarm_id));
  knownAlarms = new Set([...(knownAlarms ?? []), ...open.map((one) => one.alarm_id)]);
  if (fresh.length && !document.hidden) announce(`Alarm: ${fresh.map((one) => one.meaning).join("; ")}`, { assertive: true });
}

/** What is the matter with the connection, or the login; nothing when all is well. */
function drawStrip() {
  const said = session.me && session.state !== "out" ? matter() : "";
  const isOld = session.state === "out" || (stream.state !== "connecting" && store.ages().figures > SHORT);
  document.documentElement.toggleAttribute("data-old", Boolean(session.me) && isOld);
  render(said ? html`<p class="strip">${said}</p>` : nothing, at("strip"));
}

function header() {
  const { me } = session;
  const installation = store.installation.value;
  const main = installation?.exchanges.includes("NSE") ? "NSE" : installation?.exchanges[0];
  const waiting = store.attention.size + store.alarms.value.filter((one) => one.order_id === null).length;
  return html`
    <a class="name" href="/app">Pulse</a>
    ${installation
      ? html`<span class="place" ?data-live=${!installation.is_paper}>${installation.is_paper ? "PAPER" : "LIVE"}</span>`
      : nothing}
    <nav aria-label="Pages">${session.mustEnrol ? nothing : html`
      ${tab("/app", "Orders")} ${tab("/app/attention", waiting ? `Attention ${waiting}` : "Attention")}
      ${session.mayPlace ? tab("/app/new", "New order") : nothing}
      ${me.role === "viewer" ? nothing : tab("/app/halt", "Halt")}`}
    </nav>
    ${session.cell ? cells() : nothing}
    <span class="gap"></span>
    ${session.may("orders:write") ? nothing : html`<span class="role">${me.role}: can look, not trade</span>`}
    <span class="connection" data-state=${stream.state}><span aria-hidden="true">${SIGNS[stream.state]}</span> ${connection()}</span>
    <span class="market">${marketNow(main)}</span>
    <span class="clock">${installation ? `${time(serverNow())} ${zoneName()}` : ""}</span>
    <a class="who" href="/app/account">${me.username}<small>${me.role}</small></a>
    <button type="button" class="quiet" @click=${logOut}>Log out</button>
  `;
}

/**
 * @param {string} path
 * @param {string} text
 */
function tab(path, text) {
  return html`<a href=${path} aria-current=${location.pathname === path ? "page" : nothing}>${text}</a>`;
}

/** Each tab shows one of them. */
function cells() {
  return html`<label>Cell <select aria-label="Cell" @change=${(/** @type {any} */ event) => session.showCell(event.target.value)}>
    ${session.cells.map((name) => html`<option value=${name} ?selected=${name === session.cell}>${name}</option>`)}</select></label>`;
}

function connection() {
  if (stream.state === "live") return "live";
  if (stream.state === "off") return "not connected";
  if (stream.state === "connecting") return "connecting";
  const { figures } = store.ages();
  return Number.isFinite(figures) ? `${stream.state === "stale" ? "silent" : "reconnecting"}, figures ${span(Math.round(figures / 1000) * 1000)} old` : "reconnecting";
}

function matter() {
  if (session.state === "ending") {
    return html`This login ends in ${span(Math.max(1000, session.endsAt - Date.now()))}.
      <button type="button" @click=${() => session.askAgain()}>Log in again to go on</button>`;
  }
  if (stream.reason === "RATE_LIMITED") return `Too many streams or requests: tried again in ${span(Math.max(1000, stream.retryAt - Date.now()))}.`;
  return "";
}

/** @param {any} halt */
function scopeOf(halt) {
  const named = [halt.account_name, halt.broker_account, halt.instrument].filter(Boolean);
  return named.length ? named.join(", ") : "everything";
}

async function logOut() {
  try {
    await session.logout();
  } catch (failure) {
    toast(`Not logged out: ${failure instanceof ApiError ? failure.message : failure}`);
  }
}

onGo(() => {
  if (session.mustEnrol) history.replaceState(null, "", "/app/account");
  if (account) {
    show().then(() => at("page").focus({ preventScroll: true }));
    drawHeader();
  }
});
session.onChange(follow);
stream.onState(drawStrip);
stream.onState(drawHeader);
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
  if (session.state === "unknown") lost("Pulse does not answer yet. It is asked again until it does.");
}, SLOW);
drawFooter();
follow();
// Beside who is logged in, not after it.
if (ROUTES[0].path.test(location.pathname)) store.foresee(new URLSearchParams(location.search).get("view") ?? "working");
