// Questions, and answers as they are written.

import { Problem, call, download, stream } from "./api.js";
import { $, announce, button, count, h, ms, place, plural, problem, shown, ticks } from "./dom.js";
import { answer, flowing, saidWith, stemsOf } from "./render.js";
import * as source from "./source.js";

const SESSION = "rag.session";
const CACHE = "rag.cache";
const INTENTS = ["definition", "how-to", "troubleshooting", "comparison", "factoid", "list", "summary"];

let shared;
let session = sessionStorage.getItem(SESSION) ?? undefined;
let running;
let begun = false;

/** Called once the server has said what it is. */
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
    // Enter also ends the composition of a character; that one is not meant for us.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    $("composer").requestSubmit();
  });
  $("fresh").addEventListener("click", fresh);
  $("save").addEventListener("click", save);
  restore();
  // On a phone the keyboard would cover the page.
  if (matchMedia("(hover: hover)").matches && location.hash !== "#corpus") $("question").focus();
}

export function indexChanged(state) {
  shared = state;
  welcome();
}

/** Said instead of an answer, or of an invitation to ask, where there is nothing to search. */
function empty(name) {
  return h("div", { class: "unsupported" },
    h("p", {}, h("strong", {}, `The index ${name} is empty.`)),
    h("p", {}, "It has no passage to answer from. Ingest a folder under ", h("a", { href: "#corpus" }, "Corpus"), "."));
}

function welcome() {
  const node = $("welcome");
  node.hidden = $("turns").children.length > 0;
  const index = shared.indexes.find(({ name }) => name === shared.index);
  if (!index) {
    node.replaceChildren(
      h("h2", {}, "Nothing to ask yet"),
      h("p", {}, "Point ", h("code", {}, "rag"), " at a folder of documents; it reads them, and answers from them with their sources."),
      h("pre", { tabindex: 0 }, h("code", {}, "rag ingest --dir FOLDER")),
      h("p", {}, "Or start it here, under ", h("a", { href: "#corpus" }, "Corpus"), "."));
    return;
  }
  if (!index.damaged && index.chunks === 0) {
    node.replaceChildren(empty(index.name));
    return;
  }
  const size = index.damaged ? "damaged; see Corpus" : `${plural(index.documents, "document")}, ${plural(index.chunks, "passage")}`;
  node.replaceChildren(
    h("h2", {}, "Ask your documents"),
    h("p", {}, "Every sentence of an answer names the passage that it rests on. Where nothing supports an answer, it says so."),
    h("p", { class: "faint" }, h("strong", {}, index.name), " · ", size));
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

async function ask(question, options) {
  const turn = new Turn(question);
  $("turns").append(turn.node);
  welcome();
  turn.node.scrollIntoView({ block: "start", behavior: motion() });
  running = new AbortController();
  const { signal } = running;
  busy(true);
  announce("Looking for an answer");
  const request = body(question, options);
  try {
    request.session = await sessionId(signal);
    for await (const { name, data } of conversing(request, signal)) turn.take(name, data);
    if (!turn.reply) throw new Problem({ message: "the answer broke off", hint: "ask again" });
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
    running = undefined;
    busy(false);
  }
}

/** The events of a question; a conversation that the server has forgotten meanwhile is begun anew. */
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
    sessionStorage.setItem(SESSION, session);
  }
  return session;
}

function forget() {
  session = undefined;
  sessionStorage.removeItem(SESSION);
}

function busy(is) {
  $("send").textContent = is ? "Stop" : "Ask";
  $("send").classList.toggle("stop", is);
  const some = $("turns").children.length > 0;
  $("fresh").hidden = $("save").hidden = !some;
  $("fresh").disabled = $("save").disabled = is;
}

/** Stops the answer that is being written; whether there was one. */
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
  announce("A new conversation");
  $("question").focus();
}

async function save() {
  if (!session) return;
  const name = `rag-conversation-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.jsonl`;
  try {
    await download(`/sessions/${encodeURIComponent(session)}/export`, name);
    announce(`Saved as ${name}`);
    $("trouble").replaceChildren();
  } catch (error) {
    if (error.status === 404) forget();
    $("trouble").replaceChildren(problem(error));
  }
}

/** After a reload the conversation stands where it stood. */
async function restore() {
  if (!session) return;
  try {
    const { turns } = await call(`/sessions/${encodeURIComponent(session)}`);
    for (const kept of turns ?? []) {
      const turn = new Turn(kept.question);
      turn.finish({ ...kept, citations: kept.citations ?? [] });
      $("turns").append(turn.node);
    }
  } catch (error) {
    if (error.status === 404) forget();
  }
  busy(Boolean(running));
  welcome();
}

/** Moves the focus through all citations of the conversation; from elsewhere, to those of the last answer. */
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

/** One question and its answer on the page. */
class Turn {
  #text = "";
  #frame = 0;
  #hits = [];
  #index = shared.index;

  constructor(question) {
    this.question = question;
    this.stems = stemsOf(question);
    this.heading = h("h2", { class: "question" }, question);
    this.answer = h("div", { class: "answer", "aria-live": "polite", "aria-busy": "true" },
      h("p", { class: "waiting" }, h("span", { class: "dots", "aria-hidden": "true" }), "Looking for passages"));
    this.sources = h("div", { class: "sources" });
    this.ledger = h("div", { class: "ledger" });
    this.node = h("li", {}, h("article", {}, this.heading, this.answer, this.sources, this.ledger));
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

  /** Draws at most once a frame, however fast the words come. */
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
      this.heading.after(h("p", { class: "resolved" }, "Understood as ", h("q", {}, reply.resolved)));
    }
    const citations = reply.citations ?? [];
    this.list = citations.map((hit) => ({ ...hit, index: this.#index, said: saidWith(reply.answer ?? "", hit.n) }));
    // What broke off is shown with what is said of it below.
    if (reply.supported || reply.answer) this.answer.replaceChildren(...answer(reply.answer, (n) => this.#cite(n)));
    else if (reply.index_empty) this.answer.replaceChildren(empty(reply.index));
    else this.#unsupported(reply.checks?.unsupported?.length);
    this.answer.setAttribute("aria-busy", "false");
    this.#notes(reply);
    this.#listSources(reply.supported);
    this.#account(reply);
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
        ? "Nothing in the index supports what the language model wrote, so it is no answer."
        : "Nothing in the index supports an answer.")),
      h("p", {}, this.list.length
        ? "These passages come nearest. Other words may find more, or the answer stands in a document that was not ingested."
        : "No passage comes near. Other words may find more, or a filter is too narrow.")));
  }

  #notes({ llm, fallback, checks, orders, vectors_pending: pending }) {
    const notes = [];
    if (pending) {
      notes.push(`Found by words alone: ${count(pending.done)} of ${count(pending.total)} vectors are made.`);
    }
    if (fallback) notes.push(`Quoted, because the language model failed: ${fallback.message}.`);
    if (llm?.trouble) notes.push(`The language model broke off: ${llm.trouble}.`);
    if (llm?.finish === "repeating") notes.push("The language model repeated itself and was cut off.");
    for (const sentence of new Set(checks?.unsupported ?? [])) notes.push(`Without support in its sources: “${sentence}”`);
    if (orders?.length) {
      const where = orders.map((order) => (order.n ? `[${order.n}]` : order.path)).join(", ");
      notes.push(`Tries to give orders to a language model: ${where}.`);
    }
    if (notes.length) this.answer.append(h("ul", { class: "notes" }, ...notes.map((note) => h("li", {}, ...ticks(note)))));
  }

  #listSources(supported) {
    if (!this.list.length) return void this.sources.replaceChildren();
    const row = (item, at) => {
      const trail = [item.title === item.path ? undefined : item.title, ...(item.heading ?? [])].filter(Boolean).join(" › ");
      const node = button([
        h("span", { class: "n", "aria-hidden": "true" }, String(item.n ?? at + 1)),
        h("span", { class: "path" }, shown(item.root, item.path)),
        h("span", { class: "faint" }, place(item)),
        trail && h("span", { class: "trail" }, trail),
        !supported && item.text && h("span", { class: "snippet" }, flowing(item.text)),
      ], () => this.#open(at, node), { class: "source" });
      item.node ??= node;
      return h("li", {}, node);
    };
    this.sources.replaceChildren(
      h("h3", { class: "eyebrow" }, supported ? "Sources" : "Nearest passages"),
      h("ol", {}, ...this.list.map(row)));
  }

  /** What the answer cost, and what of it was known. */
  #account({ timings, cache, generator, model, intent }) {
    const nodes = [];
    if (cache) {
      nodes.push(badge("answer", cache.answer_hit), badge("retrieval", cache.retrieval_hit));
      const { embed_hits: hits = 0, embed_misses: misses = 0 } = cache;
      if (hits + misses > 0) nodes.push(badge("embeddings", misses === 0, misses === 0 ? "hit" : `${count(hits)} of ${count(hits + misses)} hit`));
    }
    if (timings) {
      const stages = [["embedding", timings.embedding_ms], ["search", timings.search_ms], ["writing", timings.generation_ms]];
      nodes.push(h("span", { class: "times" },
        h("strong", {}, ms(timings.total_ms)),
        ...stages.filter(([, n]) => n > 0).map(([name, n]) => ` · ${name} ${ms(n)}`)));
    }
    if (generator) nodes.push(h("span", { class: "faint" }, generator === "llm" ? `written by ${model}` : `quoted · ${intent}`));
    if (timings) {
      nodes.push(h("span", { class: "spring" }));
      nodes.push(h("span", {},
        button("Copy", () => this.#copy(), { class: "quiet" }),
        button("Afresh", () => !running && ask(this.question, { use_cache: true, refresh: true }),
          { class: "quiet", title: "Ask again and replace what the cache has" })));
    }
    this.ledger.replaceChildren(...nodes);
  }

  async #copy() {
    const sources = this.list.map((item) => `[${item.n ?? "–"}] ${shown(item.root, item.path)}, ${place(item)}`);
    try {
      await navigator.clipboard.writeText([this.reply.answer, "", ...sources].join("\n").trim());
      announce("Copied");
    } catch {
      announce("The browser does not let this page copy");
    }
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

