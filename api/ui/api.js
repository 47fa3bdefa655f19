// Calls to the gateway: its credentials, its errors, and whether it can be reached at all.

import { noteServerTime } from "./clock.js";
import * as connection from "./connection.js";
import { credentials, refused } from "./session.js";

/** The gateway answered an error. */
export class ApiError extends Error {
  constructor(status, body) {
    const error = body?.error ?? {};
    super(error.message || `The gateway answered ${status}.`);
    this.status = status;
    this.code = error.code ?? null;
    this.type = error.type ?? null;
    this.param = error.param ?? null;
    this.body = body;
    // Or else it is a provider's error that was passed on, and says nothing about us.
    this.isGateways = body?.is_bifrost_error === true;
  }
}

/** There was no answer of the gateway. */
class Unreachable extends Error {
  constructor() {
    super("The front cannot be reached.");
  }
}

export const get = async (path, options) => json(await send("GET", path, options));
export const post = async (path, options) => json(await send("POST", path, options));
export const del = async (path, options) => json(await send("DELETE", path, options));

/**
 * The response as it begins to arrive, for those who read its body as it comes.
 *
 * `probe` is for a key that is being tried: its refusal is an answer and no news for the page.
 */
export async function send(method, path, { body, headers = {}, signal, probe = false } = {}) {
  const response = await reached(path, {
    method,
    signal,
    headers: {
      ...credentials(),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
    cache: "no-store",
    // The key alone says who we are; and an answer from elsewhere is none.
    credentials: "omit",
    redirect: "error",
  });
  noteServerTime(response.headers.get("date"));
  if (response.ok) {
    connection.isWell();
    return response;
  }
  throw await failure(response, probe);
}

async function reached(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    connection.isGone();
    throw new Unreachable();
  }
}

async function failure(response, probe) {
  const body = await response.json().catch(() => null);
  if (body?.error === undefined && response.status >= 500) {
    // A proxy before the front speaks for it.
    connection.isGone();
    return new Unreachable();
  }
  const error = new ApiError(response.status, body);
  if (error.isGateways && error.code === "service_unavailable") connection.hasNoStore();
  else connection.isWell();
  if (error.isGateways && error.status === 401 && !probe) refused(error);
  return error;
}

async function json(response) {
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    // Cut off in the middle.
    connection.isGone();
    throw new Unreachable();
  }
}

/** Where a job is found: in the envelope's words, which have the times. */
export const jobPath = (id, rest = "") => `/v1/async/responses/${encodeURIComponent(id)}${rest}`;
/** The same as a Response object, and as a stream of events. */
export const responsePath = (id) => `/v1/responses/${encodeURIComponent(id)}`;
