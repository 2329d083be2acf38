// Calls of the server: requests, errors, and the token, which is kept in this tab only.

import { $ } from "./dom.js";
import { events } from "./sse.js";

const TOKEN = "rag.token";

/** An error, with the message of the server if it sent one. */
export class Problem extends Error {
  constructor({ status = 0, code = "unreachable", message, hint, request_id: requestId, wait }) {
    super(message);
    Object.assign(this, { status, code, hint, requestId, wait });
  }
}

/** Calls the server and returns its JSON. */
export async function call(path, options) {
  const reply = await open(path, options);
  return reply.status === 204 ? undefined : parsed(reply);
}

/** Calls the server and yields events `{ name, data }` as they arrive. A plain JSON reply yields one event, `done`. */
export async function* stream(path, options) {
  const reply = await open(path, { ...options, accept: "text/event-stream" });
  if (!(reply.headers.get("content-type") ?? "").startsWith("text/event-stream")) {
    yield { name: "done", data: await parsed(reply) };
    return;
  }
  try {
    for await (const { name, data } of events(reply.body)) {
      const value = JSON.parse(data);
      if (name === "error") throw new Problem(value.error ?? { message: "the server ended the stream" });
      yield { name, data: value };
    }
  } catch (error) {
    if (error instanceof Problem || error.name === "AbortError") throw error;
    throw new Problem({ message: "the connection was lost", hint: "the answer may be incomplete; ask again" });
  }
}

/** Fetches a file as a download of the browser. */
export async function download(path, name) {
  const reply = await open(path, {});
  const url = URL.createObjectURL(await reply.blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  // The download starts after this turn of the event loop, so the URL must live longer.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export const query = (values) => {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
};

/** The headers that carry the token, if this tab has one. */
export function authorization() {
  const token = sessionStorage.getItem(TOKEN);
  return token ? { authorization: `Bearer ${token}` } : {};
}

/** Sends a request of the API reference. Returns the reply whatever its status, after asking for a token. */
export async function attempt(path, { method, body, type, signal }) {
  for (;;) {
    const token = sessionStorage.getItem(TOKEN);
    const headers = { ...authorization(), ...(body === undefined ? {} : { "content-type": type }) };
    const reply = await fetch(path, { method, headers, body, signal, cache: "no-store", credentials: "omit" });
    if (reply.status !== 401) return reply;
    if (sessionStorage.getItem(TOKEN) === token) await askForToken(token ? "Invalid or expired token." : "", await failure(reply));
  }
}

/**
 * Uploads a file and calls `progress` with the share that is sent, from 0 to 1. `fetch` cannot report that. Returns the
 * JSON of the reply.
 */
export async function upload(path, file, { progress, signal }) {
  for (;;) {
    const token = sessionStorage.getItem(TOKEN);
    const reply = await sent(path, file, progress, signal);
    if (reply.ok) return parsed(reply);
    const problem = await failure(reply);
    if (reply.status !== 401) throw problem;
    if (sessionStorage.getItem(TOKEN) === token) await askForToken(token ? "Invalid or expired token." : "", problem);
  }
}

function sent(path, file, progress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value);
    request.setRequestHeader("content-type", "application/octet-stream");
    request.upload.addEventListener("progress", ({ loaded, total }) => total && progress(loaded / total));
    request.addEventListener("load", () => {
      const names = ["x-request-id", "retry-after"].map((name) => [name, request.getResponseHeader(name)]);
      const headers = names.filter(([, value]) => value !== null);
      resolve(new Response(request.responseText, { status: request.status, headers }));
    });
    request.addEventListener("error", () => reject(new Problem({
      message: "the upload was interrupted", hint: "check that `rag serve` is running, and try again",
    })));
    request.addEventListener("abort", () => reject(new DOMException("cancelled", "AbortError")));
    signal?.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

async function open(path, { method, body, signal, accept = "application/json" } = {}) {
  for (;;) {
    const token = sessionStorage.getItem(TOKEN);
    const headers = { accept, ...authorization() };
    if (body !== undefined) headers["content-type"] = "application/json";
    let reply;
    try {
      reply = await fetch(path, {
        method: method ?? (body === undefined ? "GET" : "POST"),
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        signal,
        cache: "no-store",
        credentials: "omit",
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem({ message: "cannot reach the server", hint: "check that `rag serve` is running" });
    }
    if (reply.ok) return reply;
    const problem = await failure(reply);
    if (reply.status !== 401) throw problem;
    // Another call may have asked for the token since.
    if (sessionStorage.getItem(TOKEN) === token) {
      await askForToken(token ? "Invalid or expired token." : "", problem);
    }
  }
}

async function parsed(reply) {
  try {
    return await reply.json();
  } catch {
    throw new Problem({ status: reply.status, message: "the server sent an incomplete reply", hint: "try again" });
  }
}

async function failure(reply) {
  let error = {};
  try {
    error = (await reply.json()).error ?? {};
  } catch {
    // The reply is not JSON: a proxy may have sent it.
  }
  return new Problem({
    message: `the server answered with status ${reply.status}`,
    request_id: reply.headers.get("x-request-id") ?? undefined,
    wait: Number(reply.headers.get("retry-after")) || undefined,
    ...error,
    status: reply.status,
  });
}

let asking;

/** Resolves when the user has entered a token. All waiting calls share one dialog. */
function askForToken(refused, problem) {
  asking ??= new Promise((resolve, reject) => {
    const [dialog, form, input, note] = ["token", "token-form", "token-input", "token-note"].map($);
    note.textContent = refused;
    note.hidden = !refused;
    input.value = "";
    let given = false;
    const submitted = (event) => {
      event.preventDefault();
      const token = input.value.trim();
      // HTTP headers allow visible ASCII only.
      if (!/^[\x21-\x7e]+$/.test(token)) {
        note.textContent = "A token has ASCII letters, digits and symbols only, without spaces.";
        note.hidden = false;
        input.focus();
        return;
      }
      sessionStorage.setItem(TOKEN, token);
      input.value = "";
      given = true;
      dialog.close();
    };
    form.addEventListener("submit", submitted);
    dialog.addEventListener("close", () => {
      form.removeEventListener("submit", submitted);
      asking = undefined;
      if (given) resolve();
      else reject(problem);
    }, { once: true });
    dialog.showModal();
    input.focus();
  });
  return asking;
}

/** Whether this tab has a token. */
export const hasToken = () => sessionStorage.getItem(TOKEN) !== null;

export const forgetToken = () => sessionStorage.removeItem(TOKEN);
