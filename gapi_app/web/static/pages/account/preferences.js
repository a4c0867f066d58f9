// @ts-check
/** How the page looks in this browser. */

import { settings } from "../../settings.js";
import { html } from "../../vendor/lit-html.js";
import { choice, field } from "../form.js";
import { part } from "./section.js";

const WORDS = /** @type {Record<string, [label: string, choices: Record<string, string>]>} */ ({
  theme: ["Colours", { system: "As the system has them", light: "Light", dark: "Dark" }],
  grouping: ["Figures", { indian: "1,00,000", thousands: "100,000" }],
  zone: ["Times", { exchange: "Of the exchange", utc: "UTC", local: "Of this computer" }],
  keys: ["Single keys", { on: "On: ? shows them", off: "Off" }],
  retype: ["Real money: type the quantity again from a worth of", { 1000000: "10,00,000", 100000: "1,00,000", 10000000: "1,00,00,000", 0: "Always" }],
});

export const preferences = {
  id: "preferences",
  title: "This browser",
  /** @param {HTMLElement} root */
  fill(root) {
    const self = part(root, "setting", {}, () => html`<div class="form-grid">${Object.entries(WORDS).map(([name, [label, choices]]) => field({
      id: `setting-${name}`, label,
      control: choice({
        id: `setting-${name}`, value: settings.get(/** @type {any} */ (name)),
        choices: settings.choices[/** @type {"theme"} */ (name)].map((value) => [value, choices[value]]),
        onChange: (value) => settings.set(/** @type {any} */ (name), value),
      }),
    }))}</div>`);
    const off = settings.onChange(self.draw);
    return {
      close() {
        off();
        self.close();
      },
    };
  },
};
