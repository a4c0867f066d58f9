// @ts-check
/**
 * What was planned against what was done, as two lines of steps, with a readout. It knows no order.
 *
 * Lines are drawn in pixels of the place they get, and anew when that changes. The sentence of `label` is what a reader hears.
 */

const SVG = "http://www.w3.org/2000/svg";
const LEFT = 84;
const RIGHT = 14;
const TOP = 10;
const BOTTOM = 22;

/**
 * @typedef {[at: number, quantity: number]} Step instant in milliseconds, and how much in all from then on
 * @typedef {object} Data
 * @property {Step[]} planned
 * @property {Step[]} filled
 * @property {{at: number, kind: string, sign: string, label: string}[]} marks `kind` is their class
 * @property {number} now
 * @property {number} from
 * @property {number} to
 * @property {number} total
 * @property {string} label
 */

/**
 * @param {HTMLElement} root
 * @param {Data} data
 * @param {{quantity: (n: number) => string, time: (at: number) => string}} words
 */
export function chart(root, data, words) {
  let shown = data;
  let frame = 0;
  let at = -1; // where the readout is, in milliseconds; -1: now
  const svg = svgElement("svg", { class: "chart", role: "img", tabindex: "0" });
  const readout = document.createElement("p");
  readout.className = "chart-readout";
  root.replaceChildren(svg, readout);
  const resizing = new ResizeObserver(() => ask());
  resizing.observe(root);

  svg.addEventListener("pointermove", (event) => point(instantAt(event.offsetX)));
  svg.addEventListener("pointerdown", (event) => point(instantAt(event.offsetX)));
  svg.addEventListener("pointerleave", () => point(-1));
  svg.addEventListener("blur", () => point(-1));
  svg.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape" && at >= 0) point(-1);
    else if (steps) point(beside(steps));
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  draw();

  return {
    /** @param {Data} next */
    update(next) {
      shown = next;
      ask();
    },
    close() {
      resizing.disconnect();
      cancelAnimationFrame(frame);
    },
  };

  function ask() {
    frame ||= requestAnimationFrame(draw);
  }

  function width() {
    return Math.max(240, root.clientWidth);
  }

  function height() {
    return svg.clientHeight || 220;
  }

  /** @param {number} instant */
  function x(instant) {
    const span = Math.max(1, shown.to - shown.from);
    const share = Math.max(0, Math.min(1, (instant - shown.from) / span));
    return LEFT + share * (width() - LEFT - RIGHT);
  }

  /** @param {number} amount */
  function y(amount) {
    return height() - BOTTOM - (amount / Math.max(1, shown.total)) * (height() - TOP - BOTTOM);
  }

  /** @param {number} pixels */
  function instantAt(pixels) {
    const share = (pixels - LEFT) / Math.max(1, width() - LEFT - RIGHT);
    return shown.from + Math.max(0, Math.min(1, share)) * (shown.to - shown.from);
  }

  /** @param {number} instant */
  function point(instant) {
    at = instant;
    ask();
  }

  /** The next step of either line. @param {number} direction */
  function beside(direction) {
    const here = at < 0 ? Math.min(shown.now, shown.to) : at;
    const steps = [...shown.planned, ...shown.filled].map(([instant]) => instant).sort((a, b) => a - b);
    const next = direction > 0 ? steps.find((step) => step > here) : steps.findLast((step) => step < here);
    return next ?? here;
  }

  function draw() {
    frame = 0;
    svg.setAttribute("viewBox", `0 0 ${width()} ${height()}`);
    svg.setAttribute("aria-label", shown.label);
    const until = Math.min(Math.max(shown.now, shown.from), shown.to);
    const filled = line(shown.filled, until);
    svg.replaceChildren(
      ...grid(),
      svgElement("path", { class: "chart-area", d: `${filled}V${y(0)}H${x(shown.from)}Z` }),
      svgElement("path", { class: "chart-filled", d: filled }),
      svgElement("path", { class: "chart-planned", d: line(shown.planned, shown.to) }),
      svgElement("line", { class: "chart-now", x1: x(until), x2: x(until), y1: TOP, y2: height() - BOTTOM }),
      ...shown.marks.map(mark),
      ...(at < 0 ? [] : [svgElement("line", { class: "chart-at", x1: x(at), x2: x(at), y1: TOP, y2: height() - BOTTOM })]),
    );
    say(at < 0 ? until : at);
  }

  /** @param {Step[]} steps @param {number} until @returns {string} a path of steps, from nothing at the start */
  function line(steps, until) {
    let path = `M${x(shown.from)} ${y(0)}`;
    for (const [instant, amount] of steps) {
      if (instant > until) break;
      path += `H${x(instant).toFixed(1)}V${y(amount).toFixed(1)}`;
    }
    return `${path}H${x(until).toFixed(1)}`;
  }

  function grid() {
    const rows = [0, 0.5, 1].map((share) => {
      const amount = Math.round(share * shown.total);
      return [
        svgElement("line", { class: "chart-line", x1: LEFT, x2: width() - RIGHT, y1: y(amount), y2: y(amount) }),
        text(words.quantity(amount), LEFT - 6, y(amount) + 4, "end"),
      ];
    });
    const count = Math.max(2, Math.min(6, Math.floor((width() - LEFT) / 170) + 1));
    const times = Array.from({ length: count }, (_, index) => {
      const share = index / (count - 1);
      const anchor = index === 0 ? "start" : index === count - 1 ? "end" : "middle";
      const instant = shown.from + share * (shown.to - shown.from);
      return text(words.time(instant), x(instant), height() - 5, anchor);
    });
    return [...rows.flat(), ...times];
  }

  /** @param {Data["marks"][number]} marked */
  function mark(marked) {
    const sign = text(marked.sign, x(marked.at), y(reached(shown.filled, marked.at)) - 5, "middle");
    sign.setAttribute("class", `chart-mark ${marked.kind}`);
    const title = svgElement("title", {});
    title.textContent = marked.label;
    sign.append(title);
    return sign;
  }

  /** @param {number} instant */
  function say(instant) {
    const planned = reached(shown.planned, instant);
    const parts = [`${words.time(instant)}: planned ${words.quantity(planned)}`];
    if (instant <= shown.now) {
      const done = reached(shown.filled, instant);
      const gap = done - planned;
      parts.push(`filled ${words.quantity(done)}`);
      parts.push(gap === 0 ? "on plan" : `${words.quantity(Math.abs(gap))} ${gap < 0 ? "behind" : "ahead"}`);
    }
    const [head, ...rest] = parts;
    const sentence = [head, ...rest].join(", ");
    if (readout.textContent !== sentence) readout.textContent = sentence;
  }
}

/** @param {Step[]} steps in the order of time @param {number} instant @returns {number} how much there was by then */
export function reached(steps, instant) {
  let [low, high] = [0, steps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle][0] <= instant) low = middle + 1;
    else high = middle;
  }
  return low ? steps[low - 1][1] : 0;
}

/** @param {string} words @param {number} x @param {number} y @param {string} anchor */
function text(words, x, y, anchor) {
  const element = svgElement("text", { x, y, "text-anchor": anchor });
  element.textContent = words;
  return element;
}

/** @param {string} name @param {Record<string, string | number>} attributes */
function svgElement(name, attributes) {
  const element = /** @type {SVGElement} */ (document.createElementNS(SVG, name));
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}
