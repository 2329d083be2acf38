// Building the page. Text becomes text nodes and nothing else: whatever a document, a model or the server says, it is
// never markup.

/**
 * An element. Of `props`, `class`, `on` (listeners), `data` and properties of the element are known; everything else is
 * an attribute. Children that are `null`, `undefined` or `false` are left out.
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

/** The children that are there: what is added by methods of the browser would become text, `false` among it. */
const present = (children) => children.flat().filter((child) => child !== undefined && child !== null && child !== false);

/** Puts these children in the place of others, as `h` takes them. */
export function fill(node, ...children) {
  node.replaceChildren(...present(children));
}

export const $ = (id) => document.getElementById(id);

export function button(text, on, props = {}) {
  return h("button", { type: "button", on: { click: on }, ...props }, text);
}

/** Says something to people who do not see the page. */
export function announce(text) {
  const region = $("status");
  // The same words twice would not be read again.
  region.textContent = region.textContent === text ? `${text}\u00a0` : text;
}

/** Asks in a dialog whether to go on; `label` is what the button that agrees says. */
export function sure(question, text, label) {
  const dialog = $("sure");
  if (dialog.open) return Promise.resolve(false);
  $("sure-title").textContent = question;
  $("sure-text").textContent = text;
  $("sure-yes").textContent = label;
  dialog.returnValue = "";
  dialog.showModal();
  $("sure-no").focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** A button that asks before it does what takes something away. */
export function careful(label, { question, text }, act, props = {}) {
  return button(label, async () => {
    if (await sure(question, text, label)) act();
  }, props);
}

/** A failure, as it is shown anywhere: what is wrong, what to do, what to quote to whoever runs the server. */
export function problem(error, retry) {
  return h("div", { class: "problem", role: "alert" },
    h("p", {}, sentence(error.message)),
    error.hint && h("p", { class: "hint" }, ...ticks(sentence(error.hint))),
    error.wait && h("p", { class: "hint" }, `Try again in ${plural(error.wait, "second")}.`),
    h("p", { class: "row" },
      retry && button("Try again", retry),
      error.requestId && h("span", { class: "faint" }, "request ", h("code", {}, error.requestId))));
}

/** `text with ticks` as text and code. */
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

/** Unix seconds as `3 hours ago`, with the exact time as its title. */
export function when(seconds) {
  if (!seconds) return h("span", {}, "–");
  const date = new Date(seconds * 1000);
  const ago = (date.getTime() - Date.now()) / 1000;
  const units = [["day", 86_400], ["hour", 3600], ["minute", 60]];
  const [unit, length] = units.find(([, length]) => Math.abs(ago) >= length) ?? ["second", 1];
  const text = unit === "second" ? "just now" : words.format(Math.round(ago / length), unit);
  return h("time", { datetime: date.toISOString(), title: date.toLocaleString() }, text);
}

/** The folder and the path below it, as hits show them. */
export function shown(root, path) {
  const folder = (root ?? "").replace(/^(\.\/)+/, "").replace(/\/+$/, "");
  if (folder === "" && root?.startsWith("/")) return `/${path}`;
  return folder === "" || folder === "." ? path : `${folder}/${path}`;
}

/** Where a passage stands in its document. */
export function place({ lines, page, place: spot }) {
  if (spot?.kind === "sheet") return `${spot.sheet}, ${spot.cell}`;
  if (spot?.kind) return `${spot.kind} ${spot[spot.kind]}`;
  if (page) return `page ${page}`;
  if (!lines) return "";
  return lines[0] === lines[1] ? `line ${lines[0]}` : `lines ${lines[0]}–${lines[1]}`;
}

function sentence(text) {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…:`]$/.test(capital) ? capital : `${capital}.`;
}
