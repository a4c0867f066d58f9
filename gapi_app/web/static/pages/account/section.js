// @ts-check
/** What the parts of the account page share: a piece of state that is drawn, and requests with their refusal shown. */

import { announce } from "../../notice.js";
import { html, nothing, render } from "../../vendor/lit-html.js";
import { field, fieldProblems, refusalOf, refusalStrip } from "../form.js";

/**
 * @template {Record<string, any>} State
 * @param {HTMLElement} root
 * @param {string} prefix of the ids of its fields
 * @param {State} state
 * @param {(part: Part<State>) => unknown} template
 * @returns {Part<State>}
 */
export function part(root, prefix, state, template) {
  let isClosed = false;
  /** @type {Part<State>} */
  const self = {
    state,
    busy: "",
    refusal: null,
    done: "",
    set(change) {
      Object.assign(state, change);
      self.draw();
    },
    draw() {
      if (!isClosed) render(html`${refusalStrip(self.refusal)}${self.done ? html`<p class="strip" role="status">✓ ${self.done}</p>` : nothing}${template(self)}`, root);
    },
    async run(word, work, said = "") {
      if (self.busy) return false;
      [self.busy, self.refusal, self.done] = [word, null, ""];
      self.draw();
      try {
        await work();
        self.done = said;
        if (said) announce(said);
      } catch (problem) {
        self.refusal = refusalOf(problem);
        announce(self.refusal.message, { assertive: true });
      }
      self.busy = "";
      self.draw();
      return self.refusal === null;
    },
    text(name, label, options = {}) {
      const id = `${prefix}-${name}`;
      const problem = fieldProblems(self.refusal)[options.apiName ?? name];
      return field({
        id, label, hint: options.hint, problem,
        control: html`<input id=${id} type=${options.type ?? "text"} inputmode=${options.mode ?? nothing} maxlength=${options.most ?? 256}
          autocomplete=${options.autocomplete ?? "off"} spellcheck="false" ?required=${options.isRequired ?? false}
          aria-describedby=${`${id}-told`} aria-invalid=${problem ? "true" : nothing}
          .value=${String(state[name] ?? "")} @input=${(/** @type {any} */ event) => self.set(/** @type {any} */ ({ [name]: event.target.value }))}>`,
      });
    },
    close() {
      isClosed = true;
    },
  };
  self.draw();
  return self;
}

/**
 * @template State
 * @typedef {object} Part
 * @property {State} state
 * @property {string} busy what is under way
 * @property {any} refusal of the last request
 * @property {string} done what the last request did
 * @property {(change: Partial<State>) => void} set
 * @property {() => void} draw
 * @property {(word: string, work: () => Promise<unknown>, said?: string) => Promise<boolean>} run one request at a time; whether it was done
 * @property {(name: string, label: string, options?: {apiName?: string, hint?: string, type?: string, mode?: string, most?: number, autocomplete?: string, isRequired?: boolean}) => unknown} text a field of the state
 * @property {() => void} close
 */

/** The proof of a second factor as typed: six digits are a code, anything else a recovery code. @param {string} typed */
export function proofOf(typed) {
  const code = typed.replaceAll(" ", "");
  if (!code) return {};
  return /^[0-9]{6}$/.test(code) ? { totp_code: code } : { recovery_code: code };
}
