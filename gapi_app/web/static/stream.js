// @ts-check
/**
 * What happens to orders, as it happens: one stream for all tabs. The tab that holds the lock reads it and tells the
 * others; when it goes, another goes on after the last id.
 */
import { ApiError, parsed, refusal } from "./api.js";
import { session } from "./session.js";

/** @typedef {"off" | "connecting" | "live" | "reconnecting" | "stale"} State */

const LOCK = "pulse-stream";
const STALE_AFTER = 20_000;
const DEAD_AFTER = 30_000;
const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;
const HIDDEN_FOR = 60_000;

class Stream {
  /** @type {State} */
  state = "off";
  /** When something was heard last, in milliseconds since 1970; 0: never. */
  heardAt = 0;
  /** The last event that was told. */
  lastId = "";
  /** Why it is not live, and when it is tried again (milliseconds since 1970), as far as that is known. */
  reason = "";
  retryAt = 0;
  isLeading = false;
  /** @type {Set<(event: any) => void>} */
  #onEvent = new Set();
  /** @type {Set<() => void>} */
  #onState = new Set();
  /** @type {Set<() => void>} */
  #onGap = new Set();
  /** Tabs that show the same cell have one stream. */
  #name = LOCK;
  /** @type {BroadcastChannel | null} */
  #channel = null;
  #hiddenAt = document.hidden ? Date.now() : 0;
  /** @type {AbortController | null} */
  #reading = null;
  #isOn = false;
  /** @type {(() => void) | null} */
  #yield = null;
  #wake = () => {};

  /** Begin; repeating it is harmless. */
  start() {
    if (this.#isOn) return;
    this.#isOn = true;
    this.#name = LOCK + session.cell;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    this.#channel?.postMessage({ kind: "hello" });
    document.addEventListener("visibilitychange", () => this.#see());
    session.onChange(() => this.#follow());
    setInterval(() => this.#look(), 1000);
    this.#become("connecting");
    this.#queue();
  }

  /** @param {(event: any) => void} fn */
  onEvent(fn) {
    this.#onEvent.add(fn);
    return () => this.#onEvent.delete(fn);
  }

  /** @param {() => void} fn */
  onState(fn) {
    this.#onState.add(fn);
    return () => this.#onState.delete(fn);
  }

  /** Something was missed, or may have been: what is shown has to be read anew. @param {() => void} fn */
  onGap(fn) {
    this.#onGap.add(fn);
    return () => this.#onGap.delete(fn);
  }

  async #queue() {
    for (;;) {
      await navigator.locks.request(this.#name, () => this.#lead());
      // Whoever waits goes first.
      await pause(200);
    }
  }

  async #lead() {
    this.isLeading = true;
    const given = new Promise((done) => (this.#yield = () => done("given")));
    const reading = this.#read();
    this.#see();
    await given;
    this.isLeading = false;
    this.#yield = null;
    this.#reading?.abort();
    this.#wake();
    await reading;
  }

  async #read() {
    let wait = FIRST_WAIT;
    while (this.isLeading) {
      try {
        if (session.state === "out") await this.#rest(LONGEST_WAIT);
        else if (await this.#readOnce()) wait = FIRST_WAIT;
        if (!this.isLeading) return;
        if (session.state === "out") this.#become("off");
        else await this.#later(wait * (0.5 + Math.random() / 2), "");
      } catch (failure) {
        if (!this.isLeading) return;
        const refused = failure instanceof ApiError ? failure : null;
        if (refused?.code === "INVALID_REQUEST" && this.lastId) {
          // Numbers of another database: they begin anew.
          this.lastId = "";
          this.#tellGap();
        }
        await this.#later(refused?.retryAfter ? refused.retryAfter * 1000 : wait * (0.5 + Math.random() / 2), refused?.code ?? "");
      }
      wait = Math.min(wait * 2, LONGEST_WAIT);
    }
  }

  /** One connection, to its end. Whether anything was heard. */
  async #readOnce() {
    const token = await session.token();
    this.#reading = new AbortController();
    const headers = { Authorization: `Bearer ${token}`, ...(session.cell ? { "Pulse-Cell": session.cell } : {}), ...(this.lastId ? { "Last-Event-ID": this.lastId } : {}) };
    const path = session.isOverseer ? "/api/events/all" : "/api/events";
    const answer = await fetch(path, { headers, signal: this.#reading.signal, cache: "no-store" });
    if (answer.status === 401) {
      await session.token(token);
      return true;
    }
    if (!answer.ok || !answer.body) throw refusal(answer, parsed(await answer.text()));
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return true;
      this.heardAt = Date.now();
      const blocks = (rest + value).split("\n\n");
      rest = /** @type {string} */ (blocks.pop());
      const events = blocks.map(block).filter((one) => one !== null);
      this.#take(events);
      this.#become("live");
    }
  }

  /** @param {{id: string, data: any}[]} events */
  #take(events) {
    for (const { id, data } of events) {
      if (data === null) {
        const isNew = !this.lastId;
        this.lastId = id;
        if (isNew) this.#tellGap();
        continue;
      }
      const isGap = this.lastId !== "" && Number(id) > Number(this.lastId) + 1;
      this.lastId = id;
      if (isGap) this.#tellGap();
      this.#tell(data);
      this.#channel?.postMessage({ kind: "event", event: data, id });
    }
    this.#channel?.postMessage({ kind: "state", state: "live", heardAt: this.heardAt, lastId: this.lastId });
  }

  /** @param {any} said */
  #hear(said) {
    if (said.kind === "hello" && this.isLeading) this.#tellState();
    if (said.kind === "want" && this.isLeading && this.#isLongHidden()) this.#yield?.();
    if (said.kind === "offer" && !this.isLeading && !document.hidden) this.#channel?.postMessage({ kind: "want" });
    if (this.isLeading) return;
    if (said.kind === "gap") this.#fire(this.#onGap);
    if (said.kind === "event") {
      this.lastId = said.id;
      this.#tell(said.event);
    }
    if (said.kind === "state") {
      this.heardAt = Math.max(this.heardAt, said.heardAt);
      this.lastId = said.lastId || this.lastId;
      this.reason = said.reason ?? "";
      this.retryAt = said.retryAt ?? 0;
      this.#become(said.state);
    }
  }

  #look() {
    const silent = Date.now() - this.heardAt;
    if (this.state === "live" && silent > STALE_AFTER) this.#become("stale");
    if (this.isLeading && this.#reading && this.heardAt && silent > DEAD_AFTER && this.state === "stale") this.#reading.abort();
    if (this.isLeading && this.#isLongHidden()) this.#channel?.postMessage({ kind: "offer" });
  }

  #isLongHidden() {
    return this.#hiddenAt > 0 && Date.now() - this.#hiddenAt > HIDDEN_FOR;
  }

  #see() {
    this.#hiddenAt = document.hidden ? this.#hiddenAt || Date.now() : 0;
    if (!document.hidden) this.#wake();
  }

  #follow() {
    if (session.state === "out") {
      this.#reading?.abort();
      this.#become("off");
    } else this.#wake();
  }

  /**
   * @param {number} milliseconds
   * @param {string} reason
   */
  async #later(milliseconds, reason) {
    this.reason = reason;
    this.retryAt = Date.now() + milliseconds;
    this.#become(this.heardAt ? "reconnecting" : "connecting");
    await this.#rest(milliseconds);
  }

  /** @param {number} milliseconds */
  #rest(milliseconds) {
    return new Promise((done) => {
      const timer = setTimeout(() => done(undefined), milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        done(undefined);
      };
    });
  }

  #tellGap() {
    this.#channel?.postMessage({ kind: "gap" });
    this.#fire(this.#onGap);
  }

  /** @param {any} event */
  #tell(event) {
    for (const fn of [...this.#onEvent]) fn(event);
  }

  #tellState() {
    const { state, heardAt, lastId, reason, retryAt } = this;
    this.#channel?.postMessage({ kind: "state", state, heardAt, lastId, reason, retryAt });
  }

  /** @param {State} state */
  #become(state) {
    const isNew = state !== this.state;
    this.state = state;
    if (!isNew && state === "live") return;
    if (this.isLeading && state !== "live") this.#tellState();
    this.#fire(this.#onState);
  }

  /** @param {Set<() => void>} listeners */
  #fire(listeners) {
    for (const fn of [...listeners]) fn();
  }
}

/**
 * A block of the stream; `data` is null for one that tells the id alone. Null for a comment.
 * @param {string} text
 */
function block(text) {
  const lines = text.split("\n");
  const id = lines.find((one) => one.startsWith("id: "))?.slice(4);
  const data = lines.find((one) => one.startsWith("data: "))?.slice(6);
  return id === undefined ? null : { id, data: data === undefined ? null : parsed(data) };
}

/** @param {number} milliseconds */
function pause(milliseconds) {
  return new Promise((done) => setTimeout(done, milliseconds));
}

export const stream = new Stream();
