// @ts-check
/**
 * A table of any length with few rows in the document. It knows columns and rows, and nothing of what they mean.
 *
 * Rows have one height and are placed by `transform`; the row of an index keeps its element while it is in sight, and only cells
 * whose text has changed are written, once a frame. Rows move only when `rows` is called.
 */

import { clearSlot, emptySlot, goalOf, header, isInteractive, markSlot, markSorted, moveSlot, part, setAll, Tints, Widths, writeCell } from "./grid_parts.js";

const SPARE = 4; // rows beyond what is in sight
let grids = 0;

/** @typedef {import("./grid_parts.js").Column} Column */
/** @typedef {import("./grid_parts.js").Slot} Slot */

/**
 * @param {object} options
 * @param {HTMLElement} options.root
 * @param {Column[]} options.columns
 * @param {number | (() => number)} options.rowHeight in pixels; asked again when the size of the table changes
 * @param {string} options.label
 * @param {(row: any) => void} [options.onOpen]
 * @param {(selected: Set<string>) => void} [options.onSelect] without it nothing can be selected
 * @param {(name: string) => void} [options.onSort]
 * @param {(row: any) => string} [options.rowKind] a class for the row
 * @param {() => boolean} [options.asCards] whether rows are cards, which styles lay out; asked again when the size of the table changes
 */
export function Grid({ root, columns, rowHeight, label, onOpen, onSelect, onSort, rowKind, asCards = () => false }) {
  const id = `grid-${++grids}`;
  const head = part("div", "grid-head", "row");
  const body = part("div", "grid-body", "rowgroup");
  const top = part("div", "grid-top", "rowgroup");
  top.append(head);
  root.classList.add("grid");
  root.tabIndex = 0;
  root.replaceChildren(top, body);
  setAll(root, { role: "grid", "aria-label": label, "aria-rowcount": "1" });
  if (onSelect) root.setAttribute("aria-multiselectable", "true");

  /** @type {any[]} */
  let list = [];
  /** @type {(row: any) => string} */
  let keyOf = () => "";
  /** @type {Map<string, number>} */
  let places = new Map();
  /** @type {Set<string>} */
  let selected = new Set();
  let active = "";
  let anchor = -1;
  let sorted = { name: "", descending: false };

  /** @type {Column[]} */
  let shown = [];
  /** @type {Slot[]} */
  let pool = [];
  let height = 0;
  let frame = 0;
  /** @type {Set<string>} */
  let due = new Set();
  const tints = new Tints();
  const widths = new Widths();
  /** Whether something was written that needs more room than its column has. */
  let isTight = false;

  for (const column of columns) widths.grow(column, column.sorts ? `${column.label} ▾` : column.label);
  const resizing = new ResizeObserver(() => layout());
  resizing.observe(root);
  root.addEventListener("scroll", () => draw(false), { passive: true });
  root.addEventListener("keydown", onKey);
  root.addEventListener("focus", () => {
    if (!active && list.length) activate(first(), false);
  });
  body.addEventListener("click", onClick);
  body.addEventListener("dblclick", (event) => {
    const row = rowAt(event.target);
    if (row !== undefined && !isInteractive(event.target)) onOpen?.(row);
  });
  head.addEventListener("click", (event) => {
    const cell = /** @type {HTMLElement} */ (event.target).closest("[data-sort]");
    if (cell instanceof HTMLElement && cell.dataset.sort) onSort?.(cell.dataset.sort);
  });
  layout();

  return {
    /** Shows these rows, in this order. @param {any[]} rows @param {(row: any) => string} [key] */
    rows(rows, key) {
      list = rows;
      if (key) keyOf = key;
      places = new Map(rows.map((row, index) => [keyOf(row), index]));
      const kept = [...selected].filter((chosen) => places.has(chosen));
      if (kept.length !== selected.size) {
        selected = new Set(kept);
        onSelect?.(selected);
      }
      if (!places.has(active)) active = "";
      root.setAttribute("aria-rowcount", String(rows.length + 1));
      body.style.height = `${rows.length * height}px`;
      draw();
    },

    /** These rows have new figures: each takes the place of the one with its key, in its place. @param {Iterable<any>} rows */
    changed(rows) {
      for (const row of rows) {
        const key = keyOf(row);
        const index = places.get(key);
        if (index === undefined) continue;
        list[index] = row;
        due.add(key);
      }
      if (due.size) ask();
    },

    /** Writes what the clock changes. */
    tick() {
      const ticking = shown.flatMap((column, place) => (column.ticks ? [place] : []));
      for (const slot of pool) for (const place of ticking) if (list[slot.index]) write(slot, place, false);
      loosen();
    },

    /** Writes everything in sight anew, as after a change of a setting. */
    redraw() {
      layout(true);
    },

    focus() {
      root.focus();
    },

    /** Goes to the row beside the active one. @param {number} steps */
    move(steps) {
      // Before the focus, which activates a row where none is.
      const to = place() < 0 ? first() : place() + steps;
      root.focus({ preventScroll: true });
      activate(to, true);
    },

    /** Goes to the row with this key. @param {string} key */
    activate(key) {
      const index = places.get(key);
      if (index !== undefined) activate(index, true);
    },

    /** Marks the column that the rows are sorted by. @param {string} name @param {boolean} descending */
    sorted(name, descending) {
      sorted = { name, descending };
      markSorted(head, sorted);
    },

    toggle() {
      if (active) toggle(place());
    },

    clear() {
      choose(new Set());
    },

    /** The keys of the rows that are selected. */
    get selected() {
      return selected;
    },

    /** The row that the keyboard is at, or undefined. */
    get active() {
      return list[place()];
    },

    /** The columns that are wide enough to be shown. */
    get columns() {
      return shown;
    },

    /** The rows in the order in which they stand. */
    get list() {
      return list;
    },

    close() {
      resizing.disconnect();
      cancelAnimationFrame(frame);
      tints.close();
    },
  };

  function layout(isForced = false) {
    isTight = false;
    const fitting = asCards() ? columns.filter(({ from, card }) => !from || card) : widths.fitting(columns, root.clientWidth);
    const tall = typeof rowHeight === "function" ? rowHeight() : rowHeight;
    const count = Math.ceil(root.clientHeight / tall) + SPARE;
    const isSame = fitting.length === shown.length && fitting.every((column, place) => column === shown[place]);
    if (!isSame) {
      shown = fitting;
      head.replaceChildren(...shown.map((column) => header(column, onSort !== undefined)));
      setAll(root, { "aria-colcount": String(shown.length) });
      markSorted(head, sorted);
    }
    root.style.setProperty("--columns", shown.map((column) => widths.track(column)).join(" "));
    root.style.setProperty("--least-width", `${widths.total(shown)}px`);
    if (!isSame || isForced || tall !== height || count > pool.length) {
      height = tall;
      root.style.setProperty("--row-height", `${tall}px`);
      pool = Array.from({ length: count }, () => emptySlot(shown));
      body.replaceChildren(...pool.map((slot) => slot.element));
      body.style.height = `${list.length * height}px`;
    }
    draw();
  }

  /** Once in a frame, however much has changed. */
  function ask() {
    frame ||= requestAnimationFrame(drawDue);
  }

  function drawDue() {
    frame = 0;
    const now = performance.now();
    for (const slot of pool) {
      const row = list[slot.index];
      if (row === undefined || !due.has(keyOf(row))) continue;
      mark(slot, row);
      for (let place = 0; place < shown.length; place += 1) {
        if (write(slot, place, false) && !shown[place].quiet) tints.add(slot.cells[place], now);
      }
    }
    due = new Set();
    loosen();
  }

  /** Gives columns the room that what was written in them needs. */
  function loosen() {
    if (isTight) layout();
  }

  /** Places the rows that are in sight. @param {boolean} [isAll] or only those that have come into sight */
  function draw(isAll = true) {
    if (!height) return;
    const from = Math.max(0, Math.floor(root.scrollTop / height) - SPARE / 2);
    for (let index = from; index < from + pool.length; index += 1) {
      const slot = pool[index % pool.length];
      const row = list[index];
      slot.element.hidden = row === undefined;
      if (row === undefined) {
        clearSlot(slot);
        continue;
      }
      if (slot.index !== index) moveSlot(slot, index, height, id);
      else if (!isAll) continue;
      mark(slot, row);
      for (let place = 0; place < shown.length; place += 1) write(slot, place, true);
    }
    showActive();
    loosen();
  }

  /** @param {Slot} slot @param {any} row */
  function mark(slot, row) {
    const key = keyOf(row);
    markSlot(slot, `grid-row ${rowKind?.(row) ?? ""}${key === active ? " active" : ""}`, onSelect ? selected.has(key) : null);
  }

  /** @param {Slot} slot @param {number} place @param {boolean} isCalm a tint of the row before goes @returns {boolean} whether the text is another */
  function write(slot, place, isCalm) {
    if (isCalm) tints.end(slot.cells[place]);
    const isNew = writeCell(slot, place, shown[place], list[slot.index], tints);
    if (isNew && widths.grow(shown[place], slot.texts[place])) isTight = true;
    return isNew;
  }

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== root) return;
    const at = place();
    const goal = goalOf(event.key, at, list.length - 1, Math.max(1, Math.floor(root.clientHeight / height) - 2));
    if (goal !== undefined) activate(goal, true);
    else if (event.key === "Enter" && list[at] !== undefined) onOpen?.(list[at]);
    else if (event.key === " " && onSelect && list[at] !== undefined) toggle(at);
    else return;
    event.preventDefault();
  }

  /** @param {MouseEvent} event */
  function onClick(event) {
    const row = rowAt(event.target);
    if (row === undefined) return;
    const index = /** @type {number} */ (places.get(keyOf(row)));
    const cell = /** @type {HTMLElement} */ (event.target).closest("[data-column]");
    const column = shown.find(({ name }) => cell instanceof HTMLElement && name === cell.dataset.column);
    if (event.shiftKey && onSelect && anchor >= 0) {
      const [from, to] = [Math.min(anchor, index), Math.max(anchor, index)];
      choose(new Set([...selected, ...list.slice(from, to + 1).map(keyOf)]));
    }
    activate(index, false);
    if (!event.shiftKey) anchor = index;
    if (!isInteractive(event.target)) column?.press?.(row);
  }

  /** @param {number} index @param {boolean} isShown scrolls there */
  function activate(index, isShown) {
    if (!list.length) return;
    const at = Math.max(0, Math.min(index, list.length - 1));
    active = keyOf(list[at]);
    anchor = at;
    if (isShown) reveal(at);
    draw();
  }

  /** @param {number} index */
  function reveal(index) {
    const above = index * height;
    const room = root.clientHeight - head.offsetHeight;
    if (above < root.scrollTop) root.scrollTop = above;
    else if (above + height > root.scrollTop + room) root.scrollTop = above + height - room;
  }

  function showActive() {
    const slot = pool.find(({ index }) => index >= 0 && index === place());
    if (slot) root.setAttribute("aria-activedescendant", slot.element.id);
    else root.removeAttribute("aria-activedescendant");
  }

  /** @param {number} index */
  function toggle(index) {
    const key = keyOf(list[index]);
    const next = new Set(selected);
    if (!next.delete(key)) next.add(key);
    choose(next);
  }

  /** @param {Set<string>} next */
  function choose(next) {
    if (!onSelect) return;
    selected = next;
    draw();
    onSelect(selected);
  }

  function place() {
    return places.get(active) ?? -1;
  }

  function first() {
    return Math.ceil(root.scrollTop / height);
  }

  /** @param {EventTarget | null} target */
  function rowAt(target) {
    const element = target instanceof Element ? target.closest(".grid-row") : null;
    return list[pool.find((slot) => slot.element === element)?.index ?? -1];
  }
}
