// The view of the corpus: the index, ingest jobs, documents and caches.

import { call, query, stream } from "./api.js";
import { $, announce, button, bytes, careful, count, fill, h, named, plural, problem, shown, ticks, when } from "./dom.js";
import * as source from "./source.js";
import * as upload from "./upload.js";

const TABLES = ["answers", "retrieval", "rerank", "embeddings"];
const STATES = { indexed: "Indexed", failed: "Failed", skipped: "Skipped", removed: "Removed" };
/** The folder of uploads in an index. */
const UPLOADS = "uploads";
const OVER = ["succeeded", "failed", "cancelled"];
/** Documents per page. */
const PAGE = 50;

let shared;
let refresh;
/** Aborts following the job whose progress is shown. */
let watched;
let parts;

export function start(state) {
  shared = state;
}

/** Draws the view; called when it is entered and when another index is selected. */
export function show(state, reload) {
  [shared, refresh] = [state, reload];
  if (!parts) {
    parts = {
      index: card("Index"), folders: card("Folders"), uploads: card("Uploads"), documents: card("Documents"),
      cache: card("Caches"),
    };
    $("corpus").append(...Object.values(parts).map((part) => part.node));
    ingestForm();
    addEventListener("rag:changed", () => location.hash === "#corpus" && (drawIndex(), drawDocuments()));
  }
  // The target of an ingest follows the selected index, until the user types another name.
  if (form.name && form.picked !== shared.index) [form.name.value, form.picked] = [shared.index, shared.index];
  drawIndex();
  drawCache();
  drawDocuments();
  drawJobs();
}

function card(title) {
  const id = `card-${title.toLowerCase()}`;
  const body = h("div", {});
  return { body, node: h("section", { class: "card", id, "aria-labelledby": `${id}-title` },
    h("h2", { id: `${id}-title` }, title), body) };
}

const scope = () => shared.config.auth?.scope ?? shared.config.scope ?? "admin";
const may = (wanted) => ["read", "write", "admin"].indexOf(scope()) >= ["read", "write", "admin"].indexOf(wanted);

/* The index. */

function drawIndex() {
  const { body } = parts.index;
  const index = shared.indexes.find(({ name }) => name === shared.index);
  if (!index) {
    body.replaceChildren(
      h("p", {}, "No index yet. Add a folder or upload files, or run this on the server:"),
      h("pre", { tabindex: 0 }, h("code", {}, "rag ingest --dir FOLDER")));
    form.folders.replaceChildren();
    form.uploads.replaceChildren();
    return;
  }
  const rows = index.damaged ? [["Name", index.name], ["Damaged", index.damaged]] : [
    ["Name", index.name],
    ["Documents", count(index.documents)],
    ["Passages", count(index.chunks)],
    ["Size", bytes(index.bytes)],
    ["Updated", when(index.created)],
  ];
  const details = index.damaged ? [] : [
    ["Model", index.model?.name ?? index.model],
    ["Corpus id", h("code", {}, index.corpus_id ?? "–")],
  ];
  const terms = (rows) => h("dl", {}, ...rows.map(([key, value]) => h("div", {}, h("dt", {}, key), h("dd", {}, value ?? "–"))));
  const result = h("div", { class: "result", role: "status" });
  const name = encodeURIComponent(index.name);
  const verify = button("Verify", async () => {
    verify.disabled = true;
    result.replaceChildren(h("p", { class: "faint" }, "Verifying checksums…"));
    try {
      const { ok, damaged = [] } = await call(`/indexes/${name}/verify`, { method: "POST", body: {} });
      result.replaceChildren(ok
        ? h("p", { class: "good" }, "The index is intact.")
        : h("div", { class: "problem" },
          h("p", {}, "The index is damaged. Ingest its folders again to rebuild it; cached vectors are reused."),
          h("ul", {}, ...damaged.map(({ path, reason }) => h("li", {}, `${path}: ${reason}`)))));
    } catch (error) {
      result.replaceChildren(problem(error));
    } finally {
      verify.disabled = false;
    }
  });
  const rollback = careful("Roll back", {
    question: `Roll back the index ${index.name}?`,
    text: "Questions are then answered from the previous generation. Roll back again to undo.",
  }, async () => {
    try {
      const meta = await call(`/indexes/${name}/rollback`, { method: "POST", body: {} });
      await refresh();
      drawIndex();
      drawDocuments();
      announce(`Rolled back: ${plural(meta.documents, "document")}`);
    } catch (error) {
      result.replaceChildren(problem(error));
    }
  }, { class: "quiet" });
  fill(body,
    terms(rows),
    details.length > 0 && h("details", {}, h("summary", {}, "Details"), terms(details)),
    may("admin") && h("div", { class: "row" }, verify, !index.damaged && rollback),
    result);
  fill(form.folders, folders(index, result));
  // Each of several servers that share an index has a folder of its own.
  const uploads = index.roots?.filter((root) => root === UPLOADS || root.startsWith(`${UPLOADS}-`)) ?? [];
  fill(form.uploads, uploads.length > 0 && h("p", { class: "row" },
    button("Show uploads", () => listOnly(uploads.map((root) => `path:"${root}/**"`).join(" or ")), { class: "quiet" })));
}

/** The folders of an index, each with a button that removes it. */
function folders(index, result) {
  const roots = (index.roots ?? []).filter((root) => root !== UPLOADS);
  if (!roots.length) return h("p", { class: "faint" }, index.damaged ? "" : "The index has no folders.");
  const remove = (folder) => careful("Remove", {
    question: `Remove ${folder} from the index ${index.name}?`,
    text: "Its documents are no longer found. The files are kept, and Roll back undoes this.",
  }, async () => {
    try {
      const path = `/indexes/${encodeURIComponent(index.name)}/folders`;
      const { removed } = await call(`${path}${query({ folder })}`, { method: "DELETE" });
      await refresh();
      drawIndex();
      drawDocuments();
      announce(`Removed ${folder} with ${plural(removed.length, "document")}`);
    } catch (error) {
      result.replaceChildren(problem(error));
    }
  }, { class: "quiet", "aria-label": `Remove ${folder} from the index` });
  return h("ul", { class: "files", id: "index-folders", "aria-label": "Folders" },
    ...roots.map((folder) => h("li", { class: "spread" },
      h("span", {}, folder), may("write") && !index.damaged && remove(folder))));
}

/* Ingest jobs. */

const form = {};

function ingestForm() {
  const roots = shared.config.features?.roots ?? shared.config.roots ?? [];
  const label = (root) => (typeof root === "string" ? root : root.label ?? root.name ?? root.path);
  form.root = h("select", { id: "ingest-root" }, ...roots.map((root) => h("option", { value: label(root) }, label(root))));
  form.dir = h("input", { type: "text", id: "ingest-dir", spellcheck: "false", autocapitalize: "off",
    placeholder: roots.length ? "optional" : "docs", "aria-describedby": "ingest-help" });
  form.name = h("input", { type: "text", id: "ingest-index", spellcheck: "false", autocapitalize: "off", value: shared.index });
  form.cached = h("input", { type: "checkbox", id: "ingest-cache", checked: true });
  form.start = h("button", { type: "submit", class: "primary", id: "ingest-start" }, "Start");
  form.progress = h("div", { class: "progress", id: "ingest-progress" });
  form.jobs = h("div", {});
  const node = h("form", { class: "fields", id: "ingest-form", on: { submit: startIngest } },
    roots.length > 0 && h("label", {}, "Folder", form.root),
    h("label", {}, roots.length ? "Subfolder" : "Folder", form.dir),
    h("label", {}, "Index", form.name),
    h("label", { class: "check" }, form.cached, " Reuse earlier work"),
    form.start);
  form.folders = h("div", {});
  form.uploads = h("div", {});
  fill(parts.uploads.body,
    may("write") ? upload.controls() : h("p", { class: "faint" }, "Your token does not allow uploads."), form.uploads);
  fill(parts.folders.body,
    form.folders,
    may("write") ? node : h("p", { class: "faint" }, "Your token does not allow ingesting."),
    may("write") && h("p", { class: "faint", id: "ingest-help" }, roots.length
      ? "Adds the folder to the index, or updates it. Other folders are kept, and only changed files are read."
      : h("span", {}, "A folder below one of the setting ", h("code", {}, "serve.roots"), ".")),
    form.progress, form.jobs);
}

async function startIngest(event) {
  event.preventDefault();
  const below = form.dir.value.trim().replace(/^\/+(?=.)/, (slashes) => (form.root.value ? "" : slashes));
  const dir = [form.root.value, below].filter(Boolean).join("/") || ".";
  form.start.disabled = true;
  form.progress.replaceChildren();
  try {
    const index = form.name.value.trim() || undefined;
    const { job_id: id } = await call("/ingest/start", { body: { dir, index, use_cache: form.cached.checked } });
    watch(id);
  } catch (error) {
    form.progress.replaceChildren(problem(error));
  } finally {
    form.start.disabled = false;
  }
}

/** Follows a job to its end, and reconnects when the connection is lost. */
async function watch(id) {
  watched?.abort();
  const controller = new AbortController();
  watched = controller;
  const bar = h("progress", { max: 1, value: 0, "aria-label": "Ingest progress" });
  const stage = h("span", { class: "stage" }, "Queued");
  const message = h("span", { class: "faint" });
  const cancel = button("Cancel", async () => {
    cancel.disabled = true;
    try {
      await call(`/ingest/cancel/${encodeURIComponent(id)}`, { method: "POST", body: {} });
    } catch (error) {
      form.progress.append(problem(error));
    }
  }, { class: "quiet" });
  form.progress.replaceChildren(bar, h("div", { class: "row" }, stage, message, cancel));
  announce("Ingest started");
  let announced = "";
  const take = (job) => {
    const p = job.progress ?? {};
    bar.value = OVER.includes(job.state) ? 1 : p.fraction ?? 0;
    const name = job.state === "queued" ? "Queued" : STAGES[p.stage] ?? p.stage ?? job.state;
    stage.textContent = `${Math.floor(bar.value * 100)} % ${name}`;
    message.textContent = [p.message, p.eta_seconds && `${plural(p.eta_seconds, "second")} left`].filter(Boolean).join(", ");
    if (name !== announced) announce(name);
    announced = name;
  };
  for (let tries = 0; ; tries += 1) {
    try {
      let last;
      for await (const { name, data } of stream(`/ingest/events/${encodeURIComponent(id)}`, { signal: controller.signal })) {
        take(data);
        tries = 0;
        if (name === "done") last = data;
      }
      last ??= await call(`/ingest/status/${encodeURIComponent(id)}`, { signal: controller.signal });
      if (OVER.includes(last.state)) return ended(last);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status || tries >= 5) return void form.progress.append(problem(error, () => watch(id)));
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(500 * 2 ** tries, 5000)));
    if (controller.signal.aborted) return;
  }
}

const STAGES = { scan: "Finding files", bm25: "Reading", vectors: "Embedding", save: "Writing" };

async function ended(job) {
  watched = undefined;
  form.progress.replaceChildren(outcome(job));
  announce(form.progress.textContent);
  drawJobs();
  try {
    await refresh();
  } catch (error) {
    form.progress.append(problem(error));
  }
  drawIndex();
  drawDocuments();
  drawCache();
}

/** The outcome of a job. */
function outcome(job) {
  if (job.state === "cancelled") return h("p", { class: "faint" }, "Cancelled. Computed vectors are cached, and the next ingest reuses them.");
  if (job.state === "failed") return problem({ message: job.reason ?? "the ingest failed", hint: "fix the problem and start again; finished work is reused" });
  const result = job.result ?? {};
  const failed = result.n_failed ?? result.failed?.length ?? 0;
  return h("div", {},
    h("p", { class: "good" }, [
      "Done",
      result.documents !== undefined && `${plural(result.documents, "document")}, ${plural(result.chunks, "passage")}`,
      result.committed === false && "nothing has changed",
    ].filter(Boolean).join(": ").replace(/: nothing/, "; nothing"), "."),
    removed(result),
    failed > 0 && h("p", {}, `${plural(failed, "file")} could not be read; see the documents below.`));
}

/** The documents that were removed from the index. */
function removed({ removed: n = 0, removed_documents: names = [] }) {
  if (!n) return "";
  const some = names.slice(0, 5);
  const more = n > some.length ? ` and ${count(n - some.length)} more` : "";
  return h("p", {}, `${plural(n, "document")} removed from the index: ${some.join(", ")}${more}.`);
}

async function drawJobs() {
  let jobs;
  try {
    ({ jobs } = await call("/ingest/list"));
  } catch (error) {
    form.jobs.replaceChildren(error.status === 403 ? "" : problem(error, drawJobs));
    return;
  }
  const live = jobs.find((job) => !OVER.includes(job.state));
  if (live && !watched) watch(live.id);
  const rows = jobs.slice(-8).reverse().map((job) => h("li", {},
    h("span", { class: `state ${job.state}` }, job.state), " ",
    h("strong", {}, (job.dirs ?? []).join(", ")),
    h("span", { class: "faint" }, `into ${job.index}, `, when(job.ended ?? job.started ?? job.created)),
    job.reason && h("p", {}, job.reason)));
  form.jobs.replaceChildren(rows.length
    ? h("details", {}, h("summary", {}, `Recent ingests (${count(jobs.length)})`), h("ul", { class: "files" }, ...rows))
    : "");
}

/* Caches. */

const EMPTYING = "Values are computed again when needed. That takes time, and a language model may answer differently.";

async function drawCache() {
  const { body } = parts.cache;
  let stats;
  try {
    stats = await call("/cache/stats");
  } catch (error) {
    body.replaceChildren(problem(error, drawCache));
    return;
  }
  const purge = (tables) => async () => {
    try {
      const { freed_bytes: freed } = await call("/cache/purge", { body: { tables } });
      announce(`Emptied; ${bytes(freed)} freed`);
      await drawCache();
    } catch (error) {
      body.append(problem(error));
    }
  };
  const names = [...TABLES.filter((name) => stats.tables[name]), ...Object.keys(stats.tables).filter((name) => !TABLES.includes(name))];
  const rows = names.map((name) => {
    const { count: n, bytes: size, hits, misses } = stats.tables[name];
    const asked = hits + misses;
    return h("tr", {},
      h("th", { scope: "row" }, name),
      h("td", { class: "number" }, count(n)),
      h("td", { class: "number" }, bytes(size)),
      h("td", { class: "number" }, count(hits)),
      h("td", { class: "number" }, count(misses)),
      h("td", { class: "number" }, asked ? `${Math.round((100 * hits) / asked)} %` : "–"),
      may("admin") && h("td", { class: "number" }, n > 0 && careful("Empty", {
        question: `Empty the cache ${name}?`, text: EMPTYING,
      }, purge([name]), { class: "quiet", "aria-label": `Empty ${name}` })));
  });
  const isOpen = body.querySelector("details")?.open;
  body.replaceChildren(h("details", { open: isOpen },
    h("summary", {}, `Details: ${bytes(stats.file_bytes)} on disk`),
    table("Caches", ["Table", "#Rows", "#Size", "#Hits", "#Misses", "#Hit rate", ...(may("admin") ? [""] : [])], rows),
    h("div", { class: "row" },
      h("span", { class: "spring" }),
      may("admin") && careful("Empty all", {
        question: "Empty every cache?", text: EMPTYING,
      }, purge(["all"]), { class: "quiet" }))));
}

/* Documents. */

let tab = "indexed";

async function drawDocuments() {
  const { body } = parts.documents;
  const index = shared.index;
  if (!shared.indexes.some(({ name }) => name === index)) {
    body.replaceChildren(h("p", { class: "faint" }, "Documents appear here after an ingest."));
    return;
  }
  const list = h("div", {});
  const tabs = Object.entries(STATES).map(([state, label]) => button(label, () => {
    tab = state;
    tabs.forEach((node) => node.setAttribute("aria-pressed", String(node.dataset.state === state)));
    search.hidden = tab === "removed";
    listAgain();
  }, { class: "tab", data: { state }, "aria-pressed": String(tab === state) }));
  const search = h("input", { type: "search", id: "documents-filter", placeholder: "Filter by path or type:pdf",
    "aria-label": "Filter documents", value: onlyThose, spellcheck: "false",
    on: { change: () => { onlyThose = search.value; listAgain(); } } });
  body.replaceChildren(h("div", { class: "tabs", role: "group", "aria-label": "State" }, ...tabs), search, list);

  const listAgain = async () => {
    const state = tab;
    const rows = h("ul", { class: "files" });
    const more = button("More", () => page(more.dataset.cursor), { class: "quiet", hidden: true });
    const page = async (cursor) => {
      try {
        const { documents, next } = await documentsOf(index, state, cursor);
        if (state !== tab) return;
        if (!cursor && !documents.length) {
          list.replaceChildren(h("p", { class: "faint" }, onlyThose.trim() ? "No document matches." : NONE[state]));
          return;
        }
        rows.append(...documents.map((document) => row(document, state, index)));
        if (!cursor) list.replaceChildren(rows, more);
        more.hidden = !next;
        more.dataset.cursor = next ?? "";
      } catch (error) {
        list.replaceChildren(problem(error, listAgain));
      }
    };
    await page();
  };
  search.hidden = tab === "removed";
  await listAgain();
}

/** What the field above the documents says. */
let onlyThose = "";

function listOnly(filter) {
  [onlyThose, tab] = [filter, "indexed"];
  drawDocuments();
  parts.documents.node.scrollIntoView({ block: "start" });
}

function documentsOf(index, state, cursor) {
  if (state === "removed") return call(`/documents/removed${query({ index })}`);
  const words = onlyThose.trim();
  // Words without a key are a part of a path.
  const filter = !words || /[:=<>]/.test(words) ? words : `path:"**/*${words.replaceAll(/["*?[\]{}\\]/g, "?")}*"`;
  return call(`/documents${query({ index, state, limit: PAGE, cursor, filter })}`);
}

const NONE = {
  failed: "No file failed.",
  skipped: "No file was skipped.",
  indexed: "No document is indexed.",
  removed: "No document was removed.",
};

/** The file name and, dimmed, its folder. */
function title(root, path) {
  const { file, folder } = named(root, path);
  return [h("bdi", {}, file), folder && h("span", { class: "folder" }, h("bdi", {}, folder))];
}

function row(document, state, index) {
  const { root, path, type, chunks, size, modified, reason } = document;
  const node = h("li", {});
  const failed = (error) => node.append(problem(error));
  if (state === "removed") {
    fill(node, h("div", { class: "spread" }, h("strong", {}, ...title(root, path)), document.has_file
      ? may("write") && button("Restore", () => restore(document, index, node), { class: "quiet", "aria-label": `Restore ${shown(root, path)}` })
      : h("span", { class: "faint" }, "the file is gone; upload it again")));
    return node;
  }
  if (state !== "indexed") {
    fill(node, h("strong", {}, ...title(root, path)), h("span", { class: "faint" }, bytes(size)), h("p", {}, ...ticks(reason ?? "–")));
    return node;
  }
  const isUpload = root === UPLOADS;
  const open = button(title(root, path), () => source.show([{ root, path, index, node: open }], 0, new Set()), { class: "link" });
  const remove = careful("Delete", {
    question: `Delete ${shown(root, path)}?`,
    text: isUpload
      ? "It leaves the index, the caches and the conversations, and the uploaded file is deleted."
      : "It leaves the index, the caches and the conversations. The file is kept, and the document can be restored.",
  }, async () => {
    try {
      await call(`/documents${query({ index, root, path })}`, { method: "DELETE" });
      announce(`Deleted ${shown(root, path)}`);
      await refresh();
      drawIndex();
      drawDocuments();
    } catch (error) {
      failed(error);
    }
  }, { class: "quiet", "aria-label": `Delete ${shown(root, path)}` });
  node.className = "spread";
  fill(node, open,
    h("span", { class: "row" },
      h("span", { class: "faint" }, [type, plural(chunks, "passage"), bytes(size)].filter(Boolean).join(" · "),
        modified && " · ", modified && when(modified)),
      may("write") && remove));
  return node;
}

async function restore({ root, path }, index, node) {
  try {
    const { job_id: job } = await call("/documents/restore", { body: { index, root, path } });
    announce(`Restored ${shown(root, path)}`);
    if (job) watch(job);
    else node.replaceChildren(h("p", {}, `${shown(root, path)} is restored: the next ingest of its folder reads it.`));
    if (job) drawDocuments();
  } catch (error) {
    node.append(problem(error));
  }
}

/** A table that scrolls horizontally on narrow screens. Columns whose name begins with `#` are numeric. */
function table(label, columns, rows) {
  const heads = columns.map((name) => (name.startsWith("#")
    ? h("th", { scope: "col", class: "number" }, name.slice(1))
    : name ? h("th", { scope: "col" }, name) : h("td", {})));
  return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": label },
    h("table", {}, h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...rows)));
}
