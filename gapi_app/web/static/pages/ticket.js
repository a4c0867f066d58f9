// @ts-check
/** The order ticket, as a page and as a sheet over another. */

import { sheet as side } from "../dialog.js";
import { announce, toast } from "../notice.js";
import { go } from "../router.js";
import { ticket } from "./ticket/ticket.js";
import { html, render } from "../vendor/lit-html.js";

/** @param {HTMLElement} root */
export function open(root) {
  render(html`<div class="page-ticket"><h1>New order</h1><div class="ticket-place"></div></div>`, root);
  const place = /** @type {HTMLElement} */ (root.querySelector(".ticket-place"));
  const writing = ticket(place, {
    onPlaced: (order, words) => {
      announce(words);
      go(`/app/orders/${order.order_id}`);
    },
  });
  return { title: "New order", close: writing.close };
}

/** The same over the page that is shown, which stays. */
export function sheet() {
  /** @type {ReturnType<typeof ticket> | undefined} */
  let writing;
  return side({
    title: "New order",
    mayClose: () => !writing?.isBusy(),
    fill: (root, close) => {
      writing = ticket(root, {
        onPlaced: (order, words) => {
          close();
          announce(words);
          toast(words, { action: "Open", run: () => go(`/app/orders/${order.order_id}`) });
        },
      });
      return writing;
    },
  });
}
