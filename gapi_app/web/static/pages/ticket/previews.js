// @ts-check
/** Asks for previews of what is being written: a little after the last change, one at a time, the latest alone counts. */

import { request } from "../../api.js";
import { refusalOf } from "../form.js";

const WAIT = 400; // milliseconds after the last change

/**
 * @param {(state: {preview: any, refusal: any, isAsking: boolean, takenAt: number}) => void} onChange
 */
export function previews(onChange) {
  /** @type {any} */
  let preview = null;
  /** @type {any} */
  let refusal = null;
  let takenAt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let waiting;
  /** @type {AbortController | null} */
  let asking = null;
  let asked = "";

  const tell = () => onChange({ preview, refusal, takenAt, isAsking: asking !== null || waiting !== undefined });

  /** @param {Record<string, any>} body @returns {Promise<any>} the preview, or null if it was refused or another was asked for since */
  async function ask(body) {
    stop();
    const mine = new AbortController();
    asking = mine;
    asked = JSON.stringify(body);
    tell();
    try {
      const answer = await request("POST", "/api/orders/preview", { body, signal: mine.signal });
      if (asking !== mine) return null;
      [preview, refusal, takenAt] = [answer.body, null, Date.now()];
    } catch (problem) {
      if (asking !== mine) return null;
      [preview, refusal] = [null, refusalOf(problem)];
    }
    asking = null;
    tell();
    return preview;
  }

  function stop() {
    clearTimeout(waiting);
    waiting = undefined;
    asking?.abort();
    asking = null;
  }

  return {
    ask,
    /** @param {Record<string, any>} body */
    askSoon(body) {
      // What is being asked just now is the same: somebody may wait for that answer.
      if (asking && asked === JSON.stringify(body)) return;
      stop();
      waiting = setTimeout(() => {
        waiting = undefined;
        ask(body);
      }, WAIT);
      tell();
    },
    /** What was shown is not that of the order any more. */
    clear() {
      stop();
      [preview, refusal] = [null, null];
      tell();
    },
    close: stop,
  };
}
