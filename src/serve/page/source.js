// The panel that shows a source in its document. Beside the answer where there is room, over it where there is none.

import { call, query } from "./api.js";
import { $, announce, button, h, place, problem, shown } from "./dom.js";
import { flowing, overlap, passage } from "./render.js";

/** So many passages before and behind the cited one are shown at first, and more at each asking. */
const AROUND = 6;

let opened;
let opener;
let wanted;

export function start() {
  $("source-close").addEventListener("click", close);
  $("source-previous").addEventListener("click", () => step(-1));
  $("source-next").addEventListener("click", () => step(1));
  $("source").addEventListener("close", left);
  // Escape in a modal dialog is the browser's business; it must end as it does elsewhere.
  $("source").addEventListener("cancel", (event) => {
    event.preventDefault();
    close();
  });
  matchMedia("(min-width: 60rem)").addEventListener("change", close);
}

export const isOpen = () => $("source").open;

/** Closes the panel; whether it was open. */
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
 * Shows one of `list`, each `{ n?, root, path, lines, bytes?, text?, said, index, node? }`; `stems` are the words to mark.
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
  $("source-title").textContent = shown(item.root, item.path);
  $("source-place").textContent = place(item);
  for (const id of ["source-previous", "source-next"]) $(id).hidden = list.length < 2;
  $("source-title").focus({ preventScroll: true });
  fill(item, stems);
}

/** Shows the source after or before this one, round and round. */
export function step(by) {
  if (!opened || opened.list.length < 2) return false;
  const { list, at, stems } = opened;
  show(list, (at + by + list.length) % list.length, stems);
  return true;
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
  // What was cited is here already; the document around it comes when it comes.
  if (item.text) draw(body, [item], 0, item, stems);
  else body.replaceChildren(h("p", { class: "faint" }, "Opening…"));
  body.setAttribute("aria-busy", "true");
  try {
    const { root, path } = item;
    const document = await call(`/documents/content${query({ index: item.index, root, path })}`, { signal });
    const at = find(document.passages, item);
    if (at < 0 && item.text) {
      draw(body, [item], 0, item, stems);
      body.prepend(h("p", { class: "note" }, "The document has changed since; this is the passage that was cited."));
    } else draw(body, document.passages, Math.max(at, 0), at < 0 ? undefined : item, stems);
    announce(`${shown(root, path)}, ${place(item)}`);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (item.text) draw(body, [item], 0, item, stems);
    else body.replaceChildren();
    body.append(problem(error, () => fill(item, stems)));
  } finally {
    if (wanted?.signal === signal) body.removeAttribute("aria-busy");
  }
}

/** Which passage is meant: the one with its bytes, else its text, else one that begins within its lines. */
function find(passages, item) {
  if (!item.lines && !item.bytes) return -1;
  const tests = [
    (p) => item.bytes && p.bytes?.[0] === item.bytes[0] && p.bytes?.[1] === item.bytes[1] && (!item.text || p.text === item.text),
    (p) => item.text && p.text === item.text,
    (p) => !item.text && item.lines && p.lines?.[0] === item.lines[0] && p.lines?.[1] === item.lines[1],
    (p) => !item.text && item.lines && p.lines && p.lines[0] <= item.lines[0] && p.lines[1] >= item.lines[0],
  ];
  for (const test of tests) {
    const at = passages.findIndex(test);
    if (at >= 0) return at;
  }
  return -1;
}

function draw(body, passages, at, cited, stems) {
  let from = Math.max(0, at - AROUND);
  let to = Math.min(passages.length, at + AROUND + 1);
  const more = (text, act) => button(text, act, { class: "quiet more" });
  const redraw = (keep) => {
    const before = keep && body.scrollHeight - body.scrollTop;
    const nodes = [];
    if (from > 0) nodes.push(more("Earlier", () => { from = Math.max(0, from - 20); redraw(true); }));
    let heading = "";
    for (let i = from; i < to; i += 1) {
      const trail = (passages[i].heading ?? []).join(" › ");
      if (trail && trail !== heading) nodes.push(h("h3", {}, trail));
      heading = trail;
      nodes.push(one(passages, i, i === at && cited, stems));
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
  // A little of what stands before stays in sight.
  const target = node.querySelector(".said") ?? node;
  body.scrollTop += Math.min(node.getBoundingClientRect().top - body.getBoundingClientRect().top - 64,
    target.getBoundingClientRect().top - body.getBoundingClientRect().top - body.clientHeight / 4);
}

function one(passages, i, cited, stems) {
  const text = flowing(passages[i].text);
  // Neighbours share some words; a reader wants them once, and all of them in the passage that was cited.
  const repeated = i > 0 && !cited ? overlap(flowing(passages[i - 1].text), text) : 0;
  const nodes = cited ? passage(text, stems, cited.said ?? []) : [text.slice(repeated)];
  return h("div", { class: cited ? "passage cited" : "passage", "aria-current": cited ? "true" : undefined },
    h("span", { class: "where" }, place(passages[i])),
    h("p", {}, ...nodes));
}
