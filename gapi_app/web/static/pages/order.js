// @ts-check
/** One order: where its shares are, its plan and its fills, its slices, and what happened to it. */

import { serverNow } from "../api.js";
import { chart } from "../chart.js";
import { commands } from "../commands.js";
import { csv, save } from "../csv.js";
import { quantity, time } from "../format.js";
import { Grid } from "../grid.js";
import { bind } from "../keys.js";
import { follow } from "../live_order.js";
import { toast } from "../notice.js";
import { drawExposure } from "../orders/columns.js";
import { columns } from "./order/columns.js";
import { eventList, isShown, KINDS } from "./order/events.js";
import { figures, heading } from "./order/head.js";
import { chartData } from "./order/plan.js";
import { refusalStrip } from "./form.js";
import { go } from "../router.js";
import { session } from "../session.js";
import { settings } from "../settings.js";
import { store } from "../store.js";
import { html, nothing, render } from "../vendor/lit-html.js";

/** @typedef {Record<string, any>} Row */

const EVENTS_AT_ONCE = 100;
const REDRAW = 1000; // milliseconds: what the clock changes
const SLOW = 2000; // milliseconds until loading gives its reason
const CARDS = matchMedia("(max-width: 699px)");

/** @param {HTMLElement} root @param {{id: string}} params */
export function open(root, { id }) {
  const live = follow(id);
  const page = document.createElement("div");
  page.className = "order";
  root.replaceChildren(page);
  /** @type {ReturnType<typeof parts> | null} */
  let built = null;
  let kind = "important";
  let most = EVENTS_AT_ONCE;
  let frame = 0;
  let isFrozen = false;
  let unheard = "";
  const begun = performance.now();
  /** @type {Map<string, number>} */
  let numbers = new Map();

  const mayAct = session.may("orders:write");
  const mayOperate = session.may("slices:operate");
  const offs = [
    live.onChange(ask),
    commands.onChange(() => {
      built?.grid.tick();
      ask();
    }),
    settings.onChange(anew),
    store.installation.onChange(anew),
    bind(keys(), "This order"),
  ];
  const timer = setInterval(ask, REDRAW);
  live.loadEvents().catch((/** @type {any} */ problem) => {
    unheard = problem.message;
    ask();
  });
  draw();

  return {
    title: "Order",
    close() {
      for (const off of offs) off();
      clearInterval(timer);
      cancelAnimationFrame(frame);
      built?.close();
      live.close();
    },
  };

  function anew() {
    built?.grid.redraw();
    ask();
  }

  function ask() {
    if (!isFrozen) frame ||= requestAnimationFrame(draw);
  }

  function draw() {
    frame = 0;
    if (!live.order) {
      render(live.error ? missing(live.error) : html`<p class="nothing">Loading the order${performance.now() - begun > SLOW ? ": pulse answers slowly" : ""}</p>`, page);
      return;
    }
    if (!built) {
      render(nothing, page);
      built = parts();
    }
    built.draw(live.order, live.slices, live.fills, live.events);
  }

  function parts() {
    const [head, bar, sums, drawn, below] = ["order-top", "order-bar", "order-sums", "order-chart", "order-parts"].map((name) => {
      const part = document.createElement("div");
      part.className = name;
      return part;
    });
    const slicesPart = document.createElement("section");
    const eventsPart = document.createElement("section");
    slicesPart.setAttribute("aria-label", "Slices");
    eventsPart.setAttribute("aria-label", "What happened");
    const slicesHead = slicesPart.appendChild(document.createElement("div"));
    const table = slicesPart.appendChild(document.createElement("div"));
    slicesHead.className = "part-head";
    below.append(slicesPart, eventsPart);
    page.append(head, bar, sums, drawn, below);

    const grid = Grid({
      root: table, columns: columns(action, act, mayOperate), rowHeight: () => (CARDS.matches ? 44 : 28), label: "Slices",
      onOpen: (slice) => act(slice),
    });
    const figure = chart(drawn, chartData(/** @type {Row} */ (live.order), live.slices, live.fills, serverNow()), { quantity, time });
    /** @type {Row[]} */
    let listed = [];
    render(html`<h2>Slices</h2><button type="button" @click=${() => exported(grid)}>csv</button>`, slicesHead);

    return {
      grid,
      /** @param {Row} order @param {Row[]} slices @param {Row[]} fills @param {Row[]} events */
      draw(order, slices, fills, events) {
        render(html`${heading(order, { mayAct, isFrozen, freeze, copy, live })}${live.state === "error" ? trouble(live.error) : nothing}`, head);
        drawExposure(bar, order);
        render(figures(order, slices, serverNow()), sums);
        figure.update(chartData(order, slices, fills, serverNow()));
        if (slices.length === listed.length) {
          grid.changed(slices.filter((slice, index) => slice !== listed[index]));
        } else {
          numbers = new Map(slices.map((slice) => [slice.slice_id, slice.sequence_number]));
          grid.rows([...slices], (slice) => slice.slice_id);
        }
        listed = slices.slice();
        drawEvents(events, eventsPart);
      },
      close() {
        grid.close();
        figure.close();
      },
    };
  }

  /** @param {Row[]} events oldest first @param {HTMLElement} part */
  function drawEvents(events, part) {
    const shown = events.filter((event) => isShown(event, kind));
    const newest = shown.slice(-most).reverse();
    render(html`
      <div class="part-head"><h2>What happened</h2>
        <div role="group" aria-label="Which">${KINDS.map(([name, word]) => html`
          <button type="button" aria-pressed=${String(kind === name)} @click=${() => show(name)}>${word}</button>`)}</div></div>
      ${newest.length ? eventList(newest, (slice_id) => numbers.get(slice_id)) : html`<p class="soft">${unheard ? `Not loaded: ${unheard}` : "Nothing of this kind."}</p>`}
      ${shown.length > newest.length ? html`<button type="button" @click=${more}>Show more of ${quantity(shown.length)}</button>` : nothing}`, part);
  }

  /** @param {string} name */
  function show(name) {
    [kind, most] = [name, EVENTS_AT_ONCE];
    draw();
  }

  function more() {
    most += EVENTS_AT_ONCE;
    draw();
  }

  function freeze() {
    isFrozen = !isFrozen;
    draw();
  }

  /** @param {Row} slice @returns {import("./order/columns.js").Action | null} */
  function action(slice) {
    const under = commands.under(slice.slice_id);
    if (under) return { word: under, isUnderWay: true };
    if (commands.mayRetry(slice)) return { word: "Retry...", isUnderWay: false };
    return commands.mayResolve(slice) ? { word: "Resolve", isUnderWay: false } : null;
  }

  /** @param {Row} slice */
  function act(slice) {
    if (!mayOperate || !live.order) return;
    if (commands.mayRetry(slice)) commands.retry(live.order, slice);
    else if (commands.mayResolve(slice)) commands.resolve(live.order, slice);
  }

  /** @param {string} text */
  async function copy(text) {
    await navigator.clipboard.writeText(text);
    toast(`Copied ${text}`);
  }

  /** @param {ReturnType<typeof Grid>} grid */
  function exported(grid) {
    const shown = grid.columns.flatMap((/** @type {any} */ column) => (column.value ? [column] : []));
    save(`slices-${id}.csv`, csv(shown, grid.list));
  }

  /** @returns {import("../keys.js").Bindings} */
  function keys() {
    const when = (/** @type {(order: any) => boolean} */ may, /** @type {(order: any) => unknown} */ run) => () => {
      if (live.order && may(live.order)) run(live.order);
    };
    return {
      ...(mayAct ? {
        p: ["Pause", when(commands.mayPause, commands.pause)],
        r: ["Resume", when(commands.mayResume, commands.resume)],
        x: ["Cancel...", when(commands.mayCancel, (order) => commands.cancel(order, live))],
      } : {}),
      j: ["Next slice", () => built?.grid.move(1)],
      k: ["Slice before", () => built?.grid.move(-1)],
      "[": ["Order before", () => beside(-1)],
      "]": ["Next order", () => beside(1)],
      f: ["Freeze", freeze],
      e: ["Export the slices", () => built && exported(built.grid)],
      Escape: ["Back to the orders", () => go("/app")],
    };
  }

  /** The order beside this one in the blotter, the newest first. @param {number} steps */
  async function beside(steps) {
    if (store.state === "idle") await store.load({ name: "working" });
    const ids = [...store.orders.keys()].sort().reverse();
    const next = ids[ids.indexOf(id) + steps];
    if (next) go(`/app/orders/${next}`);
  }

  /** @param {any} problem */
  function missing(problem) {
    if (problem.status !== 404) return trouble(problem);
    return html`<p class="nothing">No such order, or not yours. <a href="/app">Orders</a></p>`;
  }

  /** What was read before stays below it. @param {any} problem */
  function trouble(problem) {
    return html`${refusalStrip(problem)}<p><button type="button" @click=${() => live.reload()}>Try again</button> <a href="/app">Orders</a></p>`;
  }
}
