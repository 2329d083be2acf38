// Helpers that build the page. Text always becomes text nodes: what a document, a model or the server says is never
// markup.

/**
 * Creates an element. `props` may have `class`, `on` (listeners), `data`, and properties of the element; everything else
 * is an attribute. Children that are `null`, `undefined` or `false` are skipped.
 */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") node.className = value;
    else if (name === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (["disabled", "hidden", "checked", "value", "max", "open"].includes(name)) node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...present(children));
  return node;
}

/** Children without `null`, `undefined` and `false`, which `append` would turn into text. */
const present = (children) => children.flat().filter((child) => child !== undefined && child !== null && child !== false);

/** Replaces the children of a node; `children` are as in `h`. */
export function fill(node, ...children) {
  node.replaceChildren(...present(children));
}

export const $ = (id) => document.getElementById(id);

export function button(text, on, props = {}) {
  return h("button", { type: "button", on: { click: on }, ...props }, text);
}

const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  up: "M7 10v11H3V10zm0 0 4-8c1.5 0 2.5 1 2.5 2.5V8H20l-2 13H7",
  down: "M17 14V3h4v11zm0 0-4 8c-1.5 0-2.5-1-2.5-2.5V16H4L6 3h11",
};

/** A picture that says nothing to screen readers; the button has a label. */
export function icon(name) {
  const node = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  node.setAttribute("viewBox", "0 0 24 24");
  node.setAttribute("class", "glyph");
  node.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]);
  node.append(path);
  return node;
}

/** Announces a text to screen readers. */
export function announce(text) {
  const region = $("status");
  // An unchanged text would not be read again.
  region.textContent = region.textContent === text ? `${text}\u00a0` : text;
}

/** Answers the question of the dialog. */
let decide;

/** Asks for confirmation in a dialog; `label` is the text of the button that confirms. */
export function sure(question, text, label) {
  const dialog = $("sure");
  if (dialog.open) return Promise.resolve(false);
  // The event of a dialog that was closed just now may come when the next one is open.
  decide?.(false);
  dialog.onclose = () => !dialog.open && decide?.(dialog.returnValue === "yes");
  $("sure-title").textContent = question;
  $("sure-text").textContent = text;
  $("sure-yes").textContent = label;
  dialog.returnValue = "";
  dialog.showModal();
  $("sure-no").focus();
  return new Promise((resolve) => {
    decide = resolve;
  });
}

/** A button for a destructive action, which asks for confirmation first. */
export function careful(label, { question, text }, act, props = {}) {
  return button(label, async () => {
    if (await sure(question, text, label)) act();
  }, props);
}

/** An error message: what is wrong, what to try, and the request id for the administrator. */
export function problem(error, retry) {
  return h("div", { class: "problem", role: "alert" },
    // A message of several lines points at a character of the line above.
    error.message?.includes("\n")
      ? h("pre", { tabindex: 0 }, h("code", {}, error.message))
      : h("p", {}, ...ticks(sentence(error.message ?? ""))),
    error.hint && h("p", { class: "hint" }, ...ticks(sentence(error.hint))),
    error.wait && h("p", { class: "hint" }, `Try again in ${plural(error.wait, "second")}.`),
    h("p", { class: "row" },
      retry && button("Try again", retry),
      error.requestId && h("span", { class: "faint" }, "request ", h("code", {}, error.requestId))));
}

/** Text with `code` in backticks, as nodes. */
export function ticks(text) {
  return text.split(/`([^`\n]+)`/).map((part, i) => (i % 2 ? h("code", {}, part) : part));
}

const numbers = new Intl.NumberFormat("en");

export const count = (n) => (n === undefined || n === null ? "–" : numbers.format(n));

export const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;

export function bytes(n) {
  if (n === undefined || n === null) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; n >= 1024 && unit < units.length - 1; unit += 1) n /= 1024;
  return `${n.toFixed(unit && n < 10 ? 1 : 0)} ${units[unit]}`;
}

export function ms(n) {
  if (n === undefined || n === null) return "–";
  if (n >= 10_000) return `${(n / 1000).toFixed(0)} s`;
  if (n >= 1000) return `${(n / 1000).toFixed(1)} s`;
  return `${n.toFixed(n < 10 ? 1 : 0)} ms`;
}

const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** Unix seconds as `3 hours ago`, with the exact time in the title. */
export function when(seconds) {
  if (!seconds) return h("span", {}, "–");
  const date = new Date(seconds * 1000);
  const ago = (date.getTime() - Date.now()) / 1000;
  const units = [["day", 86_400], ["hour", 3600], ["minute", 60]];
  const [unit, length] = units.find(([, length]) => Math.abs(ago) >= length) ?? ["second", 1];
  const text = unit === "second" ? "just now" : words.format(Math.round(ago / length), unit);
  return h("time", { datetime: date.toISOString(), title: date.toLocaleString() }, text);
}

/** The path of a document with its root. */
export function shown(root, path) {
  const folder = (root ?? "").replace(/^(\.\/)+/, "").replace(/\/+$/, "");
  if (folder === "" && root?.startsWith("/")) return `/${path}`;
  return folder === "" || folder === "." ? path : `${folder}/${path}`;
}

/** The name of a document: its file name, and its folder after it. */
export function named(root, path) {
  const whole = shown(root, path);
  const end = whole.replace(/\/+$/, "").lastIndexOf("/");
  return { file: whole.slice(end + 1), folder: end > 0 ? whole.slice(0, end) : "" };
}

/** Copies a text; the button says so for a moment. */
export async function copy(node, text) {
  const label = node.textContent;
  try {
    await navigator.clipboard.writeText(text);
    node.textContent = "Copied";
    announce("Copied");
  } catch {
    node.textContent = "Blocked";
    announce("The browser blocked copying");
  }
  setTimeout(() => { node.textContent = label; }, 2000);
}

/** The location of a passage in its document: the first, and the last if that is another. */
export function place({ lines, page, location: spot, last_location: last }) {
  if (spot?.kind === "sheet") return `${spot.sheet}, ${spot.cell}`;
  if (spot?.kind && last?.kind === spot.kind) return `${spot.kind}s ${spot[spot.kind]}–${last[spot.kind]}`;
  if (spot?.kind) return `${spot.kind} ${spot[spot.kind]}`;
  if (page) return `page ${page}`;
  if (!lines) return "";
  return lines[0] === lines[1] ? `line ${lines[0]}` : `lines ${lines[0]}–${lines[1]}`;
}

function sentence(text) {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…:`]$/.test(capital) ? capital : `${capital}.`;
}
