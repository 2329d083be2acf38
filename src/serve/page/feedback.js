// The buttons that say whether an answer helped.

import { call } from "./api.js";
import { announce, button, h, icon, problem } from "./dom.js";

const REASONS = [
  ["wrong", "It is wrong"],
  ["incomplete", "Something is missing"],
  ["outdated", "It is out of date"],
  ["unanswerable", "The documents have no answer to this"],
  ["other", "Something else"],
];
const NOTICE = "This keeps your question in words on this server, so that search and answers can be measured with it.";

let last = 0;

/** The buttons for an answer; `facts()` has its question, index, sources, and whether it is supported. */
export function thumbs(facts) {
  const place = h("div", { class: "rate" });
  const thumb = (name, label, on) => button(icon(name), on,
    { class: "icon small", "aria-label": label, title: label, "aria-pressed": "false" });
  const up = thumb("up", "Helpful", () => choose(true));
  const down = thumb("down", "Not helpful", () => choose(false));
  const choose = (helpful) => {
    up.setAttribute("aria-pressed", String(helpful));
    down.setAttribute("aria-pressed", String(!helpful));
    place.replaceChildren(form(facts, helpful, place, () => {
      up.setAttribute("aria-pressed", "false");
      down.setAttribute("aria-pressed", "false");
      (helpful ? up : down).focus();
    }));
    place.querySelector("input, textarea, button")?.focus();
  };
  return { buttons: [up, down], place };
}

function form(facts, helpful, place, cancelled) {
  const name = `why-${last += 1}`;
  const why = REASONS.map(([value, label], i) => h("label", { class: "check" },
    h("input", { type: "radio", name, value, checked: i === 0 }), label));
  const comment = h("textarea", { rows: 2, maxlength: 4000, dir: "auto", "aria-label": "Comment", placeholder: "In your words (optional)" });
  const expected = h("input", { type: "text", maxlength: 4000, spellcheck: "false", autocapitalize: "off",
    placeholder: "docs/guide.md (optional)" });
  const send = async (event) => {
    event.preventDefault();
    const { question, index, supported, sources } = facts();
    const reason = node.querySelector("input:checked")?.value;
    try {
      await call("/feedback", { body: {
        question, index, helpful, supported, sources,
        ...(helpful ? {} : { reason, expected: expected.value.trim() || undefined }),
        comment: comment.value.trim() || undefined,
      } });
      place.replaceChildren(h("p", { class: "good", role: "status" }, "Thank you. Your feedback is stored."));
      announce("Thank you. Your feedback is stored.");
    } catch (error) {
      place.append(problem(error));
    }
  };
  const node = h("form", { class: "rating", on: { submit: send } },
    !helpful && h("fieldset", {}, h("legend", {}, "What is wrong with it?"), ...why),
    !helpful && h("label", {}, "Document that has the answer", expected),
    comment,
    h("p", { class: "faint" }, NOTICE),
    h("div", { class: "row" },
      h("button", { type: "submit", class: "primary" }, helpful ? "Send as helpful" : "Send"),
      button("Cancel", () => {
        place.replaceChildren();
        cancelled();
      }, { class: "quiet" })));
  return node;
}
