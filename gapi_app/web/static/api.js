// @ts-check
/** Calls of the server: without a login, and as whoever is logged in; and what time it is there. */

const LONGEST_WAIT = 20_000;
const SAMPLES = 20;

/** A request that was refused, or that nobody answered (`status` 0). */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} message
   * @param {{details?: any, requestId?: string, retryAfter?: number}} [more] `retryAfter` in seconds
   */
  constructor(status, code, message, more = {}) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.details = more.details ?? {};
    this.requestId = more.requestId ?? "";
    this.retryAfter = more.retryAfter ?? 0;
  }
}

/** @type {number[]} */
const differences = [];

/** What time it is at the server, in milliseconds since 1970, as told by the answers so far. */
export function serverNow() {
  // An answer's `Date` is cut to its second and old by its way here: the greatest difference is the nearest.
  return Date.now() + (differences.length ? Math.max(...differences) : 0);
}

/** @param {Headers} headers */
function noteDate(headers) {
  const told = Date.parse(headers.get("Date") ?? "");
  if (Number.isNaN(told)) return;
  differences.push(told - Date.now());
  if (differences.length > SAMPLES) differences.shift();
}

/**
 * @param {string} method
 * @param {string} path
 * @param {{body?: any, query?: Record<string, any>, headers?: Record<string, string>, signal?: AbortSignal}} [options]
 *   In `query` what is null, undefined or "" is left out.
 * @returns {Promise<{status: number, body: any, headers: Headers, requestId: string}>}
 * @throws {ApiError}
 */
export async function send(method, path, { body, query, headers = {}, signal } = {}) {
  const limit = AbortSignal.timeout(LONGEST_WAIT);
  let answer, text;
  try {
    answer = await fetch(path + questions(query), {
      method,
      headers: body === undefined ? headers : { ...headers, "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
    text = await answer.text();
  } catch (failure) {
    if (signal?.aborted) throw new ApiError(0, "ABORTED", "the request was given up");
    throw new ApiError(0, "NO_ANSWER", limit.aborted ? "no answer within 20 s" : "the server cannot be reached");
  }
  noteDate(answer.headers);
  const read = parsed(text);
  if (answer.ok) return { status: answer.status, body: read, headers: answer.headers, requestId: idOf(answer) };
  throw refusal(answer, read);
}

/**
 * @param {Response} answer
 * @param {any} body
 */
export function refusal(answer, body) {
  const said = body?.error ?? {};
  return new ApiError(answer.status, said.code ?? "NO_ANSWER", said.message ?? `answered with ${answer.status}`, {
    details: said.details,
    requestId: idOf(answer),
    retryAfter: Number(answer.headers.get("Retry-After") ?? 0),
  });
}

/** @param {Response} answer */
function idOf(answer) {
  return answer.headers.get("X-Request-Id") ?? "";
}

/** @param {string} text */
export function parsed(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

/** @param {Record<string, any>} [query] */
function questions(query) {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : "";
}

/** Gives an access token; another than the one that was refused. @type {(refused?: string) => Promise<string>} */
let tokens = () => Promise.reject(new ApiError(401, "UNAUTHORIZED", "nobody is logged in"));

/** Calls are made with these tokens from now on. @param {(refused?: string) => Promise<string>} given */
export function useTokens(given) {
  tokens = given;
}

/** What is everybody's is asked of one cell, where there are several. */
const EVERYBODYS = /^GET \/api\/(orders|installation)$|^[A-Z]+ \/api\/(halts|alarms|broker-accounts)/;
/** @type {Record<string, string>} */
let cell = {};

/** What is everybody's is asked of this cell from now on. @param {string} name */
export function useCell(name) {
  cell = name ? { "Pulse-Cell": name } : {};
}

/**
 * A call of the public API as whoever is logged in. Nothing is repeated but what was refused for an old token.
 * @param {string} method
 * @param {string} path
 * @param {{body?: any, query?: Record<string, any>, headers?: Record<string, string>, key?: string,
 *   signal?: AbortSignal}} [options] `key`: the Idempotency-Key
 * @returns {Promise<{status: number, body: any, headers: Headers, requestId: string}>}
 * @throws {ApiError}
 */
export async function request(method, path, options = {}) {
  const { key, headers, ...rest } = options;
  const own = { ...headers, ...(EVERYBODYS.test(`${method} ${path}`) ? cell : {}), ...(key ? { "Idempotency-Key": key } : {}) };
  const token = await tokens();
  /** @param {string} one */
  const asked = (one) => send(method, path, { ...rest, headers: { ...own, Authorization: `Bearer ${one}` } });
  try {
    return await asked(token);
  } catch (failure) {
    if (!(failure instanceof ApiError) || failure.status !== 401) throw failure;
    return asked(await tokens(token));
  }
}
