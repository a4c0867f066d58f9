// @ts-check
/**
 * Who is logged in. The access token is in this module's memory, the refresh token in a cookie that no script can
 * read. One tab at a time refreshes, and tells the others.
 */
import { ApiError, send, useCell, useTokens } from "./api.js";

/** @typedef {{token: string, expiresAt: number, endsAt: number, mustEnrol: boolean, links: Record<string, string>, cells: string[]}} Login */
/** @typedef {"unknown" | "in" | "out" | "ending"} State */

const PATH = "/app/session";
const LOCK = "pulse-refresh";
const EARLY = 30_000;
const WARNING = 600_000;
const PATIENCE = 3000;
/** Held, shared, by every tab that has a token: so a new one knows whether to ask. */
const KNOWN = "pulse-login";
/** Where a tab keeps which cell it shows. */
const SHOWN_CELL = "pulse.cell";

class Session {
  /** @type {any} The answer of /api/me. */
  me = null;
  /** @type {State} */
  state = "unknown";
  /** Whether somebody asked to log in again, before the login ends. */
  isAskedAgain = false;
  /** @type {Login | null} */
  #login = null;
  /** @type {Set<() => void>} */
  #listeners = new Set();
  /** @type {Promise<string> | null} */
  #refreshing = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #channel = new BroadcastChannel("pulse-session");
  /** @type {(() => void) | null} */
  #release = null;

  constructor() {
    this.#channel.onmessage = ({ data }) => this.#hear(data);
  }

  /** Whether this page may be used at all: without https there are no locks and no safe cookie. */
  get isSecure() {
    return window.isSecureContext && "locks" in navigator;
  }

  get endsAt() {
    return this.#login?.endsAt ?? 0;
  }

  /** Whether this login may do nothing but set up a second factor. */
  get mustEnrol() {
    return this.#login?.mustEnrol ?? false;
  }

  /** Pages beside this one, for operators: by their names. */
  get links() {
    return this.#login?.links ?? {};
  }

  /** The cells that may be looked at, one's own first; none where there is nothing to choose. */
  get cells() {
    return this.#login?.cells ?? [];
  }

  /** The cell that this tab shows; "" where there is nothing to choose. */
  get cell() {
    if (!this.cells.length) return "";
    const kept = sessionStorage.getItem(SHOWN_CELL) ?? "";
    return this.cells.includes(kept) ? kept : this.cells[0];
  }

  /** Show another cell: all of the page is read anew. @param {string} name */
  showCell(name) {
    sessionStorage.setItem(SHOWN_CELL, name);
    location.reload();
  }

  /** @param {string} scope */
  may(scope) {
    return Boolean(this.me?.scopes.includes(scope));
  }

  /** Whether a new order would be seen here: it goes to one's own cell. */
  get mayPlace() {
    return this.may("orders:write") && this.cell === (this.cells[0] ?? "");
  }

  /** Whether everybody's orders and alarms are shown. */
  get isOverseer() {
    return this.me?.role === "operator" || this.me?.role === "admin";
  }

  /** @param {() => void} fn */
  onChange(fn) {
    this.#listeners.add(fn);
    return () => this.#listeners.delete(fn);
  }

  /** Go on with the login of this browser, if there is one. Never throws: without an answer the state stays unknown. */
  async begin() {
    if (!this.isSecure) return this.#become("out");
    try {
      await this.token();
      await this.#learnWho();
    } catch {
      if (this.state === "unknown") setTimeout(() => this.begin(), 2000);
    }
  }

  /**
   * An access token that holds for a while.
   * @param {string} [refused] One that the server took no more.
   * @returns {Promise<string>}
   * @throws {ApiError} with 401 when nobody is logged in
   */
  async token(refused = "") {
    const known = this.#known(refused);
    if (known) return known;
    this.#refreshing ??= this.#refresh(refused).finally(() => (this.#refreshing = null));
    return this.#refreshing;
  }

  /**
   * @param {{username: string, password: string, code?: string}} given `code`: of an app, or a recovery code
   * @throws {ApiError}
   */
  async login({ username, password, code = "" }) {
    const given = code.replaceAll(" ", "");
    const proof = /^[0-9]{6}$/.test(given) ? { totp_code: given } : given ? { recovery_code: given } : {};
    const { body } = await send("POST", PATH, { body: { username, password, ...proof } });
    this.isAskedAgain = false;
    this.#take(read(body), true);
    await this.#learnWho();
  }

  /** @throws {ApiError} when it is not certain that the login has ended */
  async logout() {
    await send("DELETE", PATH);
    this.#channel.postMessage({ kind: "out" });
    this.#leave();
  }

  /** What was just done ended this login, as a new password does. */
  ended() {
    this.#channel.postMessage({ kind: "out" });
    this.#leave();
  }

  /** Show the login now, or no more. */
  askAgain = (isAsked = true) => {
    this.isAskedAgain = isAsked !== false;
    this.#become(this.state);
  };

  /** @param {string} refused */
  #known(refused) {
    const login = this.#login;
    return login && login.token !== refused && login.expiresAt - Date.now() > 0 ? login.token : "";
  }

  /** @param {string} refused */
  async #refresh(refused) {
    return navigator.locks.request(LOCK, async () => {
      const told = this.#known(refused) || (await this.#asked());
      if (told) return told;
      try {
        const { body } = await send("POST", `${PATH}/refresh`);
        return this.#take(read(body), true);
      } catch (failure) {
        if (failure instanceof ApiError && (failure.status === 401 || failure.status === 403)) this.#leave();
        throw failure;
      }
    });
  }

  /** The token of another tab, "" if none has one. A tab that had one before was told of every newer one. */
  async #asked() {
    if (this.#login) return "";
    const { held } = await navigator.locks.query();
    if (!held?.some((one) => one.name === KNOWN)) return "";
    this.#channel.postMessage({ kind: "ask" });
    const deadline = performance.now() + PATIENCE;
    while (performance.now() < deadline && !this.#known("")) await new Promise((done) => setTimeout(done, 15));
    return this.#known("");
  }

  /** @param {any} said */
  #hear(said) {
    if (said.kind === "ask" && this.#known("")) this.#channel.postMessage({ kind: "login", login: this.#login });
    if (said.kind === "login") {
      const isAnother = said.login.endsAt !== this.#login?.endsAt;
      this.#take(said.login, false);
      if (isAnother || !this.me) this.#learnWho().catch(() => {});
    }
    if (said.kind === "out") this.#leave();
  }

  /**
   * @param {Login} login
   * @param {boolean} isOurs
   */
  #take(login, isOurs) {
    this.#login = login;
    useCell(this.cell);
    this.#hold();
    if (isOurs) this.#channel.postMessage({ kind: "login", login });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), Math.max(1000, login.expiresAt - EARLY - Date.now()));
    if (this.me) this.#become(this.#phase());
    return login.token;
  }

  #look() {
    this.#become(this.#phase());
    // Before it ends; a tab that is not looked at may be late, and then asks when it needs one.
    this.token(this.#login?.token).catch(() => {});
  }

  /** @returns {State} */
  #phase() {
    return this.endsAt - Date.now() < WARNING ? "ending" : "in";
  }

  async #learnWho() {
    const token = await this.token();
    const { body } = await send("GET", "/api/me", { headers: { Authorization: `Bearer ${token}` } });
    this.me = body;
    this.#become(this.#phase());
  }

  #hold() {
    if (this.#release) return;
    const released = new Promise((done) => (this.#release = () => done(undefined)));
    navigator.locks.request(KNOWN, { mode: "shared" }, () => released);
  }

  #leave() {
    this.#login = null;
    this.#release?.();
    this.#release = null;
    clearTimeout(this.#timer);
    this.#become("out");
  }

  /** @param {State} state */
  #become(state) {
    this.state = state;
    for (const fn of [...this.#listeners]) fn();
  }
}

/**
 * @param {any} body
 * @returns {Login}
 */
function read(body) {
  return {
    token: body.access_token,
    expiresAt: Date.now() + body.expires_in * 1000,
    endsAt: Date.parse(body.refresh_expires_at),
    mustEnrol: body.must_enrol,
    links: body.links ?? {},
    cells: body.cells ?? [],
  };
}

export const session = new Session();
useTokens((refused) => session.token(refused));
// At once: the rest of the page is loaded meanwhile.
session.begin();
