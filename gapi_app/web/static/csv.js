// @ts-check
/** A table as a file of comma-separated values, safe to open in a spreadsheet. */
import { serverNow } from "./api.js";

/**
 * @param {{label: string, value: (row: any) => string}[]} columns
 * @param {Iterable<any>} rows
 * @returns {string} one line for each row, with a header, as RFC 4180 has it
 */
export function csv(columns, rows) {
  const lines = [columns.map(({ label }) => cell(label)).join(",")];
  for (const row of rows) lines.push(columns.map(({ value }) => cell(value(row))).join(","));
  return `${lines.join("\r\n")}\r\n`;
}

/**
 * Hands a table to the person, in a file with the instant in its name.
 * @param {string} name @param {{label: string, value?: (row: any) => string}[]} columns of which those with a `value` are exported @param {any[]} rows
 */
export function exportTable(name, columns, rows) {
  const valued = columns.flatMap(({ label, value }) => (value ? [{ label, value }] : []));
  save(`${name}-${new Date(serverNow()).toISOString().slice(0, 19).replaceAll(":", "")}.csv`, csv(valued, rows));
}

/** Hands a file to the person. @param {string} name @param {string} text */
export function save(name, text) {
  const link = document.createElement("a");
  // The mark at the start tells spreadsheets that this is UTF-8.
  link.href = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv;charset=utf-8" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

/** A spreadsheet takes what begins with one of these for a formula; with the apostrophe it is text. @param {string} value */
function cell(value) {
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n']/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
