// @ts-check
/** Two small things that the store is made of. */

const PACE = 500;
const AGAIN = 2000;

/** Does one thing when asked, never twice at once, and no sooner again than after a pause. What failed is tried again. */
export class Refresher {
  #isAsked = false;
  #isRunning = false;
  #last = -Infinity;
  #isOver = false;

  /**
   * @param {() => Promise<void>} work
   * @param {number} [pace] The least milliseconds from one beginning to the next.
   */
  constructor(work, pace = PACE) {
    this.work = work;
    this.pace = pace;
  }

  ask() {
    if (this.#isAsked || this.#isOver) return;
    this.#isAsked = true;
    if (!this.#isRunning) this.#run();
  }

  stop() {
    this.#isOver = true;
  }

  async #run() {
    this.#isRunning = true;
    while (this.#isAsked && !this.#isOver) {
      const wait = this.#last + this.pace - performance.now();
      if (wait > 0) await pause(wait);
      this.#isAsked = false;
      this.#last = performance.now();
      try {
        await this.work();
      } catch (failure) {
        const isOver = /** @type {any} */ (failure)?.status === 401 || /** @type {any} */ (failure)?.status === 403;
        if (!isOver) {
          await pause(Math.max(AGAIN, (/** @type {any} */ (failure)?.retryAfter ?? 0) * 1000));
          this.#isAsked = true;
        }
      }
    }
    this.#isRunning = false;
  }
}

/** A value, and who wants to know of it. @template T */
export class Signal {
  /** @type {Set<() => void>} */
  #listeners = new Set();
  /** Whether it was ever told: what it began with is nobody's answer. */
  #isTold = false;

  /** @param {T} value */
  constructor(value) {
    this.value = value;
  }

  /** @param {T} value */
  set(value) {
    const isSame = this.#isTold && JSON.stringify(value) === JSON.stringify(this.value);
    this.#isTold = true;
    this.value = value;
    if (!isSame) for (const fn of [...this.#listeners]) fn();
  }

  /** @param {() => void} fn */
  onChange(fn) {
    this.#listeners.add(fn);
    return () => this.#listeners.delete(fn);
  }
}

/** @param {number} milliseconds */
function pause(milliseconds) {
  return new Promise((done) => setTimeout(done, milliseconds));
}
