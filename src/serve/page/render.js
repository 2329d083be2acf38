// Renders answers and passages as nodes, and marks what an answer quotes.

import { h } from "./dom.js";

const ITEM = /^\s{0,3}(?:[-*•]|(\d{1,3})[.)])\s+(.*)$/;
/** An item of a list inside of another. */
const NESTED = /^\s+(?:[-*•]|(\d{1,3})[.)])\s+(.*)$/;
const MARK = /\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]/;
const INLINE = new RegExp(`(\`[^\`\\n]+\`|\\*\\*[^*\\n]+\\*\\*|${MARK.source.replaceAll("(\\d", "(?:\\d")})`);

/** The marks of a sentence, with the space before them. */
const MARKS = new RegExp(`(?:\\s*${MARK.source.replaceAll("(\\d", "(?:\\d")})+`, "g");
const CODE = /```[^]*?(?:```|$)|`[^`\n]+`/g;

const RULE = /^\s{0,3}([-*_])(?:\s*\1){2,}\s*$/;
const DIVIDER = /^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;
/** Of documents only: emphasis, links and pictures, of which the text is shown. */
const RICH = /(`+)(.+?)\1|!?\[([^\]\n]*)\]\(([^)\s]*)(?:\s[^)]*)?\)|(\*\*|__)(?=\S)(.+?)(?<=\S)\5|(?<![\p{L}\p{N}])([*_])(?=\S)(.+?)(?<=\S)\7(?![\p{L}\p{N}])/gsu;

/**
 * An answer's text as nodes: paragraphs, lists, tables, quotations and code; every `[n]` becomes what `cite(n)` makes.
 */
export const answer = (text, cite) => blocks(withOneMark(text), (line) => inline(line, cite), "\n");

/** The text in which each paragraph, list or block of code that is from one source has its mark once, at the end. */
function withOneMark(text) {
  // Brackets in code are no marks.
  const prose = text.replaceAll(CODE, (code) => "x".repeat(code.length));
  const marks = [...prose.matchAll(MARKS)];
  let shown = "";
  let at = 0;
  marks.forEach((mark, i) => {
    const end = mark.index + mark[0].length;
    const next = marks[i + 1];
    const isRepeated = next && next[0].trim() === mark[0].trim() && !text.slice(end, next.index + 2).includes("\n\n");
    shown += text.slice(at, isRepeated ? mark.index : end);
    at = end;
  });
  return shown + text.slice(at);
}

/** The text of a Markdown document as nodes. */
export const markdown = (text) => blocks(text, rich, " ");

/** Markdown as nodes. `spans` makes the nodes of a line, and `join` stands between the lines of a paragraph. */
function blocks(text, spans, join) {
  const blocks = [];
  const lines = text.split("\n");
  let list;
  for (let i = 0; i < lines.length; i += 1) {
    const line = lines[i];
    const fence = /^\s*(```+|~~~+)/.exec(line)?.[1];
    if (fence) {
      const code = [];
      // While the answer is streamed, an open fence ends with the text.
      for (i += 1; i < lines.length && !lines[i].trim().startsWith(fence); i += 1) code.push(lines[i]);
      blocks.push(pre(code.join("\n")));
      list = undefined;
      continue;
    }
    if (line.includes("|") && DIVIDER.test(lines[i + 1] ?? "") && lines[i + 1].includes("-")) {
      const rows = [cells(line)];
      for (i += 2; i < lines.length && lines[i].includes("|"); i += 1) rows.push(cells(lines[i]));
      i -= 1;
      blocks.push(grid(rows, spans));
      list = undefined;
      continue;
    }
    const item = ITEM.exec(line) ?? (list && NESTED.exec(line));
    if (item && !RULE.test(line)) {
      const tag = item[1] ? "ol" : "ul";
      if (list?.localName !== tag) {
        list = h(tag, { start: item[1] });
        blocks.push(list);
      }
      list.append(h("li", {}, ...spans(item[2])));
      continue;
    }
    if (line.trim() === "" || RULE.test(line)) {
      list = undefined;
      continue;
    }
    const last = blocks.at(-1);
    const continues = i > 0 && lines[i - 1].trim() !== "";
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(line);
    const quote = /^\s{0,3}>\s?(.*)$/.exec(line);
    if (heading) blocks.push(h("p", { class: "heading" }, ...spans(heading[1])));
    else if (quote && continues && last?.localName === "blockquote") last.append(join, ...spans(quote[1]));
    else if (quote) blocks.push(h("blockquote", {}, ...spans(quote[1])));
    else if (list && /^\s/.test(line)) list.lastChild.append(" ", ...spans(line.trim()));
    else if (continues && last?.localName === "p" && !last.className) last.append(join, ...spans(line));
    else blocks.push(h("p", {}, ...spans(line)));
    if (!/^\s/.test(line)) list = undefined;
  }
  return blocks;
}

const pre = (text) => h("pre", { tabindex: 0, dir: "ltr" }, h("code", {}, text));

const cells = (line) => line.trim().replace(/^\|/, "").replace(/(?<!\\)\|$/, "").split(/(?<!\\)\|/)
  .map((cell) => cell.trim().replaceAll("\\|", "|"));

/** Rows of cells as a table; the first row has the names of the columns. */
function grid(rows, spans) {
  const [head, ...rest] = rows;
  const row = (tag, props) => (row) => h("tr", {}, ...row.map((cell) => h(tag, props, ...spans(cell))));
  return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Table" }, h("table", {},
    h("thead", {}, row("th", { scope: "col" })(head)), h("tbody", {}, ...rest.map(row("td", {})))));
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

/** The spans of a line of a document. A link is not followed: its text is shown, with the address as its title. */
function rich(text) {
  const nodes = [];
  let at = 0;
  for (const match of text.matchAll(RICH)) {
    const [whole, ticks, code, label, address, bold, strong, , slanted] = match;
    nodes.push(text.slice(at, match.index));
    if (ticks) nodes.push(h("code", {}, code.trim()));
    else if (bold) nodes.push(h("strong", {}, ...rich(strong)));
    else if (slanted) nodes.push(h("em", {}, ...rich(slanted)));
    else nodes.push(h("span", { class: "ref", title: address }, label));
    at = match.index + whole.length;
  }
  nodes.push(text.slice(at));
  return nodes.filter((node) => node !== "");
}

const MARKDOWN = /\.(?:md|markdown|mdx|mkd|mdown)$/i;

/** The text of a passage as nodes, by the format of its document. */
export function rendered(text, format, path) {
  if (format === "code") return [pre(text)];
  if (format === "markdown" || (!format && MARKDOWN.test(path))) return markdown(text);
  return records(flowing(text));
}

/** Plain text: lines with cells become tables, everything else paragraphs that keep their lines. */
function records(text) {
  const nodes = [];
  let plain = [];
  let rows = [];
  const endRows = () => {
    if (rows.length > 1) {
      endPlain();
      nodes.push(grid(rows.map(cells), (cell) => [cell]));
    } else plain.push(...rows);
    rows = [];
  };
  const endPlain = () => {
    const text = plain.join("\n");
    nodes.push(...text.split(/\n\s*\n/).filter((one) => one.trim()).map((one) => h("p", { class: "plain" }, one.replace(/^\n+|\s+$/g, ""))));
    plain = [];
  };
  for (const line of text.split("\n")) {
    if (line.includes(" | ") || (rows.length && /^\s*\|.*\|\s*$|\s\|\s*$/.test(line))) rows.push(line);
    else {
      endRows();
      plain.push(line);
    }
  }
  endRows();
  endPlain();
  return nodes;
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

/** Marks in `root` the sentences that the answer uses, with `<span class="said">`, and words of the question, with `<mark>`. */
export function highlight(root, stems, said) {
  const { text, places } = letters(root);
  const ranges = new Map();
  for (const claim of said) {
    const wanted = searchable(claim);
    const start = wanted.length < 3 ? -1 : text.indexOf(wanted);
    if (start < 0) continue;
    cover(ranges, places.slice(start, start + wanted.length));
  }
  for (const [node, all] of ranges) {
    all.sort((a, b) => b[0] - a[0]);
    let before = node.length;
    // From the last to the first, so that the positions before stay valid.
    for (const [from, to] of all) {
      if (to <= before) wrap(node, from, to);
      before = Math.min(before, from);
    }
  }
  if (stems.size) for (const node of textNodes(root)) markWords(node, stems);
}

function textNodes(root) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const nodes = [];
  while (walker.nextNode()) nodes.push(walker.currentNode);
  return nodes;
}

/** Letters and digits in lower case: quotations differ from what is shown in markup, spaces and punctuation. */
const searchable = (text) => text.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, "");

/** The searchable text below a node, and for each of its characters the text node and the position there. */
function letters(root) {
  let text = "";
  const places = [];
  for (const node of textNodes(root)) {
    let at = 0;
    for (const char of node.data) {
      for (const unit of searchable(char)) {
        for (let i = 0; i < unit.length; i += 1) places.push([node, at, at + char.length]);
        text += unit;
      }
      at += char.length;
    }
  }
  return { text, places };
}

/** Adds a run of characters to the ranges of their nodes: the rest of a node where the run continues in the next one. */
function cover(ranges, run) {
  run.forEach(([node, from, to], i) => {
    const isFirst = run[i - 1]?.[0] !== node;
    const isLast = run[i + 1]?.[0] !== node;
    const start = isFirst && i > 0 ? 0 : from;
    // Punctuation after the last word belongs to the sentence.
    const end = !isLast ? to : i < run.length - 1 ? node.length : to + /^[\p{P}]*/u.exec(node.data.slice(to))[0].length;
    if (!ranges.has(node)) ranges.set(node, []);
    const all = ranges.get(node);
    // One run has one range in each node.
    if (isFirst) all.push([start, end]);
    else all.at(-1)[1] = end;
  });
}

function wrap(node, from, to) {
  const middle = from > 0 ? node.splitText(from) : node;
  if (to - from < middle.length) middle.splitText(to - from);
  const span = h("span", { class: "said" });
  middle.replaceWith(span);
  span.append(middle);
}

function markWords(node, stems) {
  const nodes = [];
  let at = 0;
  for (const [from, word] of wordsOf(node.data)) {
    if (!stems.has(stem(word))) continue;
    nodes.push(node.data.slice(at, from), h("mark", {}, word));
    at = from + word.length;
  }
  if (nodes.length) node.replaceWith(...nodes, node.data.slice(at));
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
