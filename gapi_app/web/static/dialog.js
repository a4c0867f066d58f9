// @ts-check
/** Questions and side sheets, as native dialogs: the browser keeps the focus inside and gives it back. */

import { html, nothing, render } from "./vendor/lit-html.js";

const HOLD = 1000; // milliseconds

/**
 * Ask before something is done. The focus is on the harmless button, so Enter changes nothing; Escape neither.
 * @param {object} question
 * @param {string} question.title
 * @param {() => unknown} question.body drawn again whenever `live` tells of a change
 * @param {(changed: () => void) => (() => void)} [question.live] subscribes, and returns what ends that
 * @param {boolean} [question.danger] what is confirmed cannot be undone
 * @param {string} question.confirm the words of the button that does it
 * @param {string} [question.keep] the words of the harmless button
 * @param {string} [question.typed] what has to be typed before it can be confirmed
 * @param {boolean} [question.held] the button is held for a second; with `typed` typing does as well
 * @returns {Promise<boolean>} whether it was confirmed
 */
export function ask({ title, body, live, danger = false, confirm, keep = "Back", typed, held = false }) {
  return new Promise((resolve) => {
    const dialog = open("question");
    let isConfirmed = false;
    let given = "";
    const end = () => {
      isConfirmed = true;
      dialog.close();
    };
    const isTyped = () => typed !== undefined && given.trim().toUpperCase() === typed.toUpperCase();
    const isReady = () => typed === undefined || held || isTyped();
    const hold = holding(end);
    const redraw = () => render(html`
      <h2 id="question-title">${title}</h2>
      <div class="question-body" id="question-body">${body()}</div>
      ${typed === undefined ? nothing : html`
        <label class="field">${held ? "Or type" : "Type"} <strong>${typed}</strong> to confirm
          <input autocomplete="off" spellcheck="false" @input=${(/** @type {any} */ event) => {
            given = event.target.value;
            redraw();
          }}>
        </label>`}
      <div class="question-actions">
        <button type="button" autofocus data-keep @click=${() => dialog.close()}>${keep}</button>
        ${held && !isTyped() ? html`
          <button type="button" class="danger held" aria-describedby="question-hold"
            @pointerdown=${hold.begin} @pointerup=${hold.end} @pointerleave=${hold.end}
            @keydown=${hold.key} @keyup=${hold.end} @blur=${hold.end}>${confirm}</button>
          <span id="question-hold" class="soft">Hold for one second.</span>` : html`
          <button type="button" class=${danger ? "danger" : "main"} data-confirm ?disabled=${!isReady()}
            @click=${end}>${confirm}</button>`}
      </div>`, dialog);
    redraw();
    dialog.setAttribute("aria-labelledby", "question-title");
    dialog.setAttribute("aria-describedby", "question-body");
    const off = live?.(redraw);
    dialog.addEventListener("close", () => {
      off?.();
      hold.end();
      dialog.remove();
      resolve(isConfirmed);
    });
    dialog.showModal();
    /** @type {HTMLElement | null} */ (dialog.querySelector("[data-keep]"))?.focus();
  });
}

/**
 * What can be done to something, to choose from; Escape does nothing.
 * @param {string} title
 * @param {[word: string, run: () => unknown][]} actions
 */
export function choose(title, actions) {
  const dialog = open("question");
  const take = (/** @type {() => unknown} */ run) => {
    dialog.close();
    run();
  };
  render(html`
    <h2 id="choice-title">${title}</h2>
    <div class="choices">
      ${actions.map(([word, run]) => html`<button type="button" @click=${() => take(run)}>${word}</button>`)}
      <button type="button" autofocus @click=${() => dialog.close()}>Back</button>
    </div>`, dialog);
  dialog.setAttribute("aria-labelledby", "choice-title");
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
}

/**
 * A sheet at the side, over the page, which stays visible.
 * @param {object} sheet
 * @param {string} sheet.title
 * @param {(root: HTMLElement, close: () => void) => ({close?: () => void} | void)} sheet.fill draws into `root`, which is its own
 * @param {() => boolean | Promise<boolean>} [sheet.mayClose] asked before Escape or the close button end it
 * @returns {{close: () => void, closed: Promise<void>}}
 */
export function sheet({ title, fill, mayClose = () => true }) {
  const dialog = open("sheet");
  render(html`
    <header class="sheet-head">
      <h2 id="sheet-title">${title}</h2>
      <button type="button" class="quiet" aria-label="Close" @click=${() => leave()}>✕</button>
    </header>
    <div class="sheet-body"></div>`, dialog);
  dialog.setAttribute("aria-labelledby", "sheet-title");
  const leave = async () => {
    if (await mayClose()) dialog.close();
  };
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    leave();
  });
  const root = /** @type {HTMLElement} */ (dialog.querySelector(".sheet-body"));
  const content = fill(root, () => dialog.close());
  const closed = new Promise((/** @type {(value?: undefined) => void} */ resolve) => {
    dialog.addEventListener("close", () => {
      content?.close?.();
      dialog.remove();
      resolve();
    });
  });
  dialog.showModal();
  return { close: () => dialog.close(), closed };
}

/** @param {string} kind */
function open(kind) {
  const dialog = document.createElement("dialog");
  dialog.className = kind;
  document.body.append(dialog);
  return dialog;
}

/** A press that counts once it has lasted a second. @param {() => void} done */
export function holding(done) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const begin = () => {
    clearTimeout(timer);
    timer = setTimeout(done, HOLD);
  };
  return {
    begin,
    end: () => clearTimeout(timer),
    /** @param {KeyboardEvent} event */
    key(event) {
      if (event.repeat || (event.key !== "Enter" && event.key !== " ")) return;
      event.preventDefault();
      begin();
    },
  };
}
