// @ts-check
/** Calls of the public API as whoever is logged in. Nothing is repeated but what was refused for an old token. */
import { ApiError, send, serverNow } from "./http.js";
import { session } from "./session.js";

export { ApiError, serverNow };

/**
 * @param {string} method
 * @param {string} path
 * @param {{body?: any, query?: Record<string, any>, headers?: Record<string, string>, key?: string,
 *   signal?: AbortSignal}} [options] `key`: the Idempotency-Key
 * @returns {Promise<{status: number, body: any, headers: Headers, requestId: string}>}
 * @throws {ApiError}
 */
export async function request(method, path, options = {}) {
  const { key, headers, ...rest } = options;
  const own = key ? { ...headers, "Idempotency-Key": key } : { ...headers };
  const token = await session.token();
  /** @param {string} one */
  const asked = (one) => send(method, path, { ...rest, headers: { ...own, Authorization: `Bearer ${one}` } });
  try {
    return await asked(token);
  } catch (failure) {
    if (!(failure instanceof ApiError) || failure.status !== 401) throw failure;
    return asked(await session.token(token));
  }
}
