// @ts-check
/** The login, over whatever page is open: that stays where it is, with what was typed into it. */
import { html, nothing, render } from "./vendor/lit-html.js";
import { ApiError } from "./api.js";
import { session } from "./session.js";

let refusal = "";
let needsCode = false;
let isAsking = false;

// Modal: it stands over a sheet or a question that is open, too.
const root = document.createElement("dialog");
root.setAttribute("aria-label", "Log in");
/** @type {HTMLElement} */ (document.getElementById("login")).append(root);
root.addEventListener("cancel", (event) => event.preventDefault());
root.addEventListener("close", drawLogin);

/**
 * Show the login where nobody is logged in, or where somebody asked to log in again; hide it elsewhere. It waits while
 * the page shows what is shown once.
 */
export function drawLogin() {
  const isOut = session.state === "out" && !document.querySelector("[data-shown-once]");
  const isOpen = isOut || session.isAskedAgain;
  for (const id of ["header", "page", "strip"]) /** @type {HTMLElement} */ (document.getElementById(id)).inert = isOpen;
  const wasOpen = root.open;
  render(isOpen ? form() : nothing, root);
  if (isOpen && !wasOpen) root.showModal();
  if (!isOpen && wasOpen) root.close();
  if (isOpen && !wasOpen) /** @type {HTMLElement | null} */ (root.querySelector("input, [tabindex]"))?.focus();
}

function form() {
  if (!session.isSecure) {
    return html`<section class="login" aria-label="Log in"><h1>Pulse</h1>
      <p tabindex="-1">This page needs https, or localhost: over plain http a browser keeps no login safe.</p></section>`;
  }
  return html`<form class="login" aria-label="Log in" @submit=${logIn}>
    <h1>Pulse</h1>
    ${session.me && session.state === "out" ? html`<p>You are logged out. Log in to go on where you were.</p>` : nothing}
    <label>Username <input name="username" autocomplete="username" required maxlength="64" .value=${session.me?.username ?? ""} /></label>
    <label>Password <input name="password" type="password" autocomplete="current-password" required maxlength="256" /></label>
    ${needsCode
      ? html`<label>Code of your app, or a recovery code
          <input name="code" autocomplete="one-time-code" inputmode="text" required maxlength="40" /></label>`
      : nothing}
    <p class="refusal" role="alert">${refusal}</p>
    <button type="submit" class="main" ?disabled=${isAsking}>${isAsking ? "Logging in..." : "Log in"}</button>
    ${session.isAskedAgain && session.state !== "out"
      ? html`<button type="button" class="quiet" @click=${later}>Later</button>`
      : nothing}
  </form>`;
}

function later() {
  session.askAgain(false);
}

/** @param {SubmitEvent} event */
async function logIn(event) {
  event.preventDefault();
  const given = new FormData(/** @type {HTMLFormElement} */ (event.target));
  const said = (/** @type {string} */ name) => String(given.get(name) ?? "");
  isAsking = true;
  refusal = "";
  drawLogin();
  try {
    await session.login({ username: said("username"), password: said("password"), code: said("code") });
    needsCode = false;
  } catch (failure) {
    const refused = failure instanceof ApiError ? failure : null;
    const isFirst = refused?.code === "SECOND_FACTOR_REQUIRED" && !needsCode;
    needsCode ||= refused?.code === "SECOND_FACTOR_REQUIRED";
    refusal = isFirst ? "" : sentence(refused);
  } finally {
    isAsking = false;
    drawLogin();
  }
  if (needsCode) /** @type {HTMLElement | null} */ (root.querySelector("[name=code]"))?.focus();
}

/** @param {ApiError | null} refused */
function sentence(refused) {
  if (!refused) return "Something went wrong.";
  const wait = refused.retryAfter ? ` Try again in ${refused.retryAfter} s.` : "";
  return `${refused.message.charAt(0).toUpperCase()}${refused.message.slice(1)}.${wait}`;
}
