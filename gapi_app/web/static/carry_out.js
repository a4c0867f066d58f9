// @ts-check
/**
 * How a command is carried out: the question before, the request, and what is said after. Loaded when one is first given.
 *
 * A lost answer is asked for again with the same request and key, which does nothing twice.
 */

import { request } from "./api.js";
import { commands, course, OPEN } from "./commands.js";
import { ask } from "./dialog.js";
import { orderName, quantity, span, stateOf, symbol, time } from "./format.js";
import { announce, toast } from "./notice.js";
import { store } from "./store.js";
import { html, nothing } from "./vendor/lit-html.js";

const SLOW = 5000; // milliseconds until it says that it still waits
const TRIES = 6;
const AT_ONCE = 4; // cancels under way at a time: the gateway takes 16
const LOST = new Set([0, 429, 502, 503, 504]);

/** @typedef {Record<string, any>} Order */

/** No question: it prevents cost. @param {Order} order */
export async function pause(order) {
  const answer = await send(order, order.order_id, "Pausing", "POST", "/pause");
  if (!answer) return;
  const { working } = answer.exposure;
  const rest = working ? `${quantity(working)} at the broker go on.` : "Nothing of it is at the broker.";
  toast(`${symbol(answer.instrument)} paused. ${rest}`, { action: "Resume", run: () => resume(answer) });
}

/** @param {Order} order */
export async function resume(order) {
  const answer = await send(order, order.order_id, "Resuming", "POST", "/resume");
  if (!answer) return;
  const next = answer.next_slice_at ? ` Next slice at ${time(answer.next_slice_at)}.` : "";
  toast(`${symbol(answer.instrument)} resumed.${next}`);
}

/**
 * Asks first, with figures that stay live while it asks.
 * @param {Order} order
 * @param {{order: Order, onChange: (changed: () => void) => () => void}} [live] where its figures come from; else from the blotter
 */
export async function cancel(order, live) {
  const now = () => live?.order ?? store.orders.get(order.order_id) ?? order;
  const isSure = await ask({
    title: `Cancel ${orderName(order)}?`,
    body: () => consequences(now()),
    live: (changed) => following(live ?? store, changed),
    danger: true,
    confirm: "Cancel the order",
    keep: "Keep it",
  });
  if (!isSure) return;
  const answer = await send(order, order.order_id, "Cancelling", "DELETE", "");
  if (answer) toast(`${symbol(answer.instrument)}: ${ending(answer)}`);
}

/** Asks once for all of them, and shows what came of each. @param {Order[]} orders */
export async function cancelAll(orders) {
  const open = orders.filter(commands.mayCancel);
  if (open.length < 2) {
    if (open.length) await cancel(open[0]);
    return;
  }
  const now = () => open.map((order) => store.orders.get(order.order_id) ?? order);
  const isSure = await ask({
    title: `Cancel ${open.length} orders?`,
    body: () => listOf(now()),
    live: (changed) => following(store, changed),
    danger: true,
    confirm: `Cancel ${open.length} orders`,
    keep: "Keep them",
    typed: String(open.length),
  });
  if (isSure) await showResults(await each(open));
}

/** Sends again what a slice lacks. @param {Order} order @param {Record<string, any>} slice */
export async function retry(order, slice) {
  const lacking = slice.quantity - slice.filled_quantity;
  const isSure = await ask({
    title: `Send slice ${slice.sequence_number} again?`,
    body: () => html`
      <p>${stateOf(slice.status).word}: ${slice.error?.message ?? slice.error?.code ?? "no reason was given"}.</p>
      <p><strong>${quantity(lacking)} ${order.instrument}</strong> to ${order.side === "BUY" ? "buy" : "sell"} go out at once,
        or as soon as the order catches up, within its window until ${time(order.end_at)}.</p>
      ${slice.attempts > 0 ? html`<p class="soft">Sent ${slice.attempts} ${slice.attempts === 1 ? "time" : "times"} before.</p>` : nothing}
      ${ageNote()}`,
    live: (changed) => following(store, changed),
    confirm: `Send ${quantity(lacking)} again`,
  });
  if (!isSure) return;
  const answer = await send(order, slice.slice_id, "Sending again", "POST", `/slices/${slice.slice_id}/retry`);
  if (answer) toast(`Slice ${slice.sequence_number} will be sent again.`);
}

/** Asks the broker's book. @param {Order} order @param {Record<string, any>} slice */
export async function resolve(order, slice) {
  const answer = await send(order, slice.slice_id, "Asking the broker", "POST", `/slices/${slice.slice_id}/resolve`);
  if (!answer) return;
  const told = stateOf(answer.status);
  toast(`Slice ${slice.sequence_number}: ${told.word.toLowerCase()}, ${told.meaning}. ${quantity(answer.filled_quantity)} filled.`);
}

/**
 * @param {Order} order
 * @param {string} id of the order, or of its slice
 * @param {string} word
 * @param {string} method
 * @param {string} path below that of the order
 * @returns {Promise<any>} the body, or null if it was refused
 */
async function send(order, id, word, method, path) {
  if (course.isUnder(id)) return null;
  try {
    return await attempt(order, id, word, method, path);
  } catch (problem) {
    const refused = refusal(problem);
    course.refused(id, refused);
    announce(refused.title, { assertive: true });
    return null;
  }
}

/** The same, but a refusal is thrown. @param {Order} order @param {string} id @param {string} word @param {string} method @param {string} path */
async function attempt(order, id, word, method, path) {
  const place = `/api/orders/${order.order_id}`;
  course.begin(id, word);
  announce(`${word}...`);
  const slow = setTimeout(() => {
    course.isSlow(id);
    announce("Still waiting for the server.");
  }, SLOW);
  try {
    const { body } = await insist(method, place + path, crypto.randomUUID());
    if (id === order.order_id) store.put(body);
    else showAgain(place);
    return body;
  } catch (problem) {
    showAgain(place);
    throw problem;
  } finally {
    clearTimeout(slow);
    course.end(id);
  }
}

/** What was refused, or done to a slice, says little of how the order stands now. @param {string} place */
function showAgain(place) {
  // Without an answer it shows as old, as everything else does then.
  request("GET", place).then(({ body }) => store.put(body), () => {});
}

/** @param {string} method @param {string} path @param {string} key */
async function insist(method, path, key) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await request(method, path, { key });
    } catch (problem) {
      const { status, retryAfter } = /** @type {any} */ (problem);
      if (!LOST.has(status) || tries === TRIES) throw problem;
      await new Promise((resolve) => setTimeout(resolve, retryAfter ? retryAfter * 1000 : 500 * tries));
    }
  }
}

/** @param {Order[]} orders */
async function each(orders) {
  /** @type {{order: Order, said: string, isRefused: boolean}[]} */
  const results = [];
  const left = [...orders];
  const worker = async () => {
    for (let order = left.shift(); order; order = left.shift()) {
      try {
        const answer = await attempt(order, order.order_id, "Cancelling", "DELETE", "");
        results.push({ order, said: ending(answer), isRefused: false });
      } catch (problem) {
        results.push({ order, said: refusal(problem).title, isRefused: true });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results.sort((one, other) => Number(other.isRefused) - Number(one.isRefused));
}

/** @param {{order: Order, said: string, isRefused: boolean}[]} results */
async function showResults(results) {
  const refused = results.filter(({ isRefused }) => isRefused).length;
  const summary = refused ? `${refused} of ${results.length} were not cancelled` : `${results.length} orders cancelled`;
  announce(summary, { assertive: refused > 0 });
  await ask({
    title: summary,
    body: () => html`<table class="plain"><tbody>${results.map(({ order, said, isRefused }) => html`
      <tr><td>${orderName(order)}</td><td class=${isRefused ? "problem" : ""}>${isRefused ? "✕ " : "✓ "}${said}</td></tr>`)}
    </tbody></table>`,
    confirm: "Close",
    keep: "Back",
  });
}

/** @param {Order} order */
function consequences(order) {
  const { filled, working, on_its_way: way, unknown, unsent } = order.exposure;
  return html`
    ${OPEN.has(order.status) ? nothing : html`<p class="doubt">It is ${stateOf(order.status).word.toLowerCase()} by now.</p>`}
    <table class="plain figures"><tbody>
      <tr><td class="number" data-figure="filled"><strong>${quantity(filled)}</strong></td><td>filled: stays filled</td></tr>
      <tr><td class="number" data-figure="working"><strong>${quantity(working + way)}</strong></td>
        <td>at the broker or on its way: called back, and may still fill</td></tr>
      ${unknown ? html`<tr class="doubt"><td class="number" data-figure="unknown"><strong>${quantity(unknown)}</strong></td>
        <td>in doubt: the broker's book will tell</td></tr>` : nothing}
      <tr><td class="number" data-figure="unsent"><strong>${quantity(unsent)}</strong></td><td>unsent: never sent</td></tr>
    </tbody></table>
    ${ageNote()}`;
}

/** What is asked with old figures says how old they are. */
function ageNote() {
  const age = store.ages().figures;
  if (age <= SLOW) return nothing;
  return html`<p class="doubt">${Number.isFinite(age) ? `These figures are ${span(Math.round(age / 1000) * 1000)} old.` : "Nobody knows how old these figures are."}</p>`;
}

/** Tells of every change, and each second: old figures grow older. @param {{onChange: (changed: () => void) => () => void}} source @param {() => void} changed */
function following(source, changed) {
  const off = source.onChange(changed);
  const ticking = setInterval(changed, 1000);
  return () => {
    off();
    clearInterval(ticking);
  };
}

/** @param {Order[]} orders */
function listOf(orders) {
  const sum = (/** @type {(order: Order) => number} */ part) => quantity(orders.reduce((total, order) => total + part(order), 0));
  const atBroker = (/** @type {Order} */ order) => order.exposure.working + order.exposure.on_its_way + order.exposure.unknown;
  return html`<table class="plain">
    <thead><tr><th>Order</th><th class="number">Filled, stays</th><th class="number">Called back</th><th class="number">Never sent</th></tr></thead>
    <tbody>${orders.map((order) => html`<tr><td>${orderName(order)}</td><td class="number">${quantity(order.exposure.filled)}</td>
      <td class="number">${quantity(atBroker(order))}</td><td class="number">${quantity(order.exposure.unsent)}</td></tr>`)}</tbody>
    <tfoot><tr><td>${orders.length} orders</td><td class="number">${sum((order) => order.exposure.filled)}</td>
      <td class="number">${sum(atBroker)}</td><td class="number">${sum((order) => order.exposure.unsent)}</td></tr></tfoot>
  </table>${ageNote()}`;
}

/** @param {Order} order */
function ending(order) {
  const filled = `${quantity(order.filled_quantity)} filled`;
  if (order.status !== "CANCELLING") return `${stateOf(order.status).word.toLowerCase()}, ${filled}.`;
  const { working, on_its_way: way, unknown } = order.exposure;
  return `cancelling, ${quantity(working + way + unknown)} are called back at the broker, ${filled}.`;
}

/** @param {any} problem @returns {{title: string, details: string}} */
function refusal(problem) {
  if (problem?.status === undefined) throw problem;
  const details = Object.entries(problem.details ?? {}).map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`);
  const unheard = problem.status === 0 ? "No answer from the server. It may have been done: see the state." : "";
  return { title: unheard || problem.message, details: [...details, problem.requestId ? `request ${problem.requestId}` : ""].filter(Boolean).join(", ") };
}
