// @ts-check
/** Where in the page one is: paths below /app, without loading the page anew. */

/** @type {Set<(path: string) => void>} */
const listeners = new Set();

/**
 * Go to a path, such as `/app/orders/ord_...`.
 * @param {string} path
 * @param {{replace?: boolean}} [options]
 */
export function go(path, { replace = false } = {}) {
  if (path !== location.pathname + location.search) history[replace ? "replaceState" : "pushState"](null, "", path);
  for (const fn of [...listeners]) fn(path);
}

/** @param {(path: string) => void} fn */
export function onGo(fn) {
  listeners.add(fn);
  return () => listeners.delete(fn);
}

/**
 * For `@click` of a link within the page; what opens another tab or window stays the browser's.
 * @param {MouseEvent} event
 */
export function link(event) {
  const to = /** @type {Element} */ (event.target).closest("a");
  if (!to || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (to.target || to.hasAttribute("download") || to.origin !== location.origin) return;
  if (to.pathname !== "/app" && !to.pathname.startsWith("/app/")) return;
  event.preventDefault();
  go(to.pathname + to.search);
}

addEventListener("popstate", () => {
  for (const fn of [...listeners]) fn(location.pathname + location.search);
});
