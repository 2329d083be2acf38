// The API reference, rendered from the OpenAPI document.

import { attempt, call } from "./api.js";
import { $, announce, button, fill, h, ms, problem, sure, ticks } from "./dom.js";

const METHODS = ["get", "post", "put", "patch", "delete"];
/** Depth limit for recursive schemas. */
const DEEPEST = 6;

let api;

async function start() {
  try {
    api = await call("/openapi.json");
  } catch (error) {
    $("docs").replaceChildren(h("h1", {}, "API"), problem(error, start));
    return;
  }
  const groups = new Map();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((method) => item[method])) {
      const [tag = "Other"] = item[method].tags ?? [];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(operation(method, path, item));
    }
  }
  // In the order of the tags.
  const order = [...(api.tags ?? []).map(({ name }) => name), ...groups.keys()];
  const sorted = [...groups].sort(([a], [b]) => order.indexOf(a) - order.indexOf(b));
  const search = h("input", { type: "search", placeholder: "Find a route", "aria-label": "Find a route", on: { input: () => find(search.value) } });
  $("docs").replaceChildren(
    h("h1", {}, api.info.title, " ", h("span", { class: "faint" }, api.info.version)),
    api.info.description && h("p", { class: "prose" }, ...ticks(paragraphs(api.info.description))),
    h("p", { class: "faint" }, "OpenAPI document: ", h("a", { href: "/openapi.json" }, "/openapi.json"), "."),
    search,
    ...sorted.flatMap(([tag, operations]) => {
      const words = api.tags?.find(({ name }) => name === tag)?.description;
      return [h("section", {}, h("h2", {}, tag), words && h("p", { class: "faint" }, ...ticks(words)),
        h("div", { class: "operations" }, ...operations))];
    }));
  $("docs").setAttribute("aria-busy", "false");
}

function find(words) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  for (const node of document.querySelectorAll(".operation")) {
    const text = node.firstElementChild.textContent.toLowerCase();
    node.hidden = !wanted.every((word) => text.includes(word));
  }
  for (const section of document.querySelectorAll(".docs section")) {
    section.hidden = !section.querySelector(".operation:not([hidden])");
  }
}

function operation(method, path, item) {
  const { summary, description, parameters = [], requestBody, responses = {}, operationId } = item[method];
  const all = [...(item.parameters ?? []), ...parameters].map(resolved);
  const scope = item[method]["x-scope"];
  const inside = () => [
    description && description !== summary && h("p", { class: "prose" }, ...ticks(paragraphs(description))),
    scope && scope !== "open" && h("p", { class: "faint" }, "Requires the scope ", h("strong", {}, scope), " when the server has tokens."),
    all.length > 0 && h("div", {}, h("h3", {}, "Parameters"), h("table", {}, h("tbody", {}, ...all.map((parameter) => h("tr", {},
      h("th", { scope: "row" }, h("code", {}, parameter.name), parameter.required && " *"),
      h("td", {}, `${parameter.in}, ${typeName(parameter.schema)}`),
      h("td", {}, ...ticks(parameter.description ?? ""))))))),
    requestBody && body("Request", resolved(requestBody).content),
    h("div", {}, h("h3", {}, "Responses"), h("table", {}, h("tbody", {}, ...Object.entries(responses).map(([status, reply]) => h("tr", {},
      h("th", { scope: "row" }, h("code", {}, status)),
      h("td", {}, ...ticks(resolved(reply).description ?? ""))))))),
    ...Object.entries(responses).filter(([status]) => status.startsWith("2"))
      .map(([status, reply]) => body(`Response ${status}`, resolved(reply).content)),
    h("div", {}, h("h3", {}, "Example"), h("pre", { tabindex: 0 }, h("code", {}, shell(method, path, requestBody)))),
    trial(method, path, all, requestBody),
  ].filter(Boolean);
  const node = h("details", { class: "operation", id: operationId },
    h("summary", {},
      h("span", { class: `method ${method}` }, method.toUpperCase()),
      h("span", { class: "route" }, path),
      h("span", { class: "faint" }, ...ticks(summary ?? ""))));
  // Rendered when opened; most never are.
  node.addEventListener("toggle", () => {
    if (node.open && node.childElementCount === 1) node.append(h("div", { class: "inside" }, ...inside()));
  });
  return node;
}

/** The most of a reply that is shown. */
const MOST = 100_000;

/** A form that sends the request and shows the reply. */
function trial(method, path, parameters, requestBody) {
  const fields = parameters.filter((parameter) => parameter.in !== "header").map((parameter) => {
    const input = h("input", { type: "text", spellcheck: "false", autocapitalize: "off", class: "code",
      required: parameter.required, placeholder: parameter.required ? "required" : "" });
    return { parameter, input };
  });
  const content = resolved(requestBody ?? {}).content ?? {};
  const [type, { schema, example } = {}] = Object.entries(content)[0] ?? [];
  const isJson = type === "application/json";
  const text = type && h("textarea", { rows: 6, spellcheck: "false", class: "code", "aria-label": "Body" });
  if (isJson) text.value = JSON.stringify(example ?? least(resolved(schema ?? {})), undefined, 2);
  const output = h("div", { class: "reply" });
  const submit = h("button", { type: "submit", class: "primary" }, "Send");
  let running;
  const stop = button("Stop", () => running?.abort(), { class: "quiet", hidden: true });
  const address = () => {
    let at = path;
    const search = new URLSearchParams();
    for (const { parameter: { name, in: where }, input } of fields) {
      const value = input.value.trim();
      if (where === "path") at = at.replace(`{${name}}`, encodeURIComponent(value));
      else if (value) search.set(name, value);
    }
    return search.size ? `${at}?${search}` : at;
  };
  const send = async (event) => {
    event.preventDefault();
    if (method === "delete" && !(await sure("Send this request?", `DELETE ${address()} removes something.`, "Send"))) return;
    running = new AbortController();
    [submit.disabled, stop.hidden] = [true, false];
    fill(output, h("p", { class: "faint" }, "Sending…"));
    const started = performance.now();
    try {
      const body = text?.value ? text.value : undefined;
      const reply = await attempt(address(), { method: method.toUpperCase(), body, type, signal: running.signal });
      await show(reply, output, started);
    } catch (error) {
      fill(output, error.name === "AbortError" ? h("p", { class: "faint" }, "Stopped.") : problem(error));
    } finally {
      [submit.disabled, stop.hidden, running] = [false, true, undefined];
    }
  };
  return h("form", { class: "try", on: { submit: send } },
    h("h3", {}, "Try it"),
    fields.length > 0 && h("div", { class: "fields" }, ...fields.map(({ parameter, input }) => h("label", {}, parameter.name, input))),
    text && h("label", {}, `Body, ${type}`, text),
    h("div", { class: "row" }, submit, stop),
    output);
}

/** Shows a reply as it arrives: JSON is indented once it is whole. */
async function show(reply, output, started) {
  const kind = reply.headers.get("content-type") ?? "";
  const code = h("code", {});
  const status = h("p", { class: reply.ok ? "good" : "", role: "status" });
  const head = (state) => {
    status.textContent = [`${reply.status} ${reply.statusText}`.trim(), kind, state].filter(Boolean).join(" · ");
  };
  head("…");
  fill(output, status, h("pre", { tabindex: 0, dir: "ltr" }, code));
  const reader = reply.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (reader && text.length <= MOST) {
    const { done, value } = await reader.read();
    if (done) break;
    text += value;
    code.textContent = text;
  }
  const isCut = text.length > MOST;
  if (isCut) await reader.cancel();
  head(`${ms(performance.now() - started)}${isCut ? " · cut off" : ""}`);
  announce(status.textContent);
  if (!isCut && kind.startsWith("application/json")) {
    try {
      code.textContent = JSON.stringify(JSON.parse(text), undefined, 2);
    } catch {
      // It is shown as it came.
    }
  }
  if (!text) code.textContent = "(empty)";
}

function body(title, content) {
  return Object.entries(content ?? {}).map(([type, { schema = {}, example }]) => {
    const value = example ?? sample(schema);
    // Scalars need no example beside their type.
    const shape = value && typeof value === "object" && JSON.stringify(value, undefined, 2);
    return h("div", {}, h("h3", {}, `${title}, ${type}`), fields(resolved(schema)),
      shape && h("pre", { tabindex: 0 }, h("code", {}, shape)));
  });
}

function fields(schema) {
  const properties = Object.entries(schema.properties ?? {}).map(([name, property]) => [name, property, resolved(property)]);
  const described = properties.filter(([, property, value]) => property.description ?? value.description);
  if (!described.length) return undefined;
  return h("table", {}, h("tbody", {}, ...properties.map(([name, property, value]) => h("tr", {},
    h("th", { scope: "row" }, h("code", {}, name), schema.required?.includes(name) && " *"),
    h("td", {}, typeName(property)),
    h("td", {}, ...ticks(property.description ?? value.description ?? ""))))));
}

/** A text without line breaks inside of paragraphs. */
const paragraphs = (text) => text.replaceAll(/(?<!\n)\n(?!\n)/g, " ");

/** Resolves a local `$ref`. */
function resolved(node) {
  for (let steps = 0; node?.$ref?.startsWith("#/") && steps < 10; steps += 1) {
    node = node.$ref.slice(2).split("/").reduce((at, key) => at?.[key.replaceAll("~1", "/").replaceAll("~0", "~")], api);
  }
  return node ?? {};
}

function typeName(schema = {}) {
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  const either = schema.oneOf ?? schema.anyOf;
  if (either) return either.map(typeName).filter((name) => name !== "null").join(" or ");
  const types = [schema.type ?? "any"].flat().filter((name) => name !== "null");
  if (types[0] === "array") return `list of ${typeName(schema.items)}`;
  return schema.enum ? schema.enum.join(" | ") : types.join(" or ");
}

/** An example value of a schema. */
function sample(schema, depth = 0) {
  const { type, properties, items, example, examples, enum: values, oneOf, anyOf, allOf, ...rest } = resolved(schema);
  if (example !== undefined) return example;
  if (examples?.length) return examples[0];
  if (rest.default !== undefined && rest.default !== null && rest.default !== "") return rest.default;
  if (values) return values[0];
  if (depth > DEEPEST) return "…";
  if (allOf) return Object.assign({}, ...allOf.map((part) => sample(part, depth + 1)));
  const either = (oneOf ?? anyOf)?.find((part) => part.type !== "null");
  if (either) return sample(either, depth + 1);
  const name = [type].flat().find((name) => name !== "null");
  if (properties) return Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, sample(value, depth + 1)]));
  if (name === "array") return [sample(items ?? {}, depth + 1)];
  return { string: "…", integer: 0, number: 0.5, boolean: true, object: {} }[name] ?? null;
}

function shell(method, path, requestBody) {
  const lines = [`curl -sS ${method === "get" ? "" : `-X ${method.toUpperCase()} `}${location.origin}${path}`];
  const json = resolved(requestBody ?? {}).content?.["application/json"];
  if (json) {
    const { schema, example } = json;
    const value = example ?? least(resolved(schema ?? {}));
    lines.push("-H 'content-type: application/json'", `-d '${JSON.stringify(value).replaceAll("'", "'\\''")}'`);
  }
  return lines.join(" \\\n  ");
}

/** A minimal example: the required fields, or else strings and arrays. */
function least({ properties = {}, required, ...schema }) {
  const names = Object.keys(properties);
  const needed = required ?? names.filter((name) => ["string", "array"].includes(resolved(properties[name]).type));
  const wanted = needed.length ? needed : names.slice(0, 1);
  return names.length ? Object.fromEntries(wanted.map((name) => [name, sample(properties[name])])) : sample(schema);
}

$("token-cancel").addEventListener("click", () => $("token").close());
start();
