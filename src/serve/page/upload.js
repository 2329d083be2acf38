// Uploads: files and folders that are dropped on the page or chosen, with their progress.

import { Problem, call, query, stream, upload } from "./api.js";
import { $, announce, bytes, button, fill, h, plural, problem } from "./dom.js";

/** Uploads at a time. */
const PARALLEL = 2;
/** A folder with more files is better ingested by the server. */
const MOST = 1000;
const OVER = ["succeeded", "failed", "cancelled"];

let shared;
let refresh;
/** Where progress is shown, on the corpus page. */
const progress = h("div", { class: "progress", id: "upload-progress" });

/** Before anything is loaded: a browser would leave the page for a file that is dropped on it. */
export function start(state, reload) {
  [shared, refresh] = [state, reload];
  let depth = 0;
  const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const show = (is) => { $("drop").hidden = !is; };
  addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth += 1;
    show(may());
  });
  addEventListener("dragover", (event) => {
    if (hasFiles(event)) event.preventDefault();
  });
  addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    if (!depth) show(false);
  });
  addEventListener("drop", async (event) => {
    depth = 0;
    show(false);
    if (!hasFiles(event)) return;
    event.preventDefault();
    if (!may()) return;
    const files = await dropped(event.dataTransfer);
    if (location.hash !== "#corpus") location.hash = "#corpus";
    send(files);
  });
}

const may = () => shared.index !== undefined && shared.config.features?.uploads !== false && (shared.config.auth?.scope ?? "admin") !== "read";

/** The controls of the card: a zone to drop on, buttons to choose, and progress. */
export function controls() {
  const files = h("input", { type: "file", multiple: true, hidden: true, id: "upload-files",
    on: { change: () => chosen(files) } });
  const folder = h("input", { type: "file", webkitdirectory: true, hidden: true, id: "upload-folder",
    on: { change: () => chosen(folder) } });
  return [h("div", { class: "drop" },
    h("p", {}, "Drop files or folders here, or"),
    h("div", { class: "row" },
      button("Choose files", () => files.click(), { id: "upload-choose" }),
      button("Choose a folder", () => folder.click())),
    h("p", { class: "faint" }, `They are kept on this server and added to the index ${shared.index}. `,
      `A file has at most ${bytes(shared.config.limits?.document_bytes)}.`),
    files, folder), progress];
}

function chosen(input) {
  send([...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
  input.value = "";
}

/** The files of a drop, with those in its folders. */
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => ({ file, path: file.name }));
  const found = [];
  const walk = async (entry) => {
    if (found.length > MOST || entry.name.startsWith(".")) return;
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => { entry.file(resolve, reject); });
      found.push({ file, path: entry.fullPath.replace(/^\/+/, "") });
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      // A reader returns a part of the folder at a time.
      const some = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
      if (!some.length) return;
      for (const one of some) await walk(one);
    }
  };
  for (const entry of entries) await walk(entry);
  return found;
}

let current;

/** Uploads files one after another, two at a time, and follows the ingest of the last one. */
async function send(files) {
  if (!files.length) return;
  if (current) return void announce("Wait for the uploads to end");
  const index = shared.index;
  const controller = new AbortController();
  current = controller;
  const { signal } = controller;
  const total = files.reduce((sum, { file }) => sum + file.size, 0);
  const shares = new Map();
  const bar = h("progress", { max: 1, value: 0, "aria-label": "Upload progress" });
  const stage = h("span", { class: "stage" });
  const failures = h("div", {});
  const cancel = button("Cancel", () => controller.abort(), { class: "quiet" });
  const show = (done) => {
    const sent = [...shares.values()].reduce((sum, bytes) => sum + bytes, 0);
    bar.value = total ? Math.min(sent / total, 1) : 1;
    stage.textContent = `${Math.floor(bar.value * 100)} % Uploading ${plural(files.length, "file")}, ${done} done`;
  };
  fill(progress, bar, h("div", { class: "row" }, stage, cancel), failures);
  announce(`Uploading ${plural(files.length, "file")}`);
  let [next, done, failed, job] = [0, 0, 0, undefined];
  show(done);
  const run = async () => {
    while (next < files.length && !signal.aborted) {
      const { file, path } = files[next];
      next += 1;
      try {
        const reply = await upload(`/documents${query({ path, index })}`, file, {
          signal, progress: (share) => { shares.set(path, share * file.size); show(done); },
        });
        job = reply.job_id;
        done += 1;
      } catch (error) {
        if (error.name === "AbortError") return;
        failed += 1;
        failures.append(problem(new Problem({ ...error, message: `${path}: ${error.message}` })));
      }
      shares.set(path, file.size);
      show(done);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, run));
  const end = (...nodes) => {
    current = undefined;
    fill(progress, ...nodes, failures);
    announce(progress.textContent);
  };
  if (!job) return end(h("p", { class: "faint" }, signal.aborted ? "Cancelled." : "Nothing was uploaded."));
  cancel.hidden = true;
  try {
    const last = await followed(job, bar, stage);
    const text = `${plural(done, "file")} uploaded${signal.aborted ? " before you cancelled" : ""}`;
    const unread = last.result?.n_failed ?? 0;
    end(last.state === "succeeded"
      ? h("p", { class: "good" }, `${text} and added to the index.`)
      : problem({ message: `${text}, but the ingest ${last.state}`, hint: last.reason }),
      unread > 0 && h("p", {}, `${plural(unread, "file")} could not be read; see the documents below.`));
  } catch (error) {
    end(problem(error));
  }
  await refresh();
  dispatchEvent(new Event("rag:changed"));
}

/** Shows the progress of a job in the same bar, and returns the job when it has ended. */
async function followed(id, bar, stage) {
  const path = encodeURIComponent(id);
  for (let tries = 0; ; tries += 1) {
    try {
      for await (const { data } of stream(`/ingest/events/${path}`)) {
        bar.value = data.progress?.fraction ?? 0;
        stage.textContent = `${Math.floor(bar.value * 100)} % Adding to the index`;
        if (OVER.includes(data.state)) return data;
      }
    } catch (error) {
      if (error.status || tries >= 5) throw error;
    }
    const job = await call(`/ingest/status/${path}`);
    if (OVER.includes(job.state)) return job;
    await new Promise((resolve) => setTimeout(resolve, Math.min(500 * 2 ** tries, 5000)));
  }
}
