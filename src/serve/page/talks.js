// Conversations: listed, searched, opened, renamed, exported and deleted.

import { call, download, query } from "./api.js";
import { $, announce, button, count, h, plural, problem, sure, when } from "./dom.js";

/** Names of the sessions that this browser began; a reader's token may list no others. */
const OWN = "rag.sessions";
const MAX_OWN = 50;

let hooks;
let searching;

/** `open(id)` shows a conversation; `removed(id)` is called when one is deleted; `current()` is the open one. */
export function start(given) {
  hooks = given;
  $("talks-open").addEventListener("click", () => {
    $("talks").showModal();
    $("talks-search").value = "";
    list();
  });
  $("talks-close").addEventListener("click", () => $("talks").close());
  $("talks").addEventListener("click", (event) => {
    if (event.target === $("talks")) $("talks").close();
  });
  $("talks-search").addEventListener("input", () => {
    clearTimeout(searching);
    searching = setTimeout(list, 150);
  });
  $("rename-no").addEventListener("click", () => $("rename").close());
}

const own = () => JSON.parse(localStorage.getItem(OWN) ?? "[]");

/** Remembers a session that this browser began. */
export function remember(id) {
  localStorage.setItem(OWN, JSON.stringify([id, ...own().filter((known) => known !== id)].slice(0, MAX_OWN)));
}

function forget(id) {
  localStorage.setItem(OWN, JSON.stringify(own().filter((known) => known !== id)));
}

async function list() {
  const words = $("talks-search").value.trim();
  let sessions;
  try {
    sessions = await found(words);
  } catch (error) {
    $("talks-note").textContent = "";
    $("talks-list").replaceChildren(h("li", {}, problem(error, list)));
    return;
  }
  if (words !== $("talks-search").value.trim()) return;
  $("talks-note").textContent = sessions.length
    ? `${plural(sessions.length, "conversation")}${words ? ` with “${words}”` : ""}`
    : words ? "No conversation has these words." : "No conversations yet. Ask a question to begin one.";
  $("talks-list").replaceChildren(...sessions.map(row));
}

async function found(words) {
  try {
    return (await call(`/sessions${query({ words })}`)).sessions;
  } catch (error) {
    if (error.status !== 403) throw error;
  }
  const all = await Promise.all(own().map(async (id) => {
    try {
      const { turns } = await call(`/sessions/${encodeURIComponent(id)}`);
      if (!turns.length) return undefined;
      const text = turns.map(({ question, answer }) => `${question} ${answer}`).join(" ").toLowerCase();
      return { id, turns: turns.length, first_question: turns[0].question, last_used: turns.at(-1).at, text };
    } catch (error) {
      if (error.status === 404) forget(id);
      return undefined;
    }
  }));
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  return all.filter((one) => one && wanted.every((word) => one.text.includes(word)))
    .sort((a, b) => b.last_used - a.last_used);
}

function row({ id, title, first_question: first, turns, last_used: used }) {
  const name = title || first;
  const path = `/sessions/${encodeURIComponent(id)}`;
  const open = button(name, () => {
    $("talks").close();
    hooks.open(id);
  }, { class: "link", dir: "auto", "aria-current": id === hooks.current() ? "true" : undefined });
  const failed = (error) => $("talks-list").prepend(h("li", {}, problem(error)));
  const save = (format, ending) => async () => {
    const stamp = new Date(used * 1000).toISOString().slice(0, 10);
    try {
      await download(`${path}/export?format=${format}`, `rag-conversation-${stamp}.${ending}`);
      announce("Saved");
    } catch (error) {
      failed(error);
    }
  };
  const remove = async () => {
    if (!(await sure("Delete this conversation?", `“${name}” cannot be restored.`, "Delete"))) return;
    try {
      await call(path, { method: "DELETE" });
    } catch (error) {
      if (error.status !== 404) return void failed(error);
    }
    forget(id);
    hooks.removed(id);
    announce("Deleted");
    await list();
    $("talks-title").focus();
  };
  const act = (label, on) => button(label, on, { class: "quiet", "aria-label": `${label}: ${name}` });
  return h("li", {}, open,
    h("p", { class: "faint" }, `${count(turns)} ${turns === 1 ? "question" : "questions"} · `, when(used)),
    h("p", { class: "row" },
      act("Rename", () => rename(path, name)),
      act("Markdown", save("markdown", "md")),
      act("JSONL", save("jsonl", "jsonl")),
      act("Delete", remove)));
}

function rename(path, name) {
  const input = $("rename-input");
  input.value = name.slice(0, 200);
  $("rename-form").onsubmit = async (event) => {
    event.preventDefault();
    $("rename").close();
    try {
      await call(path, { method: "PUT", body: { title: input.value } });
      announce("Renamed");
      await list();
    } catch (error) {
      $("talks-list").prepend(h("li", {}, problem(error)));
    }
  };
  $("rename").showModal();
  input.select();
}
