// @ts-check
/** The bar that shows where the shares of an order are. */

import { exposureBar } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";

/** Draws the bar into a cell, in place of the one before. @param {HTMLElement} root @param {any} order */
export function drawExposure(root, order) {
  const { parts, label } = exposureBar(order);
  let svg = root.querySelector("svg");
  if (!svg) {
    svg = document.createElementNS(SVG, "svg");
    set(svg, { class: "exposure", role: "img", viewBox: "0 0 100 14", preserveAspectRatio: "none" });
    root.replaceChildren(svg);
  }
  svg.setAttribute("aria-label", label);
  // What is filled is high, what is at the broker lower, what is unsent a line: the parts are told apart without colour too.
  const heights = /** @type {Record<string, number>} */ ({ filled: 14, working: 10, on_its_way: 6, unknown: 14, unsent: 4 });
  let from = 0;
  for (const [index, { name, share }] of parts.entries()) {
    const rect = svg.children[index] ?? svg.appendChild(document.createElementNS(SVG, "rect"));
    const high = heights[name];
    // Ten shares of a lakh in doubt are seen too: what is unsent gives them the room.
    const least = name === "unsent" ? 0 : 1.5;
    const x = Math.min(from, 100 - least);
    const width = Math.max(least, Math.min(100 * share, 100 - x));
    set(rect, { class: name, x: x.toFixed(2), width: width.toFixed(2), y: String((14 - high) / 2), height: String(high) });
    from = x + width;
  }
  while (svg.childElementCount > parts.length) svg.lastElementChild?.remove();
}

/** @param {Element} element @param {Record<string, string>} attributes */
function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  }
}
