// @ts-check
/** What a virtual table is made of: its rows, cells and headers, how wide they are, and the tint of what has just changed. */

const TINTED = 700; // milliseconds
const CELL_PADDING = 12; // pixels, both sides of a cell
const ROW_PADDING = 16;

/**
 * @typedef {object} Column
 * @property {string} name also its class, `column-name`
 * @property {string} label
 * @property {string} width a track of a CSS grid, such as "90px" or "minmax(120px, 1fr)"; its pixels grow with what must not be cut
 * @property {(row: any) => string} text
 * @property {(cell: HTMLElement, row: any) => void} [draw] draws the cell itself, whenever its text has changed
 * @property {(row: any) => string} [title]
 * @property {(row: any) => string} [kind] a class for the cell
 * @property {boolean} [number] aligned at the right, and never cut
 * @property {boolean} [whole] never cut
 * @property {boolean} [quiet] is never tinted
 * @property {boolean} [ticks] is written by `tick` as well
 * @property {number} [from] shown in tables of this width and more, in pixels; of those that do not fit the greatest goes first
 * @property {boolean} [card] shown in cards whatever their width
 * @property {(row: any) => void} [press] what a click on the cell does
 * @property {boolean} [sorts] its header asks for an order
 */

/**
 * An element of the pool with what is written in it.
 * @typedef {{element: HTMLElement, cells: HTMLElement[], texts: string[], titles: string[], kinds: string[], index: number, kind: string}} Slot
 */

/** Cells that have just changed, for a moment. One timer ends them all. */
export class Tints {
  /** @type {Map<HTMLElement, number>} */
  #until = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {HTMLElement} cell @param {number} now */
  add(cell, now) {
    if (!this.#until.has(cell)) cell.classList.add("tinted");
    this.#until.set(cell, now + TINTED);
    this.#timer ??= setTimeout(() => this.#fade(), TINTED);
  }

  /** @param {HTMLElement} cell */
  end(cell) {
    if (this.#until.delete(cell)) cell.classList.remove("tinted");
  }

  /** Its classes were written anew. @param {HTMLElement} cell */
  forget(cell) {
    this.#until.delete(cell);
  }

  close() {
    clearTimeout(this.#timer);
  }

  #fade() {
    this.#timer = undefined;
    const now = performance.now();
    for (const [cell, until] of this.#until) if (until <= now) this.end(cell);
    if (this.#until.size) this.#timer = setTimeout(() => this.#fade(), TINTED / 4);
  }
}

/** How wide columns are, and which are shown: no figure is ever cut. A column grows with what it has to show, and never shrinks. */
export class Widths {
  #pen = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));
  /** @type {Map<string, number>} By text, with every digit a zero: all are as wide. */
  #measured = new Map();
  /** @type {Map<string, number>} By the name of a column. */
  #needed = new Map();

  constructor() {
    const { fontSize, fontFamily } = getComputedStyle(document.body);
    // The widest that a cell is written in.
    this.#pen.font = `600 ${fontSize} ${fontFamily}`;
  }

  /** Takes note of a text that a column shows. @param {Column} column @param {string} text @returns {boolean} whether it has to be wider */
  grow(column, text) {
    if (!column.number && !column.whole) return false;
    const shape = text.replace(/\d/g, "0");
    let width = this.#measured.get(shape);
    if (width === undefined) this.#measured.set(shape, (width = Math.ceil(this.#pen.measureText(shape).width) + CELL_PADDING));
    if (width <= this.#least(column)) return false;
    this.#needed.set(column.name, width);
    return true;
  }

  /** The columns that have room. @param {Column[]} columns @param {number} room in pixels */
  fitting(columns, room) {
    let shown = columns.filter(({ from = 0 }) => from <= room);
    while (this.total(shown) > room) {
      const last = Math.max(...shown.map(({ from = 0 }) => from));
      if (!last) break;
      shown = shown.filter(({ from }) => from !== last);
    }
    return shown;
  }

  /** @param {Column[]} columns @returns {number} the least room that they take, in pixels */
  total(columns) {
    return columns.reduce((sum, column) => sum + this.#least(column), ROW_PADDING);
  }

  /** @param {Column} column @returns {string} its track */
  track(column) {
    return column.width.replace(/[\d.]+px/, `${this.#least(column)}px`);
  }

  /** @param {Column} column */
  #least({ name, width }) {
    return Math.max(Number(/([\d.]+)px/.exec(width)?.[1] ?? 0), this.#needed.get(name) ?? 0);
  }
}

/** @param {Column[]} columns @returns {Slot} a row that shows nothing yet */
export function emptySlot(columns) {
  const element = part("div", "grid-row", "row");
  element.hidden = true;
  const cells = columns.map((column) => {
    const cell = part("div", classes(column, ""), "gridcell");
    cell.dataset.column = column.name;
    return cell;
  });
  element.append(...cells);
  const blank = () => cells.map(() => "");
  return { element, cells, texts: blank(), titles: blank(), kinds: blank(), index: -1, kind: "" };
}

/** It stands for no row any more. @param {Slot} slot */
export function clearSlot(slot) {
  slot.index = -1;
  slot.element.removeAttribute("id");
  slot.kind = slot.element.className = "grid-row";
}

/** Puts a row where its index has it. @param {Slot} slot @param {number} index @param {number} height @param {string} id of its table */
export function moveSlot(slot, index, height, id) {
  slot.index = index;
  slot.element.style.transform = `translateY(${index * height}px)`;
  setAll(slot.element, { id: `${id}-${index}`, "aria-rowindex": String(index + 2) });
}

/** @param {Slot} slot @param {string} kind its classes @param {boolean | null} isSelected null where no row can be */
export function markSlot(slot, kind, isSelected) {
  if (kind !== slot.kind) {
    slot.kind = kind;
    slot.element.className = kind;
  }
  if (isSelected === null) return;
  const chosen = String(isSelected);
  if (slot.element.getAttribute("aria-selected") !== chosen) slot.element.setAttribute("aria-selected", chosen);
}

/** @param {Column} column @param {boolean} maySort */
export function header(column, maySort) {
  const cell = part("div", classes(column, ""), "columnheader");
  cell.textContent = column.label;
  if (maySort && column.sorts) cell.dataset.sort = column.name;
  return cell;
}

/** Marks the header of the column that rows are sorted by. @param {HTMLElement} head @param {{name: string, descending: boolean}} sorted */
export function markSorted(head, sorted) {
  for (const cell of head.children) {
    if (!(cell instanceof HTMLElement) || !cell.dataset.sort) continue;
    const isIt = cell.dataset.sort === sorted.name;
    cell.setAttribute("aria-sort", isIt ? (sorted.descending ? "descending" : "ascending") : "none");
  }
}

/**
 * Writes what differs in the cell of a row.
 * @param {Slot} slot @param {number} place @param {Column} column @param {any} row @param {Tints} tints
 * @returns {boolean} whether its text is another
 */
export function writeCell(slot, place, column, row, tints) {
  const cell = slot.cells[place];
  const kind = column.kind?.(row) ?? "";
  if (kind !== slot.kinds[place]) {
    slot.kinds[place] = kind;
    cell.className = classes(column, kind);
    tints.forget(cell);
  }
  const title = column.title?.(row) ?? "";
  if (title !== slot.titles[place]) {
    slot.titles[place] = title;
    cell.title = title;
  }
  const text = column.text(row);
  if (text === slot.texts[place]) return false;
  slot.texts[place] = text;
  if (column.draw) column.draw(cell, row);
  else cell.textContent = text;
  return true;
}

/**
 * Where a key leads from a row, undefined for one that leads nowhere.
 * @param {string} key @param {number} at of the row, below 0 for none @param {number} last @param {number} page rows in sight
 * @returns {number | undefined}
 */
export function goalOf(key, at, last, page) {
  return {
    ArrowDown: at + 1, ArrowUp: at < 0 ? 0 : at - 1, PageDown: Math.max(at, 0) + page, PageUp: at - page, Home: 0, End: last,
  }[key];
}

/** @param {EventTarget | null} target */
export function isInteractive(target) {
  return target instanceof Element && target.closest("a, button, input") !== null;
}

/** @param {Column} column @param {string} kind */
function classes(column, kind) {
  return `column-${column.name}${column.number ? " number" : ""}${kind ? ` ${kind}` : ""}`;
}

/** @param {string} tag @param {string} className @param {string} role */
export function part(tag, className, role) {
  const element = document.createElement(tag);
  element.className = className;
  element.setAttribute("role", role);
  return element;
}

/** @param {HTMLElement} element @param {Record<string, string>} attributes */
export function setAll(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
}
