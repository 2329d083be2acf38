// The view of questions and answers.

import { Problem, call, query, stream } from "./api.js";
import { $, announce, button, copy, count, fill, h, ms, named, place, plural, problem, shown, ticks } from "./dom.js";
import { thumbs } from "./feedback.js";
import { answer, flowing, saidWith, stemsOf } from "./render.js";
import * as source from "./source.js";
import * as talks from "./talks.js";

const SESSION = "rag.session";
const CACHE = "rag.cache";
const INTENTS = ["definition", "how-to", "troubleshooting", "comparison", "factoid", "list", "summary"];

let shared;
let session = sessionStorage.getItem(SESSION) ?? undefined;
let running;
let begun = false;
/** Stored questions of the conversation. */
let nTurns = 0;
/** The turns that are shown, by their nodes. */
const shownTurns = new WeakMap();

/** Called with the reply of `/config`. */
export function start(state) {
  shared = state;
  if (begun) return;
  begun = true;
  $("intent").append(...INTENTS.map((name) => h("option", { value: name }, name)));
  $("generator-field").hidden = !(state.config.features?.llm ?? state.config.llm ?? state.config.generator === "llm");
  const kept = sessionStorage.getItem(CACHE);
  $("use-cache").checked = kept ? kept === "yes" : state.config.use_cache !== false;
  $("use-cache").addEventListener("change", () => {
    sessionStorage.setItem(CACHE, $("use-cache").checked ? "yes" : "no");
  });
  $("composer").addEventListener("submit", submitted);
  $("question").addEventListener("keydown", (event) => {
    // Enter also confirms an input method's composition, which must not submit.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    $("composer").requestSubmit();
  });
  $("fresh").addEventListener("click", fresh);
  $("more").addEventListener("click", () => {
    $("options").hidden = !$("options").hidden;
    $("more").setAttribute("aria-expanded", String(!$("options").hidden));
  });
  talks.start({ open, removed: (id) => id === session && fresh(), current: () => session });
  restore();
  // On a phone, focus would open the keyboard over the page.
  if (matchMedia("(hover: hover)").matches && location.hash !== "#corpus") $("question").focus();
}

export function indexChanged(state) {
  shared = state;
  welcome();
}

/** Shown instead of an answer or the welcome text when the index has no passages. */
function empty(name) {
  return h("div", { class: "unsupported" },
    h("p", {}, h("strong", {}, `The index ${name} is empty.`)),
    h("p", {}, "Ingest a folder under ", h("a", { href: "#corpus" }, "Corpus"), " to add documents."));
}

function welcome() {
  const node = $("welcome");
  node.hidden = $("turns").children.length > 0;
  const index = shared.indexes.find(({ name }) => name === shared.index);
  if (!index) {
    node.replaceChildren(
      h("h2", {}, "No documents yet"),
      h("p", {}, "Index a folder to search its documents and get answers with sources:"),
      h("pre", { tabindex: 0 }, h("code", {}, "rag ingest --dir FOLDER")),
      h("p", {}, "Or start an ingest under ", h("a", { href: "#corpus" }, "Corpus"), "."));
    return;
  }
  if (!index.damaged && index.chunks === 0) {
    node.replaceChildren(empty(index.name));
    return;
  }
  suggest(index);
  const size = index.damaged ? "damaged; see Corpus" : `${plural(index.documents, "document")}, ${plural(index.chunks, "passage")}`;
  fill(node,
    h("h2", {}, "Ask your documents"),
    h("p", {}, "Answers cite the passages that support them. When nothing in the index does, rag says so."),
    h("p", { class: "faint" }, h("strong", {}, index.name), " · ", size),
    suggested.name === index.name && suggested.node);
}

/** Suggested questions of an index: they are loaded once. */
const suggested = { name: undefined, node: undefined };

async function suggest({ name, damaged, corpus_id: corpus }) {
  if (damaged || suggested.corpus === corpus) return;
  Object.assign(suggested, { name, corpus, node: undefined });
  try {
    const { suggestions } = await call(`/indexes/${encodeURIComponent(name)}/suggestions?n=4`);
    if (suggested.corpus !== corpus || !suggestions.length) return;
    suggested.node = h("div", { class: "suggestions", role: "group", "aria-label": "Suggested questions" },
      ...suggestions.map(({ question, root, path }) => button(question, () => !running && ask(question, {}),
        { class: "suggestion", dir: "auto", title: `From ${shown(root, path)}` })));
    welcome();
  } catch {
    // Suggestions are an extra; the page works without them.
  }
}

function submitted(event) {
  event.preventDefault();
  if (running) return void stop();
  const question = $("question").value.trim();
  if (!question) return void $("question").focus();
  $("question").value = "";
  ask(question, {});
}

function body(question, options) {
  const passages = Number($("passages").value);
  return Object.fromEntries(Object.entries({
    query: question,
    index: shared.index,
    intent: $("intent").value || undefined,
    generator: $("generator").value || undefined,
    filter: $("filter").value.trim() || undefined,
    k: passages >= 1 ? passages : undefined,
    use_cache: $("use-cache").checked,
    stream: true,
    ...options,
  }).filter(([, value]) => value !== undefined));
}

/** Asks the question of a link; what was open before is a conversation of its own. */
export function askLinked({ question, filter }) {
  if (running) stop();
  fresh();
  $("filter").value = filter ?? "";
  ask(question, {});
}

/** Asks a question. `replaced` is the last turn of the conversation, when it is asked again. */
async function ask(question, options, replaced) {
  const turn = new Turn(question);
  if (replaced) replaced.node.replaceWith(turn.node);
  else $("turns").append(turn.node);
  welcome();
  turn.node.scrollIntoView({ block: "start", behavior: motion() });
  const controller = new AbortController();
  running = controller;
  const { signal } = controller;
  busy(true);
  announce("Searching");
  const request = body(question, options);
  try {
    request.session = await sessionId(signal);
    if (replaced) await withdraw(replaced);
    for await (const { name, data } of conversing(request, signal)) turn.take(name, data);
    if (turn.reply) turn.n = nTurns += 1;
    showAgain();
    if (!turn.reply) throw new Problem({ message: "the answer is incomplete", hint: "ask again" });
    announce(turn.reply.supported
      ? `Answered, with ${plural(turn.reply.citations.length, "source")}`
      : turn.reply.index_empty ? "The index is empty" : "Nothing in the index supports an answer");
  } catch (error) {
    if (error.name === "AbortError") turn.stopped();
    else turn.failed(error, () => {
      turn.node.remove();
      ask(question, options);
    });
  } finally {
    // Another question may run by now.
    if (running === controller) {
      running = undefined;
      busy(false);
    }
  }
}

/** Removes the last question from the conversation, so that asking it again is no follow-up of itself. */
async function withdraw({ n }) {
  if (!n || !session) return;
  try {
    await call(`/sessions/${encodeURIComponent(session)}/turns/${n}`, { method: "DELETE" });
    nTurns = n - 1;
  } catch (error) {
    // It was not stored, or is not the last one; it is asked as a new question then.
    if (error.status !== 404 && error.status !== 409) throw error;
  }
}

/** The events of a question. If the server no longer has the session, a new one is created. */
async function* conversing(request, signal) {
  try {
    yield* stream("/ask", { body: request, signal });
  } catch (error) {
    if (error.status !== 404 || !request.session || !(await isForgotten(request.session))) throw error;
    forget();
    yield* stream("/ask", { body: { ...request, session: await sessionId(signal) }, signal });
  }
}

async function isForgotten(id) {
  try {
    await call(`/sessions/${encodeURIComponent(id)}`);
    return false;
  } catch (error) {
    return error.status === 404;
  }
}

async function sessionId(signal) {
  if (!session) {
    session = (await call("/sessions", { method: "POST", body: {}, signal })).id;
    nTurns = 0;
    sessionStorage.setItem(SESSION, session);
    talks.remember(session);
  }
  return session;
}

function forget() {
  session = undefined;
  nTurns = 0;
  sessionStorage.removeItem(SESSION);
}

function busy(is) {
  $("send").textContent = is ? "Stop" : "Ask";
  $("send").classList.toggle("stop", is);
  const some = $("turns").children.length > 0;
  $("fresh").hidden = !some;
  $("fresh").disabled = is;
}

/** Stops the answer in progress; returns whether there was one. */
export function stop() {
  if (!running) return false;
  running.abort();
  return true;
}

function fresh() {
  source.close();
  forget();
  $("turns").replaceChildren();
  busy(false);
  welcome();
  announce("New conversation");
  $("question").focus();
}

/** Shows a stored conversation. */
function open(id) {
  if (running) stop();
  source.close();
  session = id;
  sessionStorage.setItem(SESSION, id);
  $("turns").replaceChildren();
  location.hash = "#ask";
  restore();
}

/** Restores the conversation, after a reload too. The last turn is shown with all that it had. */
async function restore() {
  if (!session) return;
  const wanted = session;
  try {
    const { turns } = await call(`/sessions/${encodeURIComponent(wanted)}`);
    if (wanted !== session) return;
    nTurns = turns?.length ?? 0;
    for (const [i, kept] of (turns ?? []).entries()) {
      const turn = new Turn(kept.question);
      turn.n = i + 1;
      turn.finish({ ...kept, citations: kept.citations ?? [] });
      $("turns").append(turn.node);
    }
    showAgain();
    const last = shownTurns.get($("turns").lastElementChild);
    await last?.complete();
    last?.node.scrollIntoView({ block: "start", behavior: "instant" });
  } catch (error) {
    if (error.status === 404) forget();
    else $("trouble").replaceChildren(problem(error, restore));
  }
  busy(Boolean(running));
  welcome();
}

/** Only the last question can be asked again in its place. */
function showAgain() {
  for (const node of $("turns").children) {
    const again = node.querySelector("[data-again]");
    if (again) again.hidden = node !== $("turns").lastElementChild;
  }
}

/** Moves the focus to the next citation; from elsewhere, to a citation of the last answer. */
export function stepThroughCitations(by) {
  const cites = [...$("turns").querySelectorAll(".cite")];
  if (!cites.length) return false;
  const at = cites.indexOf(document.activeElement);
  let next = cites[at + by];
  if (at < 0) {
    const last = $("turns").lastElementChild?.querySelectorAll(".cite") ?? [];
    next = by > 0 ? last[0] : last[last.length - 1];
  }
  next?.focus();
  return Boolean(next);
}

const motion = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth");

/** A question and its answer. */
class Turn {
  #text = "";
  #frame = 0;
  #hits = [];
  #index = shared.index;

  constructor(question) {
    this.question = question;
    this.stems = stemsOf(question);
    this.heading = h("h2", { class: "question", dir: "auto" }, question);
    this.answer = h("div", { class: "answer", dir: "auto", "aria-live": "polite", "aria-busy": "true" },
      h("p", { class: "waiting" }, h("span", { class: "dots", "aria-hidden": "true" }), "Searching"));
    this.sources = h("div", { class: "sources" });
    this.ledger = h("div", { class: "ledger" });
    this.node = h("li", {}, h("article", {}, this.heading, this.answer, this.sources, this.ledger));
    shownTurns.set(this.node, this);
  }

  take(name, data) {
    if (name === "metadata") this.#index = data.index ?? this.#index;
    else if (name === "retrieval") this.#retrieved(data);
    else if (name === "token") this.#write(data.text ?? "");
    else if (name === "citations") this.#cited(data.citations ?? []);
    else if (name === "done") this.finish(data);
  }

  #retrieved({ hits = [] }) {
    this.#hits = hits;
    if (this.#text || !hits.length) return;
    const n = new Set(hits.map((hit) => shown(hit.root, hit.path))).size;
    this.answer.replaceChildren(h("p", { class: "waiting" }, h("span", { class: "dots", "aria-hidden": "true" }),
      `Reading ${plural(hits.length, "passage")} of ${plural(n, "document")}`));
  }

  /** Draws at most once per frame. */
  #write(text) {
    this.#text += text;
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      if (this.reply) return;
      this.answer.replaceChildren(...answer(this.#text, (n) => h("span", { class: "cite coming" }, String(n))));
    });
  }

  #cited(citations) {
    if (!this.reply) this.sources.replaceChildren(h("p", { class: "faint" }, plural(citations.length, "source")));
  }

  finish(reply) {
    this.reply = reply;
    cancelAnimationFrame(this.#frame);
    this.#index = reply.index ?? this.#index;
    if (reply.resolved && reply.resolved !== this.question) {
      this.stems = stemsOf(`${this.question} ${reply.resolved}`);
      this.heading.after(h("p", { class: "resolved" }, "Searched for ", h("q", {}, reply.resolved)));
    }
    const citations = reply.citations ?? [];
    const said = (hit) => hit.quotes?.length ? hit.quotes : saidWith(reply.answer ?? "", hit.n);
    this.list = citations.map((hit) => ({ ...hit, index: this.#index, said: said(hit) }));
    // An incomplete answer is shown, with a note below.
    if (reply.supported || reply.answer) this.answer.replaceChildren(...answer(reply.answer, (n) => this.#cite(n)));
    else if (reply.index_empty) this.answer.replaceChildren(empty(reply.index));
    else this.#unsupported(reply.checks?.unsupported?.length);
    this.answer.setAttribute("aria-busy", "false");
    this.#notes(reply);
    this.#listSources(reply.supported);
    this.#account(reply);
  }

  /** Loads what a stored conversation does not keep of its sources: titles, headings and texts. */
  async complete() {
    await Promise.all(this.list.map(async (item) => {
      const { root, path, index, passage, lines } = item;
      const part = passage ? { bytes: passage.bytes.join("-") } : { lines: lines?.join("-") };
      try {
        const found = await call(`/documents/content${query({ index, root, path, ...part, around: 0 })}`);
        const [first] = found.passages;
        if (!first) return;
        item.title = found.title;
        item.heading = first.heading;
        if (!this.reply.supported) item.snippet = first.text;
      } catch {
        // The document has left the index; its place is shown.
      }
    }));
    this.#listSources(this.reply.supported);
  }

  #cite(n) {
    const at = this.list.findIndex((item) => item.n === n);
    if (at < 0) return `[${n}]`;
    const item = this.list[at];
    const label = `Source ${n}: ${shown(item.root, item.path)}, ${place(item)}`;
    const node = button(String(n), () => this.#open(at, node),
      { class: "cite", "aria-label": label, title: label.slice(label.indexOf(":") + 2), "aria-expanded": "false" });
    item.node ??= node;
    return node;
  }

  #open(at, from) {
    this.list[at].node = from;
    source.show(this.list, at, this.stems);
  }

  #unsupported(written) {
    const hits = this.list.length ? this.list : this.#hits.slice(0, 3).map((hit) => ({ ...hit, index: this.#index }));
    this.list = hits.map((hit) => ({ ...hit, said: [] }));
    this.answer.replaceChildren(h("div", { class: "unsupported" },
      h("p", {}, h("strong", {}, written
        ? "Nothing in the index supports the text of the language model, so it is not shown."
        : "Nothing in the index supports an answer.")),
      h("p", {}, this.list.length
        ? "These are the nearest passages. Try other words, or ingest the document that has the answer."
        : "No passage matches. Try other words, or a wider filter.")));
  }

  #notes({ llm, fallback, checks, injections, risk, vectors_pending: pending }) {
    const notes = [];
    if (pending) {
      notes.push(`Searched by words only: ${count(pending.done)} of ${count(pending.total)} vectors are computed.`);
    }
    if (fallback) notes.push(`The language model failed, so the answer quotes documents: ${fallback.message}.`);
    if (llm?.error) notes.push(`The language model stopped early: ${llm.error}.`);
    if (llm?.finish === "repeating") notes.push("The language model repeated itself and was cut off.");
    for (const sentence of new Set(checks?.unsupported ?? [])) notes.push(`Not supported by its sources: “${sentence}”`);
    if (injections?.length) {
      const where = injections.map(({ n, path, risk }) => `${n ? `[${n}]` : path} (${risk.level} risk)`).join(", ");
      notes.push(`Possible prompt injection in ${where}.`);
    }
    if (risk && risk.level !== "none") notes.push(`The question resembles a prompt injection (${risk.reasons.join(", ")}): ${risk.level} risk.`);
    if (notes.length) this.answer.append(h("ul", { class: "notes" }, ...notes.map((note) => h("li", {}, ...ticks(note)))));
  }

  #listSources(supported) {
    if (!this.list.length) return void this.sources.replaceChildren();
    const row = (item, at) => {
      const trail = [item.title === item.path ? undefined : item.title, ...(item.heading ?? [])].filter(Boolean).join(" › ");
      const { file, folder } = named(item.root, item.path);
      const snippet = supported ? "" : item.text ?? item.snippet;
      const node = button([
        h("span", { class: "n", "aria-hidden": "true" }, String(item.n ?? at + 1)),
        h("span", { class: "path" }, h("bdi", {}, file)),
        folder && h("span", { class: "folder" }, h("bdi", {}, folder)),
        h("span", { class: "faint" }, place(item)),
        trail && h("span", { class: "trail", dir: "auto" }, trail),
        snippet && h("span", { class: "snippet", dir: "auto" }, flowing(snippet)),
      ], () => this.#open(at, node), { class: "source" });
      item.node ??= node;
      return h("li", {}, node);
    };
    this.sources.replaceChildren(
      h("h3", { class: "eyebrow" }, supported ? "Sources" : "Nearest passages"),
      h("ol", {}, ...this.list.map(row)));
  }

  /** The line below an answer: buttons, who wrote it, and details. */
  #account({ timings, cache, generator, model, intent, index, supported, diagram }) {
    const details = [];
    if (intent) details.push(h("span", {}, `Kind of answer: ${intent}`));
    if (cache) {
      details.push(h("span", {}, "Cache"), badge("answer", cache.answer_hit), badge("retrieval", cache.retrieval_hit));
      const { embed_hits: hits = 0, embed_misses: misses = 0 } = cache;
      if (hits + misses > 0) details.push(badge("embeddings", misses === 0, misses === 0 ? "hit" : `${count(hits)} of ${count(hits + misses)} hit`));
    }
    if (timings) {
      const stages = [["embedding", timings.embedding_ms], ["search", timings.search_ms], ["generation", timings.generation_ms]];
      details.push(h("span", { class: "times" },
        h("strong", {}, ms(timings.total_ms)),
        ...stages.filter(([, n]) => n > 0).map(([name, n]) => ` · ${name} ${ms(n)}`)));
    }
    const copied = button("Copy", () => copy(copied, this.#withSources()), { class: "quiet" });
    const link = button("Copy link", () => copy(link, this.#link()), { class: "quiet", title: "Copy a link that asks this question" });
    const again = button("Ask again", () => !running && ask(this.question, { use_cache: true, refresh: true }, this),
      { class: "quiet", data: { again: "" }, title: "Make a new answer in the place of this one" });
    const facts = () => ({
      question: this.question, index: this.#index, supported: Boolean(supported),
      sources: this.reply.supported ? this.list.map(({ root, path }) => ({ root, path })) : [],
    });
    const rate = thumbs(facts);
    const by = !supported ? "Searched" : generator === "llm" ? `Written by ${model ?? "a language model"}` : "Quoted from documents";
    fill(this.ledger,
      h("span", { class: "acts" }, copied, link, again, shared.config.features?.feedback && rate.buttons),
      h("span", { class: "faint by" }, by, index && [" in ", h("strong", {}, index)]),
      details.length && h("details", {}, h("summary", {}, "Details"), h("div", { class: "row" }, ...details)),
      diagram && this.#diagram(diagram),
      rate.place);
  }

  /** The steps as boxes with arrows between them, and the text that Mermaid draws. */
  #diagram({ steps, mermaid }) {
    const copied = button("Copy as Mermaid", () => copy(copied, mermaid), { class: "quiet" });
    const box = (text) => h("li", { dir: "auto" }, ...ticks(text.replace(/\s*\[\d+\]/g, "")));
    return h("details", { class: "diagram" }, h("summary", {}, "Steps"),
      h("ol", { class: "flow", "aria-label": "Steps of the answer" }, ...steps.map(box)), copied);
  }

  #withSources() {
    const sources = this.list.map((item) => `[${item.n ?? "–"}] ${shown(item.root, item.path)}, ${place(item)}`);
    return [this.reply.answer, "", ...sources].join("\n").trim();
  }

  /** An address that asks the question. The part after `#` is not sent to a server. */
  #link() {
    const filter = $("filter").value.trim();
    return `${location.origin}/#ask${query({ q: this.question, index: this.#index, filter })}`;
  }

  stopped() {
    this.answer.setAttribute("aria-busy", "false");
    if (!this.#text) this.answer.replaceChildren();
    this.answer.append(h("p", { class: "faint" }, "Stopped."));
    announce("Stopped");
  }

  failed(error, retry) {
    this.answer.setAttribute("aria-busy", "false");
    if (!this.#text) this.answer.replaceChildren();
    this.answer.append(problem(error, retry));
  }
}

function badge(name, hit, detail) {
  const text = `${name} ${detail ?? (hit ? "hit" : "miss")}`;
  return h("span", { class: hit ? "badge hit" : "badge", data: { badge: name, state: hit ? "hit" : "miss" } }, text);
}

