// @ts-check
/** A field that finds instruments by how their symbol begins, as the pattern of a combobox with a list. */

import { request } from "../api.js";
import { quantity } from "../format.js";
import { html, nothing, render } from "../vendor/lit-html.js";

const WAIT = 200; // milliseconds after the last key
const MOST = 12;
const KINDS = /** @type {Record<string, string>} */ ({ EQUITY: "share", FUTURE: "future", CALL: "call", PUT: "put" });

/**
 * @param {HTMLElement} root an element of its own
 * @param {{id: string, value: string, exchanges: string[], broker?: () => string | undefined,
 *          onChange: (instrument: string, found: Record<string, any> | null) => void}} options
 *   `onChange` is told what is typed, and the instrument of the list once one is chosen
 * @returns {{set: (value: string) => void, tell: (problem: string) => void, close: () => void}}
 */
export function instrumentSearch(root, { id, value, exchanges, broker = () => undefined, onChange }) {
  let typed = value;
  let problem = "";
  /** @type {Record<string, any>[]} */
  let found = [];
  let active = -1;
  let isOpen = false;
  let told = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let waiting;
  /** @type {AbortController | undefined} */
  let asking;

  const option = (/** @type {number} */ index) => `${id}-option-${index}`;

  function draw() {
    render(html`
      <div class="search">
        <input id=${id} role="combobox" autocomplete="off" autocapitalize="characters" spellcheck="false" maxlength="49"
          aria-autocomplete="list" aria-expanded=${String(isOpen)} aria-controls=${`${id}-list`}
          aria-activedescendant=${active >= 0 ? option(active) : nothing} aria-describedby=${`${id}-told`}
          aria-invalid=${problem ? "true" : nothing} placeholder=${`${exchanges[0] ?? "NSE"}:RELIANCE`}
          .value=${typed} @input=${type} @keydown=${press} @blur=${leave}>
        <ul id=${`${id}-list`} role="listbox" aria-label="Instruments" ?hidden=${!isOpen}>
          ${found.map((one, index) => html`
            <li id=${option(index)} role="option" aria-selected=${String(index === active)}
              @pointerdown=${(/** @type {Event} */ event) => { event.preventDefault(); choose(index); }}>
              <strong>${one.instrument}</strong> <span class="soft">${one.name} · ${describe(one)}</span>
            </li>`)}
        </ul>
        <span class="visually-hidden" role="status">${told}</span>
      </div>`, root);
  }

  /** @param {any} event */
  function type(event) {
    typed = event.target.value.toUpperCase();
    active = -1;
    onChange(typed, null);
    clearTimeout(waiting);
    waiting = setTimeout(look, WAIT);
    draw();
  }

  async function look() {
    asking?.abort();
    asking = new AbortController();
    const [exchange, symbol] = parted(typed, exchanges);
    if (!symbol) return show([]);
    try {
      const { body } = await request("GET", "/api/instruments", {
        query: { query: symbol, limit: MOST, ...(exchange ? { exchange } : {}), ...(broker() ? { broker: broker() } : {}) },
        signal: asking.signal,
      });
      show(body.instruments);
    } catch {
      // The list is a help: what is typed is sent as it is, and the server says what is wrong with it.
      show([]);
    }
  }

  /** @param {Record<string, any>[]} instruments */
  function show(instruments) {
    found = instruments;
    const isChosen = found.length === 1 && found[0].instrument === typed;
    isOpen = found.length > 0 && !isChosen && document.activeElement?.id === id;
    active = -1;
    told = isOpen ? `${found.length} instruments, arrows choose` : "";
    const exact = found.find((one) => one.instrument === typed);
    if (exact) onChange(typed, exact);
    draw();
  }

  /** @param {KeyboardEvent} event */
  function press(event) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (!found.length) return;
      isOpen = true;
      const step = event.key === "ArrowDown" ? 1 : -1;
      active = (active + step + found.length) % found.length;
    } else if (event.key === "Enter" && isOpen && active >= 0) {
      choose(active);
    } else if (event.key === "Escape" && isOpen) {
      isOpen = false;
      active = -1;
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    draw();
    document.getElementById(option(active))?.scrollIntoView({ block: "nearest" });
  }

  /** @param {number} index */
  function choose(index) {
    typed = found[index].instrument;
    isOpen = false;
    active = -1;
    told = `${typed} chosen`;
    onChange(typed, found[index]);
    draw();
  }

  function leave() {
    isOpen = false;
    active = -1;
    draw();
  }

  draw();
  if (typed) look();
  return {
    set(next) {
      typed = next;
      draw();
    },
    tell(next) {
      if (problem === next) return;
      problem = next;
      draw();
    },
    close() {
      clearTimeout(waiting);
      asking?.abort();
    },
  };
}

/** @param {string} text @param {string[]} exchanges @returns {[exchange: string | null, symbol: string]} */
function parted(text, exchanges) {
  const place = text.indexOf(":");
  if (place < 0) return [null, text];
  const exchange = text.slice(0, place);
  return [exchanges.includes(exchange) ? exchange : null, text.slice(place + 1)];
}

/** @param {Record<string, any>} one what matters for an order in it */
export function describe(one) {
  return [
    KINDS[one.kind] ?? one.kind,
    `lot ${quantity(one.lot_size)}`,
    `tick ${one.tick_size}`,
    one.expires_on ? `expires ${one.expires_on}` : "",
  ].filter(Boolean).join(", ");
}
