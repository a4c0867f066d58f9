// @ts-check
/** The blotter: every order in one table, live, in rows that stay where they are. */

import { commands } from "../commands.js";
import { orderName, quantity, span } from "../format.js";
import { Grid } from "../grid.js";
import { bind } from "../keys.js";
import { announce } from "../notice.js";
import { go, part } from "../router.js";
import { session } from "../session.js";
import { settings } from "../settings.js";
import { store } from "../store.js";
import { isMeant } from "../store_parts.js";
import { html, nothing, render } from "../vendor/lit-html.js";
import { arranged, columns, EXPORTED, isOpen, isStanding, troubles } from "../orders/columns.js";

/** @typedef {Record<string, any>} Order */

const VIEWS = /** @type {const} */ ([["working", "Working"], ["attention", "Attention"], ["today", "Today"], ["all", "All"]]);
const EMPTY = { working: "No working orders.", attention: "Nothing needs you.", today: "No orders today.", all: "No orders yet." };
const SLOW = 2000; // milliseconds until loading gives its reason
const STANDING = 30_000; // milliseconds until orders that stand still are read again: their plan does not
const TYPED = 250; // milliseconds after the last letter until the server is asked
const CARDS = matchMedia("(max-width: 699px)");

/** @param {HTMLElement} root @param {{query?: URLSearchParams}} params */
export function open(root, params) {
  const page = document.createElement("div");
  page.className = session.isOverseer ? "blotter everybodys" : "blotter";
  const [top, trouble, selection, table, empty, foot] = ["toolbar", "strip problem", "selection", "", "nothing", "blotter-foot"].map((name) => {
    const part = document.createElement("div");
    part.className = name;
    return part;
  });
  page.append(top, trouble, selection, table, empty, foot);
  root.replaceChildren(page);

  const wanted = params.query?.get("view") ?? "";
  let view = VIEWS.some(([name]) => name === wanted) ? wanted : "working";
  let filter = { text: "", side: "", account: "" };
  /** While somebody types what the server has to look for. @type {ReturnType<typeof setTimeout> | undefined} */
  let typing;
  let sort = { name: "time", descending: true };
  let isFrozen = false;
  let isSlow = false;
  let isLoading = true;
  /** Whether the rest of the view is being loaded. */
  let isFilling = false;
  let readings = 0;
  /** Orders that have come since the rows were arranged. @type {Set<string>} */
  let fresh = new Set();
  /** Orders that changed while the page was frozen. @type {Set<string>} */
  let waiting = new Set();
  /** Orders in sight that would stand elsewhere, or nowhere, if the rows were arranged now. */
  let isDisarranged = false;
  /** Whose orders were seen: names by account. */
  const seen = new Map([[session.me?.account_id, "mine"]]);

  const mayAct = session.may("orders:write");
  const all = columns((order) => grid?.selected.has(order.order_id) ?? false, toggle)
    .filter(({ name }) => (mayAct || name !== "chosen") && (session.isOverseer || name !== "account"));
  /** @type {ReturnType<typeof Grid>} */
  const grid = Grid({
    root: table,
    columns: all,
    rowHeight: () => (CARDS.matches ? (session.isOverseer ? 88 : 64) : 32),
    asCards: () => CARDS.matches,
    label: "Orders",
    onOpen: (order) => go(`/app/orders/${order.order_id}`),
    onSelect: mayAct ? drawSelection : undefined,
    onSort: sortBy,
    rowKind: (order) => (isOpen(order) ? "" : "is-ended"),
  });
  table.addEventListener("click", (event) => {
    // A finger has no double click.
    if (/** @type {PointerEvent} */ (event).pointerType === "touch" && grid.active && !isOnBox(event)) go(`/app/orders/${grid.active.order_id}`);
  });
  table.addEventListener("scroll", () => {
    if (table.scrollTop + 2 * table.clientHeight > table.scrollHeight) store.more();
  }, { passive: true });

  const offs = [
    store.onChange(onChange),
    commands.onChange(drawSelection),
    settings.onChange(() => grid.redraw()),
    store.installation.onChange(() => grid.redraw()),
    bind(keys(), "Orders"),
    every(1000, () => {
      if (store.retryAt) drawTrouble();
      if (isFrozen) return;
      grid.tick();
      rearrange();
    }),
    every(STANDING, () => {
      if (!isFrozen && !document.hidden && !readings && grid.list.some(isStanding)) store.lookAgain();
    }),
  ];

  return {
    title: "Orders",
    shown: load(),
    close() {
      for (const off of offs) off();
      clearTimeout(typing);
      grid.close();
    },
  };

  async function load() {
    [isLoading, isSlow] = [true, false];
    clearTimeout(typing);
    typing = undefined;
    const slow = setTimeout(() => {
      isSlow = true;
      draw();
    }, SLOW);
    draw();
    readings += 1;
    await store.load(/** @type {any} */ ({ name: view, sort: listed(), filters: { side: filter.side, account_id: filter.account, search: filter.text } }));
    clearTimeout(slow);
    readings -= 1;
    // Another reading may have taken the place of this one: then that brings the orders.
    isLoading = store.state === "loading";
    arrange();
  }

  /** @param {{changed: Set<string>, added: Set<string>, removed: Set<string>}} news */
  function onChange({ changed, added, removed }) {
    if (isFrozen) {
      for (const id of [...changed, ...added, ...removed]) waiting.add(id);
      draw();
      return;
    }
    grid.changed([...changed].flatMap((id) => store.orders.get(id) ?? []));
    for (const id of added) if (matches(store.orders.get(id))) fresh.add(id);
    if (removed.size) isDisarranged = true;
    if (sort.name !== "time" && changed.size) isDisarranged = true;
    const isDue = isLoading || !grid.list.length;
    if (!readings) isLoading = store.state === "loading";
    if (isDue) arrange();
    else draw();
  }

  /** Rows move only while nobody is at them. */
  function rearrange() {
    if (!fresh.size && !isDisarranged) return;
    if (table.matches(":hover") || table.contains(document.activeElement) || grid.selected.size || table.scrollTop) return;
    arrange();
  }

  function arrange() {
    [fresh, waiting, isDisarranged] = [new Set(), new Set(), false];
    const by = all.find(({ name }) => name === sort.name)?.by ?? (() => 0);
    const rows = arranged([...store.orders.values()].filter(matches), by, sort.descending);
    grid.sorted(sort.name, sort.descending);
    grid.rows(rows, (order) => order.order_id);
    draw();
  }

  /** @param {Order | undefined} order @returns {boolean} */
  function matches(order) {
    return order !== undefined && isMeant(order, filter.text);
  }

  /** @param {string} name */
  function sortBy(name) {
    sort = { name, descending: sort.name === name ? !sort.descending : name === "time" };
    if (name === "time" && store.hasMore && listed() !== store.view.sort) load();
    arrange();
  }

  /** How the server sorts the listing: by the time alone. What moves with every fill cannot be paged through in its order. */
  function listed() {
    return sort.name === "time" && !sort.descending ? "created_at" : "";
  }

  /** @param {string} name */
  function show(name) {
    view = name;
    history.replaceState(history.state, "", name === "working" ? "/app" : `/app?view=${name}`);
    grid.clear();
    load();
  }

  /** @param {Partial<typeof filter>} change */
  function narrow(change) {
    filter = { ...filter, ...change };
    if (!("text" in change)) {
      load();
      return;
    }
    clearTimeout(typing);
    typing = isLoaded(filter.text) ? undefined : setTimeout(load, TYPED);
    arrange();
  }

  /** Whether every order that a text means is among those that are loaded. @param {string} text */
  function isLoaded(text) {
    const search = store.view.filters?.search ?? "";
    return store.state === "ready" && !store.hasMore && text.toLowerCase().includes(search.toLowerCase());
  }

  function freeze() {
    isFrozen = !isFrozen;
    if (!isFrozen) arrange();
    draw();
  }

  /** @param {Order} order */
  function toggle(order) {
    grid.activate(order.order_id);
    grid.toggle();
  }

  async function exported() {
    const file = await part(() => import("../csv.js"));
    file?.exportTable(`orders-${view}`, [...EXPORTED, ...grid.columns], grid.list);
  }

  function draw() {
    const counts = /** @type {Record<string, string>} */ ({ attention: quantity(store.attention.size) });
    if (!isLoading) counts[view] = `${quantity(store.orders.size)}${store.hasMore ? "+" : ""}`;
    render(html`
      <div class="views" role="group" aria-label="View">${VIEWS.map(([name, word]) => html`
        <button type="button" aria-pressed=${String(view === name)} @click=${() => show(name)}>${word}
          ${counts[name] ?? nothing}</button>`)}</div>
      <input class="filter" type="search" aria-label="Filter" placeholder="Filter: instrument, key, note  ( / )" maxlength="64" .value=${filter.text}
        @input=${(/** @type {any} */ event) => narrow({ text: event.target.value.trim() })}>
      <label>Side <select aria-label="Side" @change=${(/** @type {any} */ event) => narrow({ side: event.target.value })}>
        ${[["", "both"], ["BUY", "BUY"], ["SELL", "SELL"]].map(([value, word]) => html`<option value=${value} ?selected=${filter.side === value}>${word}</option>`)}
      </select></label>
      ${session.isOverseer ? html`<label>Account <select aria-label="Account" @change=${(/** @type {any} */ event) => narrow({ account: event.target.value })}>
        <option value="">everybody's</option>
        ${accounts().map(([id, name]) => html`<option value=${id} ?selected=${filter.account === id}>${name}</option>`)}</select></label>` : nothing}
      <label>Sort <select aria-label="Sort" .value=${sort.name} @change=${(/** @type {any} */ event) => sortBy(event.target.value)}>
        ${all.filter(({ sorts }) => sorts).map(({ name, label }) => html`<option value=${name} ?selected=${sort.name === name}>${label}</option>`)}
      </select></label>
      <div class="rest">
        <button type="button" aria-pressed=${String(isFrozen)} @click=${freeze}>${isFrozen ? `Frozen, ${quantity(waiting.size)} waiting` : "Freeze"}</button>
        <button type="button" @click=${exported}>csv</button>
      </div>`, top);
    drawTrouble();
    drawSelection();
    drawEmpty();
    drawFoot();
  }

  /** The last good table stays below it. */
  function drawTrouble() {
    const isNew = trouble.hidden && store.state === "error";
    trouble.hidden = store.state !== "error";
    const { message, requestId } = store.error ?? {};
    if (isNew) announce(`Orders were not read: ${message}`, { assertive: true });
    render(html`! Orders were not read: ${message}. ${store.retryAt ? `Again in ${span(Math.max(1000, store.retryAt - Date.now()))}.` : nothing}
      ${requestId ? html`<code>${requestId}</code>` : nothing}
      <button type="button" @click=${load}>Try again</button>`, trouble);
  }

  /** Those of the orders that were seen, one's own first. */
  function accounts() {
    for (const order of store.orders.values()) if (!seen.has(order.account_id)) seen.set(order.account_id, order.account_name);
    return [...seen];
  }

  function drawSelection() {
    const chosen = [...grid.selected].flatMap((id) => store.orders.get(id) ?? []);
    const refused = grid.active && commands.refusal(grid.active.order_id);
    const under = grid.active && commands.under(grid.active.order_id);
    selection.hidden = !chosen.length && !refused && !under;
    render(html`
      ${chosen.length ? html`<span>${chosen.length} selected</span>
        <button type="button" class="danger" ?disabled=${!chosen.some(commands.mayCancel)} @click=${() => commands.cancelAll(chosen)}>Cancel...</button>
        <button type="button" @click=${() => grid.clear()}>Clear</button>` : nothing}
      ${under ? html`<span>${under}</span>` : nothing}
      ${refused ? html`<span class="problem" title=${refused.details}>${refused.title}</span>` : nothing}`, selection);
  }

  function drawEmpty() {
    const isEmpty = !grid.list.length;
    const isWaiting = isLoading || typing !== undefined;
    table.hidden = isEmpty && !isWaiting;
    empty.hidden = !isEmpty;
    const isFiltered = filter.text || filter.side || filter.account;
    const clear = () => {
      filter = { text: "", side: "", account: "" };
      load();
    };
    empty.classList.toggle("problem", store.state === "error");
    if (isWaiting) render(html`Loading orders${isSlow ? ": pulse answers slowly" : ""}`, empty);
    else if (store.state === "error") render("Orders were not read.", empty);
    else if (isFiltered) render(html`None match. <button type="button" @click=${clear}>Clear</button>`, empty);
    else render(html`${EMPTY[/** @type {keyof typeof EMPTY} */ (view)]}
      ${session.mayPlace ? html`<button type="button" class="main" @click=${newOrder}>New order</button>` : nothing}`, empty);
  }

  function drawFoot() {
    const orders = grid.list;
    const { doubtful, needing } = troubles(orders);
    render(html`
      <span>${quantity(orders.length)} shown</span>
      ${doubtful ? html`<span class="doubt">? ${quantity(doubtful)} shares in doubt</span>` : nothing}
      ${needing ? html`<span class="problem">! ${quantity(needing)} need a look</span>` : nothing}
      ${store.asOf ? html`<span class="soft">as of event ${quantity(store.asOf)}</span>` : nothing}
      ${store.hasMore ? partly() : nothing}
      ${fresh.size || isDisarranged ? html`<button type="button" @click=${arrange}>
        ${fresh.size ? `${fresh.size} new ${fresh.size === 1 ? "order" : "orders"}: show` : "Arrange again"}</button>` : nothing}`, foot);
  }

  /** Sorted by anything else than the time, it is what is loaded that is sorted. */
  function partly() {
    return html`${sort.name === "time" ? nothing : html`<strong>sorted among the ${quantity(store.orders.size)} that are loaded</strong>`}
      <button type="button" @click=${() => store.more()}>Load more</button>
      <button type="button" ?disabled=${isFilling} @click=${fill}>${isFilling ? "Loading..." : "Load all"}</button>`;
  }

  /** Load the rest, and sort all of it. */
  async function fill() {
    isFilling = true;
    draw();
    await store.rest().catch((failure) => announce(`Not loaded: ${failure.message}`, { assertive: true }));
    isFilling = false;
    arrange();
  }

  async function actions() {
    const order = grid.active && (store.orders.get(grid.active.order_id) ?? grid.active);
    if (!order) return;
    const dialog = await part(() => import("../dialog.js"));
    dialog?.choose(orderName(order), [
      ["Open", () => go(`/app/orders/${order.order_id}`)],
      ...commands.possible(order),
    ]);
  }

  /** @returns {import("../keys.js").Bindings} */
  function keys() {
    const active = (/** @type {(order: Order) => boolean} */ may, /** @type {(order: Order) => unknown} */ run) => () => {
      const order = grid.active && (store.orders.get(grid.active.order_id) ?? grid.active);
      if (order && may(order)) run(order);
    };
    const views = Object.fromEntries(VIEWS.map(([name, word], index) => [String(index + 1), [word, () => show(name)]]));
    return /** @type {any} */ ({
      j: ["Next row", () => grid.move(1)],
      k: ["Row before", () => grid.move(-1)],
      "/": ["Filter", () => /** @type {HTMLElement | null} */ (top.querySelector(".filter"))?.focus()],
      ...views,
      f: ["Freeze", freeze],
      e: ["Export what is shown", exported],
      Escape: ["Clear the selection", () => grid.clear()],
      ...(session.mayPlace ? { n: ["New order", newOrder] } : {}),
      ...(mayAct ? {
        p: ["Pause the order", active(commands.mayPause, commands.pause)],
        r: ["Resume the order", active(commands.mayResume, commands.resume)],
        ".": ["What can be done to the order", actions],
        x: ["Cancel the order, or all selected...", () => (grid.selected.size > 1
          ? commands.cancelAll([...grid.selected].flatMap((id) => store.orders.get(id) ?? []))
          : active(commands.mayCancel, commands.cancel)())],
      } : {}),
    });
  }
}

/** The ticket, at the side of the table. */
async function newOrder() {
  const ticket = await part(() => import("./ticket.js"));
  ticket?.sheet();
}

/** @param {MouseEvent} event */
function isOnBox(event) {
  return event.target instanceof Element && event.target.closest(".column-chosen") !== null;
}

/** @param {number} milliseconds @param {() => void} run @returns {() => void} */
function every(milliseconds, run) {
  const timer = setInterval(run, milliseconds);
  return () => clearInterval(timer);
}
