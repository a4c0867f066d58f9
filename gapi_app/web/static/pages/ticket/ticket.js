// @ts-check
/** A ticket: the form, the schedule as it will be sent, the review, and placing it once. */

import { request } from "../../api.js";
import { chart } from "../../chart.js";
import { fieldProblems, insist, refusalOf, refusalStrip } from "../form.js";
import { quantity, span, time } from "../../format.js";
import { instrumentSearch } from "../instrument_search.js";
import { announce } from "../../notice.js";
import { session } from "../../session.js";
import { store } from "../../store.js";
import { html, nothing, render } from "../../vendor/lit-html.js";
import { bodyOf, draftOf, forget, keep, missing, newDraft } from "./draft.js";
import { fields } from "./form.js";
import { haltStrip, haltThatCovers } from "./halted.js";
import { previews } from "./previews.js";
import { isOver, placed, reviewOf, reviewStep, USUAL } from "./review.js";
import { chartOf, moneyTable, sentence, sliceTable, warnings, worthOf } from "./schedule.js";

/**
 * @param {HTMLElement} root an element of its own
 * @param {{onPlaced: (order: {order_id: string}, words: string) => void}} options
 * @returns {{close: () => void, isBusy: () => boolean}}
 */
export function ticket(root, { onPlaced }) {
  let draft = draftOf(session.me?.account_id ?? "");
  /** @type {{preview: any, refusal: any, isAsking: boolean, takenAt: number}} */
  let shown = { preview: null, refusal: null, isAsking: false, takenAt: 0 };
  /** @type {import("./review.js").Review | null} */
  let review = null;
  let isTried = false;
  /** @type {any[]} */
  let brokerAccounts = [];
  /** @type {any} */
  let instrument = null;
  /** @type {Record<string, any>} */
  let policy = USUAL;

  const searchPlace = document.createElement("div");
  const chartPlace = document.createElement("div");
  const search = instrumentSearch(searchPlace, {
    id: "ticket-instrument", value: draft.instrument, exchanges: store.installation.value?.exchanges ?? [],
    broker: () => brokerAccounts.find(({ name }) => name === draft.brokerAccount)?.broker,
    onChange: (typed, found) => {
      instrument = found;
      if (typed !== draft.instrument) change({ instrument: typed });
      else draw();
    },
  });
  /** @type {ReturnType<typeof chart> | null} */
  let drawn = null;
  const asker = previews((state) => {
    shown = state;
    drawChart();
    draw();
  });

  /** @param {Partial<import("./draft.js").Draft>} what */
  function change(what) {
    draft = { ...draft, ...what };
    keep(draft);
    askSoon();
    draw();
  }

  function askSoon() {
    if (Object.keys(missing(draft)).length || halt()) asker.clear();
    else asker.askSoon(bodyOf(draft));
  }

  function halt() {
    return haltThatCovers(draft, session.me?.account_id, brokerAccounts);
  }

  /** @param {Event} event */
  async function toReview(event) {
    event.preventDefault();
    isTried = true;
    draw();
    if (Object.keys(missing(draft)).length) return focusOn('[aria-invalid="true"]');
    if (halt()) return undefined;
    return preview();
  }

  async function preview() {
    const body = bodyOf(draft);
    // Whether it is real money is known before it is reviewed.
    const [answer] = await Promise.all([asker.ask(body), accountsKnown]);
    if (!answer) return focusOn('[aria-invalid="true"]');
    const account = brokerAccounts.find(({ name }) => name === answer.broker_account);
    review = reviewOf(answer, body, account?.is_live ?? !store.installation.value?.is_paper);
    draw();
    return focusOn("#review-title");
  }

  async function place() {
    if (!review || review.placing === "placing" || review.placing === "lost") return;
    review.placing = "placing";
    review.refusal = null;
    announce("Placing the order");
    draw();
    try {
      const { body } = await insist("POST", "/api/orders", { body: placed(review) }, lost);
      forget();
      onPlaced(body, `${review.body.side === "BUY" ? "Buying" : "Selling"} ${quantity(review.body.total_quantity)} ${review.body.instrument}: accepted.`);
    } catch (problem) {
      refused(refusalOf(problem));
    }
  }

  function lost() {
    if (review) review.placing = "lost";
    draw();
  }

  /** @param {any} refusal */
  function refused(refusal) {
    if (!review) return;
    const isUnknown = refusal.status === 0 || refusal.status >= 502;
    review.placing = isUnknown ? "unknown" : "";
    review.refusal = refusal;
    announce(isUnknown ? "No answer: it is not known whether the order was placed" : refusal.message, { assertive: true });
    const names = Object.keys(fieldProblems(refusal)).filter((name) => name !== "order_unique_key" && name !== "plan_token");
    // What a field can mend is mended in the form.
    if (names.length) {
      shown = { ...shown, refusal };
      review = null;
    }
    draw();
    focusOn(names.length ? '[aria-invalid="true"]' : "#review-title");
  }

  function back() {
    review = null;
    askSoon();
    draw();
    focusOn("#ticket-quantity");
  }

  function fresh() {
    draft = newDraft(session.me?.account_id ?? "");
    search.set("");
    instrument = null;
    isTried = false;
    back();
  }

  /** @param {string} selector */
  function focusOn(selector) {
    /** @type {HTMLElement | null} */ (root.querySelector(selector))?.focus();
  }

  function draw() {
    render(review ? reviewStep(review, chartPlace, { back, place, again: preview, fresh, type: (typed) => { if (review) review.typed = typed; draw(); } }) : form(), root);
  }

  function form() {
    if (!session.may("orders:write")) return html`<p>${session.me?.role ?? "You"}: can look, not trade. Orders are placed by traders and operators.</p>`;
    const covering = halt();
    const problems = { ...fieldProblems(shown.refusal), ...(isTried ? missing(draft) : {}) };
    search.tell(problems.instrument ?? "");
    return html`<form class="ticket" novalidate @submit=${toReview} aria-label="New order">
      <div class="ticket-form">
        ${covering ? haltStrip(covering) : nothing}
        ${fields(draft, problems, { installation: store.installation.value, brokerAccounts, instrument, policy, search: searchPlace }, change)}
      </div>
      <section class="ticket-schedule" aria-label="Schedule">
        <h2>Schedule, as it will be sent</h2>
        ${schedule(covering)}
        <div class="question-actions">
          <button type="submit" class="main" ?disabled=${covering !== null}>Review</button>
          <button type="button" @click=${fresh}>Clear</button>
          <span class="soft">${shown.isAsking ? "Asking..." : shown.preview ? `Preview, ${span(Date.now() - shown.takenAt)} ago` : nothing}</span>
        </div>
      </section>
    </form>`;
  }

  /** @param {any} covering */
  function schedule(covering) {
    if (covering) return html`<p>No new order is taken while this halt is in force.</p>`;
    if (shown.refusal) return html`${refusalStrip(shown.refusal)}${nextSession(shown.refusal)}`;
    if (!shown.preview) return html`<p class="soft">${shown.isAsking ? "Asking for the schedule..." : "Shown once instrument, quantity and slices are there."}</p>`;
    return html`
      ${chartPlace}
      <p>${sentence(shown.preview)}</p>
      ${warnings(shown.preview)}
      <p><strong>${worthOf(shown.preview)}</strong></p>
      ${moneyTable(shown.preview)}
      ${sliceTable(shown.preview)}`;
  }

  function drawChart() {
    if (!shown.preview) return;
    const data = chartOf(shown.preview, Date.now());
    if (drawn) drawn.update(data);
    else drawn = chart(chartPlace, data, { quantity, time });
  }

  const accountsKnown = request("GET", "/api/broker-accounts").then(({ body }) => {
    brokerAccounts = body.broker_accounts;
    askSoon();
    draw();
  }, () => undefined); // without the list an order is for the usual account, which the preview names
  request("GET", "/api/policy").then(({ body }) => {
    policy = body.in_force;
    draw();
  }, () => undefined); // what holds is told by the preview, too
  const offs = [
    store.halts.onChange(() => { askSoon(); draw(); }),
    store.installation.onChange(() => draw()),
    session.onChange(() => {
      if (session.me && session.me.account_id !== draft.account) fresh();
      draw();
    }),
  ];
  const ticking = setInterval(() => {
    if (shown.preview || (review && !isOver(review))) draw();
  }, 1000);
  askSoon();
  draw();
  return {
    isBusy: () => review?.placing === "placing" || review?.placing === "lost",
    close() {
      clearInterval(ticking);
      asker.close();
      search.close();
      drawn?.close();
      for (const off of offs) off();
    },
  };
}

/** Where a closed market has room for the order. @param {any} refusal */
function nextSession(refusal) {
  const next = refusal.details?.next_session;
  return next ? html`<p>Next session: ${time(next.opens_at)} to ${time(next.closes_at)}.</p>` : nothing;
}
