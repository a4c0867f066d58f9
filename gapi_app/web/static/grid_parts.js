// @ts-check
/** What a virtual table is made of: its rows, cells and headers, and the tint of what has just changed. */

const TINTED = 700; // milliseconds

/**
 * @typedef {object} Column
 * @property {string} name also its class, `column-name`
 * @property {string} label
 * @property {string} width a track of a CSS grid, such as "90px" or "minmax(120px, 1fr)"
 * @property {(row: any) => string} text
 * @property {(cell: HTMLElement, row: any) => void} [draw] draws the cell itself, whenever its text has changed
 * @property {(row: any) => string} [title]
 * @property {(row: any) => string} [kind] a class for the cell
 * @property {boolean} [number] aligned at the right
 * @property {boolean} [quiet] is never tinted
 * @property {boolean} [ticks] is written by `tick` as well
 * @property {number} [from] shown in tables of this width and more, in pixels
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

/** @param {Column} column @param {boolean} maySort */
export function header(column, maySort) {
  const cell = part("div", classes(column, ""), "columnheader");
  cell.textContent = column.label;
  if (maySort && column.sorts) cell.dataset.sort = column.name;
  return cell;
}

/** @param {Column} column @param {string} kind */
export function classes(column, kind) {
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
