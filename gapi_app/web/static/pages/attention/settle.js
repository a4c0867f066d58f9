// @ts-check
/** The sheet by which an operator says what became of a slice that no book will tell of any more. */

import { ask, sheet } from "../../dialog.js";
import { price as written, quantity } from "../../format.js";
import { announce } from "../../notice.js";
import { html, render } from "../../vendor/lit-html.js";
import { choice, field, fieldProblems, insist, refusalOf, refusalStrip } from "../form.js";
import { wholeNumber } from "../ticket/draft.js";

/** @param {string} orderId @param {string} sliceId @param {() => void} onSettled */
export function openSettle(orderId, sliceId, onSettled) {
  sheet({ title: "Settle a slice", fill: (root, close) => settling(root, orderId, sliceId, () => { close(); onSettled(); }) });
}

/** @param {HTMLElement} root @param {string} orderId @param {string} sliceId @param {() => void} done */
function settling(root, orderId, sliceId, done) {
  const form = { outcome: "filled", filled: "", price: "", reason: "" };
  let isSending = false;
  /** @type {any} */
  let refusal = null;

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    const filled = wholeNumber(form.filled);
    if (isSending || (form.outcome === "filled" && filled === null)) return;
    const isFilled = form.outcome === "filled";
    const words = isFilled ? `${quantity(filled)} shares at ${written(form.price.trim())} are booked.` : "It counts as never placed, or as filled by no more than is booked.";
    const isSure = await ask({ title: "Settle it so?", body: () => html`<p>${words}</p><p>Reason: ${form.reason || "none given"}</p>`, danger: true, confirm: "Settle" });
    if (!isSure) return;
    isSending = true;
    draw();
    const reason = form.reason.trim();
    const body = isFilled ? { filled, price: form.price.trim(), reason } : { absent: true, reason };
    try {
      await insist("POST", `/api/orders/${orderId}/slices/${sliceId}/settle`, { body, key: crypto.randomUUID() });
      announce("Settled");
      return done();
    } catch (problem) {
      refusal = refusalOf(problem);
      isSending = false;
      return draw();
    }
  }

  function draw() {
    const problems = fieldProblems(refusal);
    /** @param {"filled" | "price" | "reason"} name @param {string} label @param {string} [hint] */
    const text = (name, label, hint) => field({
      id: `settle-${name}`, label, hint, problem: problems[name],
      control: html`<input id=${`settle-${name}`} maxlength="200" autocomplete="off" aria-describedby=${`settle-${name}-told`} aria-invalid=${String(name in problems)}
        .value=${form[name]} @input=${(/** @type {any} */ event) => { form[name] = event.target.value; draw(); }}>`,
    });
    render(html`<form novalidate @submit=${submit} aria-label="Settle">
      <p>Find out from the broker first: its book, or the contract note of the day.</p>
      ${refusalStrip(refusal)}
      ${field({
        id: "settle-outcome", label: "What became of it",
        control: choice({ id: "settle-outcome", value: form.outcome, choices: [["filled", "Shares were traded"], ["absent", "It was never placed, or no more was traded"]], onChange: (outcome) => { form.outcome = outcome; draw(); } }),
      })}
      ${form.outcome === "filled" ? html`${text("filled", "Shares in all")}${text("price", "Average price", "Such as 812.50")}` : ""}
      ${text("reason", "How it is known", "Such as: contract note of the day")}
      <button type="submit" class="main" ?disabled=${isSending}>${isSending ? "Settling..." : "Settle..."}</button>
    </form>`, root);
  }

  draw();
}
