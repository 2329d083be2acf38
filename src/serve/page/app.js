// The page: switching views and indexes, keyboard shortcuts.

import { call } from "./api.js";
import * as ask from "./ask.js";
import * as corpus from "./corpus.js";
import { $, h, problem } from "./dom.js";
import * as source from "./source.js";
import * as upload from "./upload.js";

const INDEX = "rag.index";

/** Shared by the views: the reply of `/config`, the indexes, and the name of the selected index. */
export const state = { config: {}, indexes: [], index: undefined };

async function start() {
  try {
    state.config = await call("/config");
    await refresh();
    $("trouble").replaceChildren();
  } catch (error) {
    $("trouble").replaceChildren(problem(error, start));
    return;
  }
  ask.start(state);
  show();
}

/** The question of a link, `#ask?q=…&index=…&filter=…`. */
function linked() {
  const [view, query] = location.hash.split(/\?(.*)/s);
  if (view !== "#ask" || !query) return;
  const values = new URLSearchParams(query);
  const question = values.get("q")?.trim();
  // A reload must not ask again.
  history.replaceState(null, "", "#ask");
  if (!question) return;
  if (state.indexes.some(({ name }) => name === values.get("index"))) select(values.get("index"));
  ask.askLinked({ question, filter: values.get("filter") });
}

function select(name) {
  state.index = name;
  $("index").value = name;
  localStorage.setItem(INDEX, name);
  source.close();
  ask.indexChanged(state);
}

/** Reloads the list of indexes and updates the views. */
export async function refresh() {
  const { indexes } = listed(await call("/indexes"));
  state.indexes = indexes;
  const names = indexes.map((index) => index.name);
  const wanted = [localStorage.getItem(INDEX), state.config.index, "default", names[0]];
  state.index = wanted.find((name) => names.includes(name)) ?? state.config.index ?? "default";
  $("index").replaceChildren(...names.map((name) => h("option", { value: name }, name)));
  $("index").value = state.index;
  $("index-picker").hidden = names.length < 2;
  ask.indexChanged(state);
}

/** The list may be bare or wrapped in an object. */
const listed = (reply) => (Array.isArray(reply) ? { indexes: reply } : reply);

function show() {
  const view = location.hash === "#corpus" ? "corpus" : "ask";
  for (const name of ["ask", "corpus"]) {
    $(`view-${name}`).hidden = name !== view;
    if (name === view) $(`nav-${name}`).setAttribute("aria-current", "page");
    else $(`nav-${name}`).removeAttribute("aria-current");
  }
  document.title = view === "corpus" ? "Corpus – rag" : "rag";
  document.body.dataset.view = view;
  source.close();
  if (view === "corpus") corpus.show(state, refresh);
  else linked();
}

const isTyping = (node) => node?.closest("input, textarea, select, [contenteditable]");

function keys(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  // Dialogs of their own handle their keys.
  if (["token", "sure", "talks", "rename"].some((id) => $(id).open)) return;
  if (event.key === "/" && !isTyping(event.target)) {
    event.preventDefault();
    if (location.hash === "#corpus") location.hash = "#ask";
    $("view-ask").hidden = false;
    if ($("source").matches(":modal")) source.close();
    $("question").focus();
  } else if (event.key === "Escape") {
    if (source.close() || ask.stop()) event.preventDefault();
  } else if ((event.key === "ArrowLeft" || event.key === "ArrowRight") && !isTyping(event.target)) {
    const step = event.key === "ArrowLeft" ? -1 : 1;
    if (source.isOpen() ? source.step(step) : ask.stepThroughCitations(step)) event.preventDefault();
  }
}

source.start();
corpus.start(state);
upload.start(state, refresh);
addEventListener("hashchange", show);
addEventListener("keydown", keys);
// Before the page knows the index, a question must not be sent as a form.
$("composer").addEventListener("submit", (event) => event.preventDefault());
$("skip").addEventListener("click", (event) => {
  event.preventDefault();
  $("main").focus();
});
$("token-cancel").addEventListener("click", () => $("token").close());
$("index").addEventListener("change", () => {
  select($("index").value);
  if (location.hash === "#corpus") corpus.show(state, refresh);
});
start();
