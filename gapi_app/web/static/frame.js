// @ts-check
/** What stands around every page: header, halt band, strip about the connection, footer. */
import { html, nothing, render } from "./vendor/lit-html.js";
import { serverNow } from "./api.js";
import { ApiError } from "./http.js";
import { toast } from "./notice.js";
import { session } from "./session.js";
import { store } from "./store.js";
import { stream } from "./stream.js";

const MINUTE = 60_000;

/** @param {string} id */
const at = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @type {Intl.DateTimeFormat | undefined} */
let clock;
let clockZone = "";

export function drawHeader() {
  render(session.me ? header() : html`<a class="name" href="/app">Pulse</a>`, at("header"));
}

export function drawFooter() {
  const links = Object.entries(session.links);
  render(
    html`<a href="/docs">API</a>${links.map(
      ([name, url]) => html`<a href=${url} target="_blank" rel="noopener noreferrer">${name}</a>`,
    )}<span>${store.installation.value ? `Pulse ${store.installation.value.version}` : ""}</span>`,
    at("footer"),
  );
}

/** The red band on every page while something is halted. */
export function drawHalts() {
  render(
    store.halts.value.map(
      (one) => html`<p class="halt" role="alert">
        <strong>HALTED</strong> ${scopeOf(one)}: ${one.reason}
        <a href="/app/halt">Receipt and release</a>
      </p>`,
    ),
    at("halts"),
  );
}

/** What is the matter with the connection, or the login; nothing when all is well. */
export function drawStrip() {
  const said = session.me && session.state !== "out" ? matter() : "";
  const age = Math.round(store.ages().figures / 1000);
  document.documentElement.toggleAttribute("data-old", Boolean(session.me) && (session.state === "out" || age > 0));
  render(said ? html`<p class="strip">${said}</p>` : nothing, at("strip"));
}

function header() {
  const { me } = session;
  const installation = store.installation.value;
  const waiting = store.attention.size;
  return html`
    <a class="name" href="/app">Pulse</a>
    ${installation
      ? html`<span class="place" data-paper=${installation.is_paper}>${installation.is_paper ? "PAPER" : "LIVE"}</span>`
      : nothing}
    <nav aria-label="Pages">
      ${tab("/app", "Orders")} ${tab("/app/attention", waiting ? `Attention ${waiting}` : "Attention")}
      ${session.may("orders:write") ? tab("/app/new", "New order") : nothing}
    </nav>
    <span class="gap"></span>
    ${session.may("orders:write") ? nothing : html`<span class="role">${me.role}: can look, not trade</span>`}
    <span class="connection" data-state=${stream.state}>${connection()}</span>
    <time>${timeNow(installation?.time_zone)}</time>
    <a href="/app/account">${me.username} <small>${me.role}</small></a>
    <button type="button" class="plain" @click=${logOut}>Log out</button>
  `;
}

/**
 * @param {string} path
 * @param {string} text
 */
function tab(path, text) {
  return html`<a href=${path} aria-current=${location.pathname === path ? "page" : nothing}>${text}</a>`;
}

function connection() {
  if (stream.state === "live") return "live";
  if (stream.state === "off") return "not connected";
  if (stream.state === "connecting") return "connecting";
  const { figures } = store.ages();
  return Number.isFinite(figures) ? `${stream.state === "stale" ? "silent" : "reconnecting"}, figures ${ageOf(figures)} old` : "reconnecting";
}

function matter() {
  if (session.state === "ending") {
    return html`This login ends in ${ageOf(Math.max(0, session.endsAt - Date.now()))}.
      <button type="button" @click=${() => session.askAgain()}>Log in again to go on</button>`;
  }
  if (stream.reason === "RATE_LIMITED") return `Too many streams or requests: tried again in ${ageOf(Math.max(0, stream.retryAt - Date.now()))}.`;
  return "";
}

/** @param {string} [zone] */
function timeNow(zone) {
  if (!zone) return "";
  if (zone !== clockZone) {
    clock = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" });
    clockZone = zone;
  }
  return clock?.format(serverNow());
}

/** @param {number} milliseconds */
function ageOf(milliseconds) {
  return milliseconds < 2 * MINUTE ? `${Math.round(milliseconds / 1000)} s` : `${Math.round(milliseconds / MINUTE)} min`;
}

/** @param {any} halt */
function scopeOf(halt) {
  const named = [halt.account_id, halt.broker_account, halt.instrument].filter(Boolean);
  return named.length ? named.join(", ") : "everything";
}

async function logOut() {
  try {
    await session.logout();
  } catch (failure) {
    toast(`Not logged out: ${failure instanceof ApiError ? failure.message : failure}`);
  }
}
