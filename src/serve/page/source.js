// The panel that shows a source in its document: beside the answer on wide screens, over it on narrow ones.

import { call, download, hasToken, query } from "./api.js";
import { $, announce, button, h, named, place, problem, shown } from "./dom.js";
import { highlight, overlap, rendered } from "./render.js";

/** Passages shown before and after the cited one at first. */
const AROUND = 6;

let opened;
let opener;
let wanted;

export function start() {
  $("source-close").addEventListener("click", close);
  $("source-previous").addEventListener("click", () => step(-1));
  $("source-next").addEventListener("click", () => step(1));
  $("source-original").addEventListener("click", original);
  $("source").addEventListener("close", left);
  // The browser closes a modal dialog on Escape by itself; close it like a click does.
  $("source").addEventListener("cancel", (event) => {
    event.preventDefault();
    close();
  });
  matchMedia("(min-width: 60rem)").addEventListener("change", close);
}

export const isOpen = () => $("source").open;

/** Closes the panel; returns whether it was open. */
export function close() {
  if (!isOpen()) return false;
  $("source").close();
  return true;
}

function left() {
  document.body.classList.remove("beside");
  wanted?.abort();
  mark(undefined);
  if (opener?.isConnected) opener.focus();
  opened = opener = undefined;
}

/**
 * Shows one of `list`, each `{ n?, root, path, lines, bytes?, passage?, text?, said, index, node? }`; `stems` are the words
 * to mark.
 */
export function show(list, at, stems, from) {
  const item = list[at];
  opener = item.node ?? from ?? opener;
  opened = { list, at, stems };
  const dialog = $("source");
  if (!dialog.open) {
    if (matchMedia("(min-width: 60rem)").matches) {
      dialog.show();
      document.body.classList.add("beside");
    } else dialog.showModal();
  }
  mark(item.node);
  $("source-n").textContent = item.n ? `Source ${item.n}` : "Document";
  const { file, folder } = named(item.root, item.path);
  $("source-title").textContent = file;
  $("source-title").title = shown(item.root, item.path);
  $("source-place").textContent = [folder, place(item)].filter(Boolean).join(" · ");
  for (const id of ["source-previous", "source-next"]) $(id).hidden = list.length < 2;
  $("source-title").focus({ preventScroll: true });
  fill(item, stems);
}

/** Shows the next or previous source, wrapping around. */
export function step(by) {
  if (!opened || opened.list.length < 2) return false;
  const { list, at, stems } = opened;
  show(list, (at + by + list.length) % list.length, stems);
  return true;
}

/** Opens the file of the document, a PDF at its page, or the web page at its address. */
async function original() {
  if (!opened) return;
  const item = opened.list[opened.at];
  const { root, path, index, page } = item;
  if (/^https?:\/\//.test(root)) {
    window.open(shown(root, path), "_blank", "noopener,noreferrer");
    return;
  }
  const address = `/documents/original${query({ index, root, path })}`;
  try {
    // A new tab does not send the token.
    if (hasToken()) await download(address, named(root, path).file);
    else window.open(page ? `${address}#page=${page}` : address, "_blank", "noopener");
  } catch (error) {
    $("source-body").prepend(problem(error, original));
  }
}

function mark(node) {
  document.querySelectorAll(".cite[aria-expanded=true]").forEach((cite) => cite.setAttribute("aria-expanded", "false"));
  if (node?.classList.contains("cite")) node.setAttribute("aria-expanded", "true");
}

async function fill(item, stems) {
  wanted?.abort();
  wanted = new AbortController();
  const { signal } = wanted;
  const body = $("source-body");
  // The cited text is known already; the text around it is loaded.
  if (item.text) draw(body, [item], 0, 0, item, stems, item);
  else body.replaceChildren(h("p", { class: "faint" }, "Opening…"));
  body.setAttribute("aria-busy", "true");
  try {
    const { root, path } = item;
    // A citation may consist of several passages; the server marks them.
    const { bytes, lines } = item.passage ?? item;
    const part = { bytes: bytes?.join("-"), lines: lines?.join("-") };
    const { passages, format } = await call(`/documents/content${query({ index: item.index, root, path, ...part })}`, { signal });
    const [first, last] = find(passages, item);
    const document = { format, path };
    if (last < first && item.text) {
      draw(body, [item], 0, 0, item, stems, document);
      body.prepend(h("p", { class: "note" }, "The document has changed since. This is the passage as it was cited."));
    } else draw(body, passages, first, last, last < first ? undefined : item, stems, document);
    announce(`${shown(root, path)}, ${place(item)}`);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (item.text) draw(body, [item], 0, 0, item, stems, item);
    else body.replaceChildren();
    body.append(problem(error, () => fill(item, stems)));
  } finally {
    if (wanted?.signal === signal) body.removeAttribute("aria-busy");
  }
}

/** A text without white space: joined passages differ in the white space between them. */
const bare = (text) => text.replaceAll(/\s+/g, "");

/**
 * The first and the last passage of `item`: those that the server marked, if their text is unchanged, or those that have
 * the text now. Without any, the last comes before the first.
 */
function find(passages, item) {
  const text = item.text && bare(item.text);
  const says = (p) => !text || text.includes(bare(p.text));
  const first = passages.findIndex((p) => p.cited);
  const last = passages.findLastIndex((p) => p.cited);
  if (first >= 0 && passages.slice(first, last + 1).every(says)) return [first, last];
  const begins = text ? passages.findIndex((p) => p.text && text.startsWith(bare(p.text))) : -1;
  if (begins < 0) return [0, -1];
  const ends = passages.findIndex((p, i) => i > begins && !says(p));
  return [begins, ends < 0 ? passages.length - 1 : ends - 1];
}

/** Draws the passages around `first` to `last`. When these are `cited`, they are drawn as one. */
function draw(body, passages, first, last, cited, stems, document) {
  let from = Math.max(0, first - AROUND);
  let to = Math.min(passages.length, Math.max(first, last) + AROUND + 1);
  const more = (text, act) => button(text, act, { class: "quiet more" });
  const redraw = (keep) => {
    const before = keep && body.scrollHeight - body.scrollTop;
    const nodes = [];
    if (from > 0) nodes.push(more("Earlier", () => { from = Math.max(0, from - 20); redraw(true); }));
    let heading = "";
    for (let i = from; i < to; i += 1) {
      const trail = (passages[i].heading ?? []).join(" › ");
      if (trail && trail !== heading) nodes.push(h("h3", { dir: "auto" }, trail));
      heading = trail;
      if (cited && i === first) {
        nodes.push(whole(passages.slice(first, last + 1), cited, stems, document));
        i = last;
      } else nodes.push(one(passages, i, document));
    }
    if (to < passages.length) nodes.push(more("Later", () => { to = Math.min(passages.length, to + 20); redraw(false); }));
    const top = body.scrollTop;
    body.replaceChildren(...nodes);
    if (keep) body.scrollTop = body.scrollHeight - before;
    else body.scrollTop = top;
  };
  body.scrollTop = 0;
  redraw(false);
  const node = body.querySelector(".cited");
  if (!node) return;
  // Keep some of the text before it in view.
  const target = node.querySelector(".said") ?? node;
  body.scrollTop += Math.min(node.getBoundingClientRect().top - body.getBoundingClientRect().top - 64,
    target.getBoundingClientRect().top - body.getBoundingClientRect().top - body.clientHeight / 4);
}

/** The cited passages as one, with words of the question and sentences of the answer marked. */
function whole(parts, cited, stems, document) {
  const joined = () => parts.map((part) => part.text).reduce((before, text) => {
    const repeated = overlap(before, text);
    return repeated ? before + text.slice(repeated) : `${before}\n\n${text}`;
  });
  // What is quoted may begin on a later page than the passage.
  const { page, location, last_location } = cited.location ? cited : parts[0];
  const at = { page, location, last_location, lines: cited.lines ?? parts[0].lines };
  const text = h("div", { class: "text", dir: "auto" }, ...rendered(cited.text ?? joined(), document.format, document.path));
  // Quotations have the markup of the document, which is not shown.
  const plain = (said) => rendered(said, document.format, document.path).map((node) => node.textContent).join("\n");
  highlight(text, stems, (cited.said ?? []).map(plain));
  return h("div", { class: "passage cited", "aria-current": "true" }, h("span", { class: "where" }, place(at)), text);
}

function one(passages, i, document) {
  const { text } = passages[i];
  // Adjacent passages overlap; show the shared words once.
  const repeated = i > 0 ? overlap(passages[i - 1].text, text) : 0;
  return h("div", { class: "passage" },
    h("span", { class: "where" }, place(passages[i])),
    h("div", { class: "text", dir: "auto" }, ...rendered(text.slice(repeated), document.format, document.path)));
}
