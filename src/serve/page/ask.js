// The view of questions and answers.

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
  $("save").addEventListener("click", save);
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
  const size = index.damaged ? "damaged; see Corpus" : `${plural(index.documents, "document")}, ${plural(index.chunks, "passage")}`;
  node.replaceChildren(
    h("h2", {}, "Ask your documents"),
    h("p", {}, "Answers cite the passages that support them. When nothing in the index does, rag says so."),
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
  announce("Searching");
  const request = body(question, options);
  try {
    request.session = await sessionId(signal);
    for await (const { name, data } of conversing(request, signal)) turn.take(name, data);
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
    running = undefined;
    busy(false);
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

/** Restores the conversation after a reload. */
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
    this.heading = h("h2", { class: "question" }, question);
    this.answer = h("div", { class: "answer", "aria-live": "polite", "aria-busy": "true" },
      h("p", { class: "waiting" }, h("span", { class: "dots", "aria-hidden": "true" }), "Searching"));
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

  /** The line below an answer: its generator, cache use and timings, and buttons. */
  #account({ timings, cache, generator, model, intent }) {
    const nodes = [];
    if (generator) nodes.push(h("span", { class: "faint" }, generator === "llm" ? `written by ${model}` : `quoted · ${intent}`));
    const details = [];
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
    if (details.length) nodes.push(h("details", {}, h("summary", {}, "Details"), h("div", { class: "row" }, ...details)));
    if (timings) {
      nodes.push(h("span", { class: "spring" }));
      nodes.push(h("span", {},
        button("Copy", () => this.#copy(), { class: "quiet" }),
        button("Ask again", () => !running && ask(this.question, { use_cache: true, refresh: true }),
          { class: "quiet", title: "Recompute the answer, and replace cached values" })));
    }
    this.ledger.replaceChildren(...nodes);
  }

  async #copy() {
    const sources = this.list.map((item) => `[${item.n ?? "–"}] ${shown(item.root, item.path)}, ${place(item)}`);
    try {
      await navigator.clipboard.writeText([this.reply.answer, "", ...sources].join("\n").trim());
      announce("Copied");
    } catch {
      announce("The browser blocked copying");
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

