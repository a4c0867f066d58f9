// @ts-check
/** The second factor: whether it is on, setting it up, new recovery codes, turning it off. */

import { request } from "../../api.js";
import { ask } from "../../dialog.js";
import { fullTime, time } from "../../format.js";
import { toast } from "../../notice.js";
import { session } from "../../session.js";
import { html, nothing } from "../../vendor/lit-html.js";
import { part, proofOf } from "./section.js";

const PATH = "/api/auth/second-factor";
const QUIET = 4; // light modules around a QR code

export const secondFactor = {
  id: "second-factor",
  title: "Second factor",
  /** @param {HTMLElement} root */
  fill(root) {
    const begun = { factor: /** @type {any} */ (null), made: /** @type {any} */ (null), codes: /** @type {string[] | null} */ (null), password: "", code: "", first: "" };
    const self = part(root, "factor", begun, template);
    self.run("", async () => {
      self.state.factor = (await request("GET", PATH)).body;
    });
    return self;
  },
};

/** @typedef {import("./section.js").Part<any>} Part */

/** @param {Part} self */
function template(self) {
  const { factor, made, codes } = self.state;
  if (codes) return shownCodes(self);
  if (!factor) return html`<p class="soft">${self.busy ? "" : "Loading"}</p>`;
  if (made) return confirming(self);
  return html`
    <p>${factor.is_on ? html`✓ On since ${fullTime(factor.since)}. ${factor.recovery_codes_left} recovery codes are left.` : html`Off. A stolen password opens everything.`}
      ${factor.is_required ? "Your role needs it." : nothing}</p>
    ${proof(self, factor.is_on ? "Set up another phone" : "Set it up", "setting", () => setUp(self))}
    ${factor.is_on ? html`<div class="question-actions">
      <button type="button" ?disabled=${self.busy !== ""} @click=${() => newCodes(self)}>New recovery codes</button>
      ${factor.is_required ? nothing : html`<button type="button" class="danger" ?disabled=${self.busy !== ""} @click=${() => turnOff(self)}>Turn it off...</button>`}
    </div>` : nothing}`;
}

/** @param {Part} self @param {string} words @param {string} busy @param {() => void} act */
function proof(self, words, busy, act) {
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    act();
  };
  return html`<form class="narrow" @submit=${submit}>
    <input class="visually-hidden" tabindex="-1" aria-hidden="true" autocomplete="username" readonly .value=${session.me?.username ?? ""}>
    ${self.text("password", "Password", { type: "password", autocomplete: "current-password", isRequired: true })}
    ${self.state.factor.is_on ? self.text("code", "Code, or a recovery code", { autocomplete: "one-time-code", apiName: "totp_code" }) : nothing}
    <button type="submit" class="main" ?disabled=${self.busy !== ""}>${self.busy === busy ? "One moment..." : words}</button>
  </form>`;
}

/** @param {Part} self */
function stated({ state }) {
  return { password: state.password, ...proofOf(state.code) };
}

/** @param {Part} self */
function setUp(self) {
  return self.run("setting", async () => {
    self.state.made = (await request("POST", PATH, { body: stated(self) })).body;
  });
}

/** @param {Part} self */
function confirming(self) {
  const { made } = self.state;
  const confirm = (/** @type {Event} */ event) => {
    event.preventDefault();
    self.run("confirming", async () => {
      const { body } = await request("POST", `${PATH}/confirm`, { body: { totp_code: self.state.first.replaceAll(" ", "") } });
      Object.assign(self.state, { codes: body.recovery_codes, password: "", code: "", made: null });
    });
  };
  return html`<ol>
      <li><p>Scan this with your authenticator app. Without a camera, enter the secret there (time based, ${made.digits} digits, ${made.period_seconds} s), or
          <a href=${made.otpauth_uri}>open the app on this device</a>.</p>
        ${made.qr_rows ? qrCode(made.qr_rows) : nothing}
        <p><code class="secret">${made.secret.match(/.{1,4}/g).join(" ")}</code> <button type="button" @click=${() => copy(made.secret)}>Copy</button></p></li>
      <li><form class="narrow" @submit=${confirm}>
        ${self.text("first", "Code that the app shows now", { mode: "numeric", autocomplete: "one-time-code", apiName: "totp_code", isRequired: true })}
        <div class="question-actions"><button type="submit" class="main" ?disabled=${self.busy !== ""}>Turn it on</button>
          <button type="button" @click=${() => self.set({ made: null, first: "" })}>Back</button></div>
      </form></li>
    </ol>
    <p class="soft">Until ${time(made.expires_at)}. Turning it on ends every login of yours, this one too; API keys keep working.</p>`;
}

/** @param {string[]} rows 1 for each dark module */
function qrCode(rows) {
  const side = rows.length + 2 * QUIET;
  const runs = rows.flatMap((row, y) => [...row.matchAll(/1+/g)].map(({ 0: run, index }) => `M${index + QUIET} ${y + QUIET}h${run.length}v1h-${run.length}z`));
  return html`<svg class="qr" role="img" aria-label="QR code of the secret below" viewBox=${`0 0 ${side} ${side}`}><path d=${runs.join("")}></path></svg>`;
}

/** The codes are shown this once, so that nothing else is shown before they are kept: the login waits for that. @param {Part} self */
function shownCodes(self) {
  const codes = /** @type {string[]} */ (self.state.codes);
  const kept = () => {
    self.set({ codes: null });
    session.ended();
  };
  return html`<p><strong>Keep these recovery codes where you keep passwords.</strong> Each takes the place of a code once. They are shown this once.</p>
    <ul class="codes" data-shown-once>${codes.map((code) => html`<li><code>${code}</code></li>`)}</ul>
    <div class="question-actions"><button type="button" @click=${() => copy(codes.join("\n"))}>Copy all</button>
      <button type="button" class="main" @click=${kept}>I have kept them: log in again</button></div>`;
}

/** @param {Part} self */
function newCodes(self) {
  return self.run("codes", async () => {
    self.state.codes = (await request("POST", `${PATH}/recovery-codes`, { body: stated(self) })).body.recovery_codes;
  });
}

/** @param {Part} self */
async function turnOff(self) {
  const isSure = await ask({ title: "Turn off the second factor?", danger: true, confirm: "Turn it off", keep: "Keep it", body: () => html`<p>From then on the password alone opens everything. Every login of yours ends.</p>` });
  if (!isSure) return;
  await self.run("off", async () => {
    await request("POST", `${PATH}/disable`, { body: stated(self) });
    session.ended();
  }, "It is off. Log in with your password.");
}

/** @param {string} text */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied");
  } catch {
    toast("The browser does not let it be copied: select it by hand");
  }
}
