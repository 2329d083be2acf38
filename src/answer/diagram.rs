//! The steps of an answer as a Mermaid flowchart: a text that many Markdown viewers draw.

use super::intent::Intent;
use crate::document::Answer;
use crate::naming::name;
use crate::strings::{StrExt as _, lines};

/// A flowchart from the question over each step to the next; `None` for an answer without steps.
#[must_use]
pub fn diagram(question: &str, answer: &Answer, intent: Intent) -> Option<String> {
    let steps = steps_of(answer, intent);
    if steps.is_empty() {
        return None;
    }
    let mut out = format!("flowchart TD\n    q([\"{}\"])\n", label(&question.one_line()));
    let mut before = "q".to_owned();
    for (step, n) in steps.iter().zip(1..) {
        out.push_str(&format!("    {before} --> s{n}[\"{}\"]\n", label(step)));
        before = format!("s{n}");
    }
    for citation in &answer.citations {
        let hit = &citation.hit;
        let path = name(&hit.root, &hit.path).one_line();
        let line = citation.extent().lines.first;
        out.push_str(&format!("    %% [{}] {path}:{line}\n", citation.n));
    }
    Some(out)
}

/// The steps of an answer that says how to do something; of another none.
#[must_use]
pub fn steps_of(answer: &Answer, intent: Intent) -> Vec<String> {
    let has_steps = answer.supported && matches!(intent, Intent::HowTo | Intent::Troubleshooting);
    if has_steps { steps(&answer.text) } else { Vec::new() }
}

/// The steps of a text: its list items, or else its sentences as their marks end them. A listing
/// belongs to the step before it.
fn steps(text: &str) -> Vec<String> {
    let mut steps: Vec<String> = Vec::new();
    let mut in_code = false;
    for line in lines(text) {
        let trimmed = line.trim();
        if trimmed.starts_with("```") {
            in_code = !in_code;
            continue;
        }
        match (in_code || is_mark(trimmed), steps.last_mut()) {
            _ if trimmed.is_empty() => {}
            (true, Some(step)) => {
                step.push(if in_code { '\n' } else { ' ' });
                step.push_str(trimmed);
            }
            _ => match item(trimmed) {
                Some(item) => steps.push(item.to_owned()),
                None => steps.extend(sentences(trimmed)),
            },
        }
    }
    steps
}

/// The text of a list item.
fn item(line: &str) -> Option<&str> {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let after_number = || line.slice(digits..).strip_prefix(". ");
    line.strip_prefix("- ").or_else(|| after_number().filter(|_| digits > 0))
}

/// Whether a line is only the mark of a listing before it.
fn is_mark(line: &str) -> bool {
    mark_len(line) == line.len() && !line.is_empty()
}

/// The length of the marks `[1]` or `[1][2]` that a text begins with.
fn mark_len(text: &str) -> usize {
    let mut len = 0;
    while let Some(rest) = text.slice(len..).strip_prefix('[') {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 || !rest.slice(digits..).starts_with(']') {
            break;
        }
        len += digits + 2;
    }
    len
}

/// A paragraph, cut after each mark.
fn sentences(line: &str) -> Vec<String> {
    let (mut sentences, mut start) = (Vec::new(), 0);
    let mut at = 0;
    while let Some(open) = line.slice(at..).find('[') {
        let len = mark_len(line.slice(at + open..));
        at += open + len.max(1);
        if len > 0 {
            sentences.push(line.slice(start..at).trim().to_owned());
            start = at;
        }
    }
    let rest = line.slice(start..).trim();
    sentences.extend((!rest.is_empty()).then(|| rest.to_owned()));
    sentences
}

/// A text that Mermaid shows as it is: it reads labels as HTML with `#` entities.
fn label(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '"' => out.push_str("#quot;"),
            '#' => out.push_str("#35;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '&' => out.push_str("#amp;"),
            '`' => out.push_str("#96;"),
            '\n' => out.push_str("<br/>"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(text: &str, intent: Intent) -> Option<String> {
        let answer = Answer {
            text: text.to_owned(),
            supported: true,
            confidence: None,
            citations: Vec::new(),
        };
        diagram("How do I \"start\"?", &answer, intent)
    }

    #[test]
    fn list_items_and_listings_become_steps() {
        let text = "To start: [1]\n1. Run <setup>. [1]\n```sh\na && b\n```\n[1]\n2. Ask. [2]";
        let expected = "flowchart TD\n    q([\"How do I #quot;start#quot;?\"])\n    \
             q --> s1[\"To start: [1]\"]\n    \
             s1 --> s2[\"Run #lt;setup#gt;. [1]<br/>a #amp;#amp; b [1]\"]\n    \
             s2 --> s3[\"Ask. [2]\"]\n";
        assert_eq!(drawn(text, Intent::HowTo).as_deref(), Some(expected));
    }

    #[test]
    fn sentences_end_at_their_marks() {
        let text = "Open the lid. [1] Press it [twice]. [1][2] Wait.";
        assert_eq!(steps(text), ["Open the lid. [1]", "Press it [twice]. [1][2]", "Wait."]);
        assert_eq!(drawn(text, Intent::Definition), None);
        assert_eq!(drawn("", Intent::HowTo), None);
    }
}
