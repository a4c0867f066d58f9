// @ts-check
/** What to do next about each kind of trouble, in a sentence. */

/** The next step for each code of an alarm; docs/services/pulse-background/alarms.md says more. */
export const ALARM_STEPS = /** @type {Record<string, string>} */ ({
  TURNED_UP: "Compare the order with the broker's book: is more bought or sold than it asked for?",
  LOST_CLAIM: "Run pulse recover, then check the order's fills.",
  DUPLICATE_ORDERS: "Look at both at the broker, cancel the second there if it is live, and tell the broker.",
  MISSING_FROM_BOOK: "Ask the broker about its order id. Send nothing by hand.",
  BOOK_PROVES_NOTHING: "Wait for the broker's book to be whole; ask the broker if it stays like that.",
  LEFT_TO_OPERATORS: "Find out from the broker, then settle the slice.",
  DAY_OVER: "Look into the contract note, then settle the slice.",
  END_UNSEEN: "Look into the contract note, then settle the slice.",
  FILL_AFTER_END: "The shares are booked. Check the order's quantity.",
  SLICE_OVERFILLED: "Check the order, and ask the broker how that came about.",
  ORDER_OVERFILLED: "Pause what still trades, decide about the surplus, and correct it at the broker.",
  SLICE_LOWERED: "Nothing, if the order's total is right.",
  NO_ROOM: "Nothing, if the order's total is right.",
  CUT_OFF_PASSED: "Tell the user. What is left can be traded with another product, or on the next day.",
  ORDER_HELD: "See to the cause, then resume the order, or cancel it.",
  PRICE_REFUSED: "Compare the limit with the market. Cancel the order if it cannot be reached.",
  LIMIT_REACHED: "Have the limit raised, and the order goes on by itself. Or cancel it.",
  UNEXPLAINED_ORDERS: "Run pulse recover, and deal with these orders at the broker.",
  SENDING_HELD: "Run pulse recover, and follow what it says. Nothing is sent until then.",
  HALTED: "See the receipt, and release the halt once its reason is gone.",
  ACCOUNT_HELD: "Log in to the broker account, or see to it at the broker.",
  TOKEN_ENDS: "Log in to the broker account in time.",
  INSTRUMENTS_STALE: "See the loads of instruments; log in at the broker if its token has ended.",
  CALENDAR_DIFFERS: "Ask the exchange's own page, and correct the day if the broker is right.",
  LOGIN_ATTACK: "Tell the user to choose a long password, and keep the network out at the proxy.",
});

/** Where the page itself has a part of the next step. */
export const ALARM_LINKS = /** @type {Record<string, [path: string, words: string]>} */ ({
  HALTED: ["/app/halt", "Halts"],
  ACCOUNT_HELD: ["/app/account#broker-accounts", "Broker accounts"],
  TOKEN_ENDS: ["/app/account#broker-accounts", "Broker accounts"],
});

/** Slices whose outcome no book will tell any more: an operator settles them. */
const TO_SETTLE = new Set(["LEFT_TO_OPERATORS", "DAY_OVER", "END_UNSEEN"]);

/** @param {string} code of an alarm */
export function asksToSettle(code) {
  return TO_SETTLE.has(code);
}

/**
 * @param {Record<string, any>} slice
 * @param {Record<string, any>} order
 * @param {boolean} mayOperate
 */
export function sliceStep(slice, order, mayOperate) {
  if (slice.status === "UNKNOWN") {
    return mayOperate ? "Ask the broker's book now. Pulse does so by itself, too." : "Pulse looks into the broker's book. It never just sends it again.";
  }
  if (["DONE", "CANCELLED", "SKIPPED"].includes(order.status)) return "The order has ended: what this slice lacks is not sent any more.";
  return mayOperate ? "See to the cause, then send it again." : "An operator can send it again once the cause is gone.";
}
