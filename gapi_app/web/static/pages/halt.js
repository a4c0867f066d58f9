// @ts-check
/** Halts: stop what is traded, see what became of it, and let it go on. As a page, and as a sheet over another. */

import { request } from "../api.js";
import { ask, holding, sheet as side } from "../dialog.js";
import { fullTime, quantity, span, time } from "../format.js";
import { announce } from "../notice.js";
import { session } from "../session.js";
import { store } from "../store.js";
import { html, nothing, render } from "../vendor/lit-html.js";
import { choice, field, fieldProblems, insist, refusalOf, refusalStrip } from "./form.js";
import { scopeOf } from "./ticket/halted.js";

const LOOK = 1000; // milliseconds between two looks at a receipt

/** The states of a receipt, in the order in which they matter. */
const STATES = /** @type {[string, string, string][]} */ ([
  ["WORKING", "▸", "At the broker, being called back"],
  ["UNKNOWN", "?", "On its way, or in doubt"],
  ["FILLED", "✓", "Filled before it could be called back"],
  ["CANCELLED", "✕", "Called back"],
  ["NOT_PLACED", "!", "Not at the broker"],
  ["UNSENT", "◦", "Held until the release"],
]);

/** @param {HTMLElement} root */
export function open(root) {
  render(html`<div class="page-halt"><h1>Halt</h1><div class="halt-place"></div></div>`, root);
  return { title: "Halt", close: halts(/** @type {HTMLElement} */ (root.querySelector(".halt-place"))).close };
}

/** @param {{instrument?: string}} [about] what the form begins with */
export function sheet(about = {}) {
  return side({ title: "Halt", fill: (root) => halts(root, about) });
}

/** Whether this login may halt anything at all. */
export function mayHalt() {
  return ["trader", "operator", "admin"].includes(session.me?.role);
}

/** @param {HTMLElement} root @param {{instrument?: string}} [about] */
function halts(root, about = {}) {
  const form = { whose: isStaff() ? "all" : "own", instrument: about.instrument ?? "", brokerAccount: "", working: "cancel", reason: "", typed: "" };
  /** @type {any[]} */
  let brokerAccounts = [];
  /** @type {any[] | null} */
  let receipts = null;
  /** @type {any} */
  let refusal = null;
  let isSending = false;
  let isClosed = false;
  const hold = holding(() => make());

  async function look() {
    try {
      const { body } = await request("GET", "/api/halts", { query: { in_force: true, limit: 50 } });
      // What was released while it was watched stays until the page closes.
      const gone = (receipts ?? []).filter((old) => !body.halts.some((/** @type {any} */ one) => one.halt_id === old.halt_id));
      const ended = await Promise.all(gone.map((old) => (old.status === "RELEASED" ? old : receipt(old.halt_id))));
      receipts = [...body.halts, ...ended];
    } catch (problem) {
      refusal = refusalOf(problem);
    }
    draw();
  }

  /** @param {string} id */
  async function receipt(id) {
    return (await request("GET", `/api/halts/${id}`)).body;
  }

  async function make() {
    if (isSending || !form.reason.trim()) {
      if (!form.reason.trim()) refusal = { status: 400, message: "Say why: everybody whose orders are held reads it.", details: { field: "reason", rule: "Say why." } };
      return draw();
    }
    isSending = true;
    refusal = null;
    announce("Halting", { assertive: true });
    draw();
    const body = {
      reason: form.reason.trim(),
      working: form.working,
      ...(form.whose === "own" ? { account_id: session.me.account_id } : {}),
      ...(form.instrument.trim() ? { instrument: form.instrument.trim().toUpperCase() } : {}),
      ...(form.brokerAccount ? { broker_account: form.brokerAccount } : {}),
    };
    try {
      // The same scope again is answered with the halt that is in force: asking again makes no second one.
      const answer = await insist("POST", "/api/halt", { body });
      announce(`Halted: ${scopeOf(answer.body)}`, { assertive: true });
      form.typed = "";
      form.reason = "";
    } catch (problem) {
      refusal = refusalOf(problem);
    }
    isSending = false;
    return look();
  }

  /** @param {any} halt */
  async function release(halt) {
    const held = halt.slices.UNSENT;
    const isSure = await ask({
      title: `Release ${scopeOf(halt)}?`,
      body: () => html`<p>Halted since ${time(halt.made_at)}: “${halt.reason}”.</p>
        <p>${quantity(held.count)} slices with ${quantity(held.leaves_quantity)} shares go on. They are planned anew over the rest of their windows first: nothing goes out in a rush.</p>`,
      confirm: "Release",
      keep: "Keep it halted",
    });
    if (!isSure) return;
    try {
      await insist("POST", `/api/halt/${halt.halt_id}/release`);
      announce("Released");
    } catch (problem) {
      refusal = refusalOf(problem);
    }
    await look();
  }

  function draw() {
    if (!isClosed) render(html`
      ${refusalStrip(refusal)}
      ${mayHalt() ? halting() : html`<p>${session.me?.role ?? "You"}: can look, not halt.</p>`}
      <h2>In force</h2>
      ${receipts === null ? html`<p class="soft">Loading halts</p>` : receipts.length ? receipts.map(shownReceipt) : html`<p>Nothing is halted.</p>`}`, root);
  }

  function halting() {
    const problems = fieldProblems(refusal);
    const change = (/** @type {Partial<typeof form>} */ what) => {
      Object.assign(form, what);
      draw();
    };
    const isTyped = form.typed.trim().toUpperCase() === "HALT";
    /** @param {"instrument" | "reason"} name @param {string} label @param {string} hint @param {number} most */
    const text = (name, label, hint, most) => field({
      id: `halt-${name}`, label, hint, problem: problems[name],
      control: html`<input id=${`halt-${name}`} maxlength=${most} autocomplete="off" aria-describedby=${`halt-${name}-told`}
        aria-invalid=${problems[name] ? "true" : nothing} .value=${form[name]} @input=${(/** @type {any} */ event) => change({ [name]: event.target.value })}>`,
    });
    return html`<section class="halting" aria-label="Halt now">
      <p>A second later nothing new reaches the broker, and what works there is called back. Orders wait until the release.</p>
      <div class="form-grid">
        ${text("reason", "Why", "Everybody whose orders are held reads it", 200)}
        ${isStaff() ? field({
          id: "halt-whose", label: "Whose orders",
          control: choice({ id: "halt-whose", value: form.whose, choices: [["all", "Everybody's"], ["own", "My own"]], onChange: (whose) => change({ whose }) }),
        }) : nothing}
        ${text("instrument", "Only this instrument", "Empty: all of them", 49)}
        ${brokerAccounts.length > 1 ? field({
          id: "halt-broker", label: "Only at this broker account",
          control: choice({
            id: "halt-broker", value: form.brokerAccount,
            choices: [["", "All of them"], ...brokerAccounts.map(({ name }) => /** @type {[string, string]} */ ([name, name]))],
            onChange: (brokerAccount) => change({ brokerAccount }),
          }),
        }) : nothing}
        ${field({
          id: "halt-working", label: "What works at the broker",
          control: choice({ id: "halt-working", value: form.working, choices: [["cancel", "Is called back"], ["keep", "Stays until its time is over"]], onChange: (working) => change({ working }) }),
        })}
      </div>
      <div class="question-actions">
        ${isTyped ? html`<button type="button" class="danger" data-confirm ?disabled=${isSending} @click=${make}>Halt</button>` : html`
          <button type="button" class="danger held" aria-describedby="halt-hold" ?disabled=${isSending}
            @pointerdown=${hold.begin} @pointerup=${hold.end} @pointerleave=${hold.end} @keydown=${hold.key} @keyup=${hold.end} @blur=${hold.end}>
            ${isSending ? "Halting..." : "Halt: hold for a second"}</button>`}
        <label class="halt-typed"><span id="halt-hold">Hold the button for one second, or type HALT</span>
          <input autocomplete="off" spellcheck="false" size="6" .value=${form.typed} @input=${(/** @type {any} */ event) => change({ typed: event.target.value })}
            @keydown=${(/** @type {KeyboardEvent} */ event) => { if (event.key === "Enter" && isTyped) make(); }}></label>
      </div>
    </section>`;
  }

  /** @param {any} halt */
  function shownReceipt(halt) {
    const mayRelease = halt.status === "ACTIVE" && (isStaff() || halt.made_by === session.me?.account_id);
    return html`<article class="receipt" aria-label=${`Halt of ${scopeOf(halt)}`} data-halt=${halt.halt_id}>
      <h3>■ ${scopeOf(halt)}: ${{ ACTIVE: "halted", RELEASING: "being released", RELEASED: "released" }[/** @type {"ACTIVE"} */ (halt.status)] ?? halt.status}</h3>
      <p>“${halt.reason}”, by ${halt.made_by === session.me?.account_id ? "you" : halt.made_by_name}, since
        <time datetime=${halt.made_at} title=${fullTime(halt.made_at)}>${time(halt.made_at)}</time>.
        <strong>${halt.is_quiet ? `✓ Quiet${halt.quiet_after_ms === null ? "" : ` after ${span(halt.quiet_after_ms)}`}.` : "▲ Not quiet yet."}</strong></p>
      <table class="plain"><thead><tr><th>Slices</th><th class="number">How many</th><th class="number">Shares lacking</th><th class="number">Filled meanwhile</th></tr></thead>
        <tbody>${STATES.filter(([state]) => halt.slices[state]?.count).map(([state, sign, words]) => html`<tr>
          <td><span aria-hidden="true">${sign}</span> ${words}</td><td class="number">${quantity(halt.slices[state].count)}</td>
          <td class="number">${quantity(halt.slices[state].leaves_quantity)}</td><td class="number">${quantity(halt.slices[state].filled_meanwhile)}</td></tr>`)}
        </tbody></table>
      ${mayRelease ? html`<button type="button" @click=${() => release(halt)}>Release...</button>` : nothing}
    </article>`;
  }

  const looking = setInterval(() => {
    const isMoving = (receipts ?? []).some((one) => one.status === "RELEASING" || (one.status === "ACTIVE" && !one.is_quiet));
    if (isMoving && !document.hidden) look();
  }, LOOK);
  const offs = [store.halts.onChange(look), session.onChange(draw)];
  request("GET", "/api/broker-accounts").then(({ body }) => {
    brokerAccounts = body.broker_accounts;
    draw();
  }, () => undefined); // without the list a halt is of all accounts
  draw();
  look();
  return {
    close() {
      isClosed = true;
      clearInterval(looking);
      hold.end();
      for (const off of offs) off();
    },
  };
}

function isStaff() {
  return ["operator", "admin"].includes(session.me?.role);
}
