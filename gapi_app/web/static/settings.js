// @ts-check
/** What a person chose about the page, kept in this browser. Nothing of it is secret. */

const PLACE = "pulse.settings";

/** Each setting with the values that it may have, the default first. */
const CHOICES = {
  theme: ["system", "light", "dark"],
  grouping: ["indian", "thousands"],
  zone: ["exchange", "utc", "local"],
  keys: ["on", "off"],
  // Orders with real money worth this much, in their currency, have their quantity typed once more; 0: all of them.
  retype: ["1000000", "100000", "10000000", "0"],
};

/** @typedef {keyof typeof CHOICES} Name */

/** @type {Record<string, string>} */
let kept = read();
/** @type {Set<() => void>} */
const listeners = new Set();

export const settings = {
  choices: CHOICES,

  /** @param {Name} name @returns {string} */
  get(name) {
    const value = kept[name];
    return CHOICES[name].includes(value) ? value : CHOICES[name][0];
  },

  /** @param {Name} name @param {string} value */
  set(name, value) {
    if (!CHOICES[name].includes(value)) throw new RangeError(`${name} is one of ${CHOICES[name].join(", ")}`);
    kept = { ...kept, [name]: value };
    write();
    tell();
  },

  /** Called after each change, in this tab or in another. @param {() => void} listener @returns {() => void} */
  onChange(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};

function read() {
  try {
    const value = JSON.parse(localStorage.getItem(PLACE) ?? "{}");
    return value !== null && typeof value === "object" ? value : {};
  } catch {
    return {};
  }
}

function write() {
  try {
    localStorage.setItem(PLACE, JSON.stringify(kept));
  } catch {
    // A browser that keeps nothing still has the setting until the page closes.
  }
}

function tell() {
  document.documentElement.dataset.theme = settings.get("theme");
  for (const listener of [...listeners]) listener();
}

addEventListener("storage", (event) => {
  if (event.key !== PLACE) return;
  kept = read();
  tell();
});

document.documentElement.dataset.theme = settings.get("theme");
