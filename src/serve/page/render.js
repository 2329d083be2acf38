// Renders answers, with their few kinds of markup, and passages, with the words of the question marked.

import { h } from "./dom.js";

const ITEM = /^\s{0,3}(?:[-*•]|(\d{1,3})[.)])\s+(.*)$/;
const MARK = /\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]/;
const INLINE = new RegExp(`(\`[^\`\\n]+\`|\\*\\*[^*\\n]+\\*\\*|${MARK.source.replaceAll("(\\d", "(?:\\d")})`);

/** An answer's text as nodes: paragraphs, lists and code; every `[n]` becomes what `cite(n)` makes. */
export function answer(text, cite) {
  const blocks = [];
  const lines = text.split("\n");
  let list;
  for (let i = 0; i < lines.length; i += 1) {
    const line = lines[i];
    const fence = /^\s*(```|~~~)/.exec(line)?.[1];
    if (fence) {
      const code = [];
      // While the answer is streamed, an open fence ends with the text.
      for (i += 1; i < lines.length && !lines[i].trim().startsWith(fence); i += 1) code.push(lines[i]);
      blocks.push(h("pre", { tabindex: 0 }, h("code", {}, code.join("\n"))));
      list = undefined;
      continue;
    }
    const item = ITEM.exec(line);
    if (item) {
      const tag = item[1] ? "ol" : "ul";
      if (list?.localName !== tag) {
        list = h(tag, { start: item[1] });
        blocks.push(list);
      }
      list.append(h("li", {}, ...inline(item[2], cite)));
      continue;
    }
    if (line.trim() === "") {
      list = undefined;
      continue;
    }
    const last = blocks.at(-1);
    const continues = last?.localName === "p" && i > 0 && lines[i - 1].trim() !== "";
    const heading = /^#{1,4}\s+(.*)$/.exec(line);
    if (heading) blocks.push(h("p", { class: "heading" }, ...inline(heading[1], cite)));
    else if (list && /^\s/.test(line)) list.lastChild.append(" ", ...inline(line.trim(), cite));
    else if (continues && !last.className) last.append("\n", ...inline(line, cite));
    else blocks.push(h("p", {}, ...inline(line, cite)));
    if (!/^\s/.test(line)) list = undefined;
  }
  return blocks;
}

function inline(text, cite) {
  return text.split(INLINE).flatMap((part) => {
    const marks = MARK.exec(part);
    if (marks && marks[0] === part) return marks[1].split(",").map((n) => cite(Number(n)));
    if (part.length > 2 && part.startsWith("`") && part.endsWith("`")) return [h("code", {}, part.slice(1, -1))];
    if (part.length > 4 && part.startsWith("**") && part.endsWith("**")) return [h("strong", {}, part.slice(2, -2))];
    return [part];
  });
}

/** The claims that an answer supports with the mark `[n]`: the text between it and the mark before it. */
export function saidWith(text, n) {
  const said = [];
  let before = 0;
  for (const match of text.matchAll(new RegExp(MARK.source, "g"))) {
    if (match[1].split(",").some((m) => Number(m) === n)) {
      // One mark may cover several sentences and lines, which are searched separately.
      const claims = text.slice(before, match.index).split(/\n|(?<=[.!?。！？])\s+/);
      said.push(...claims.map((claim) => claim.replace(ITEM, "$2").replaceAll("`", "").trim()));
    }
    before = match.index + match[0].length;
  }
  return said.filter((claim) => claim.length > 3);
}

const segmenter = globalThis.Intl?.Segmenter && new Intl.Segmenter(undefined, { granularity: "word" });

/** The words of a text, each with its position. */
function* wordsOf(text) {
  if (segmenter) {
    for (const { segment, index, isWordLike } of segmenter.segment(text)) if (isWordLike) yield [index, segment];
  } else {
    for (const match of text.matchAll(/[\p{L}\p{N}]+/gu)) yield [match.index, match[0]];
  }
}

const SMALL = new Set(("a about after all an and any are as at be because been but by can could did do does for from had "
  + "has have how i if in into is it its may me my no not of on one or our should so some than that the their them then "
  + "there these they this to was we were what when where which who why will with would you your").split(" "));

const normalized = (word) => word.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/** A rough stem, enough to match `indexes` with `index` and `cached` with `cache`. */
const stem = (word) => normalized(word).replace(/(?:'s|’s)$/, "")
  .replace(/(?<=\p{L}{3})(?:ies|ing|ed|es|e|s|y)$/u, "");

export function stemsOf(text) {
  const words = [...wordsOf(text)].map(([, word]) => word).filter((word) => !SMALL.has(normalized(word)));
  return new Set(words.map(stem));
}

/**
 * A passage as nodes: sentences that the answer uses are in `<span class="said">`, words of the question in `<mark>`.
 */
export function passage(text, stems, said) {
  const spans = said.flatMap((claim) => find(text, claim)).sort((a, b) => a[0] - b[0]);
  const nodes = [];
  let at = 0;
  for (const [from, to] of spans) {
    if (from < at) continue;
    nodes.push(...marked(text.slice(at, from), stems), h("span", { class: "said" }, ...marked(text.slice(from, to), stems)));
    at = to;
  }
  nodes.push(...marked(text.slice(at), stems));
  return nodes;
}

function marked(text, stems) {
  if (!stems.size) return [text];
  const nodes = [];
  let at = 0;
  for (const [from, word] of wordsOf(text)) {
    if (!stems.has(stem(word))) continue;
    nodes.push(text.slice(at, from), h("mark", {}, word));
    at = from + word.length;
  }
  nodes.push(text.slice(at));
  return nodes.filter((node) => node !== "");
}

/** Where `claim` occurs in `text`, ignoring differences of white space and backticks. */
function find(text, claim) {
  // Longer texts are not sentences.
  if (claim.length > 2000) return [];
  const escaped = (char) => char.replace(/[.*+?^${}()|[\]\\/]/, "\\$&");
  const words = claim.split(/\s+/).map((word) => [...word].map(escaped).join("`?"));
  const match = new RegExp(words.join("[\\s`]+")).exec(text);
  return match ? [[match.index, match.index + match[0].length]] : [];
}

/** The number of characters that the end of `before` and the start of `after` share: adjacent passages overlap. */
export function overlap(before, after) {
  const most = Math.min(before.length, after.length, 2000);
  // Overlaps begin at a word, so a candidate begins where the start of `after` occurs.
  const head = after.slice(0, 12);
  if (head.length < 12) return 0;
  for (let at = before.indexOf(head, before.length - most); at >= 0; at = before.indexOf(head, at + 1)) {
    if (after.startsWith(before.slice(at))) return before.length - at;
  }
  return 0;
}

/**
 * Joins the lines of hard-wrapped prose; lists, code, tables and verse are kept. The number of characters does not
 * change, so positions in the text stay valid.
 */
export function flowing(text) {
  const lines = text.replaceAll(/\r(?!\n)|[\v\f\u0085\u2028\u2029]/g, "\n");
  return lines.replaceAll(/(?<=^|\n)([^\s|].{50,})\n(?=[\p{L}"“‘(\p{N}])(?!\d+[.)]\s)/gu, "$1 ");
}
