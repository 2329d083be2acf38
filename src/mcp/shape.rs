//! Results of tools: passages as JSON without invisible characters, within a budget of bytes.

use serde_json::{Value, json};

use crate::analysis::untrusted::{Risk, neutralise};
use crate::ask::chunk_risk;
use crate::document::{Chunk, Citation, Extent, Hit};
use crate::index::Stored;
use crate::naming;
use crate::strings::StrExt as _;

/// Bytes of a result outside of its lists: field names and short values.
const FRAME_BYTES: usize = 512;

/// The bytes of JSON that a result may still use.
pub struct Budget {
    left: usize,
    truncated: bool,
}

impl Budget {
    pub fn new(max_bytes: usize) -> Self {
        Self { left: max_bytes.saturating_sub(FRAME_BYTES), truncated: false }
    }

    /// True when an item was omitted or truncated.
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Adds an item to a list if it fits; the text of the first item is truncated if necessary.
    /// False when the list is full.
    pub fn push(&mut self, list: &mut Vec<Value>, mut item: Value) -> bool {
        let size = |item: &Value| item.to_string().len() + 1;
        let mut needs = size(&item);
        if needs > self.left
            && list.is_empty()
            && let Some(text) = item.get("text").and_then(Value::as_str).map(str::to_owned)
        {
            item["text"] = "".into();
            let room = self.left.saturating_sub(size(&item));
            item["text"] = cut(&text, room).into();
            needs = size(&item);
            self.truncated = true;
        }
        if needs > self.left {
            self.truncated = true;
            return false;
        }
        self.left -= needs;
        list.push(item);
        true
    }

    /// A text, truncated to `max_bytes` of JSON.
    pub fn text(&mut self, text: &str, max_bytes: usize) -> String {
        let text = clean(text);
        let kept = cut(&text, max_bytes.min(self.left));
        self.truncated |= kept.len() < text.len();
        self.left = self.left.saturating_sub(Value::from(kept).to_string().len());
        kept.to_owned()
    }
}

/// The longest prefix of a text with at most `room` bytes as a JSON string, without its quotes.
fn cut(text: &str, room: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += match c {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            '\0'..='\u{1f}' => 6,
            c => c.len_utf8(),
        };
        if used > room {
            return text.slice(..at);
        }
    }
    text
}

/// A text without invisible characters.
pub fn clean(text: &str) -> String {
    neutralise(text).into_owned()
}

/// A ranked passage.
pub fn hit(hit: &Hit, risk: &Risk) -> Value {
    hit_at(hit, &hit.chunk.extent(), risk)
}

/// A cited passage, with the place of what is cited.
pub fn citation(citation: &Citation, risk: &Risk) -> Value {
    hit_at(&citation.hit, &citation.extent(), risk)
}

fn hit_at(hit: &Hit, extent: &Extent, risk: &Risk) -> Value {
    let mut object = passage(&hit.chunk, extent, risk);
    object["path"] = naming::name(&hit.root, &hit.path).into();
    if let Some(title) = hit.title.as_deref() {
        object["title"] = clean(title).into();
    }
    object
}

/// A passage of a document.
pub fn stored(stored: &Stored) -> Value {
    passage(
        &stored.chunk,
        &stored.chunk.extent(),
        &chunk_risk(&stored.path, stored.title.as_deref(), &stored.chunk),
    )
}

fn passage(chunk: &Chunk, extent: &Extent, risk: &Risk) -> Value {
    let mut object =
        json!({ "lines": [extent.lines.first, extent.lines.last], "text": clean(&chunk.text) });
    if let Some(location) = extent.within() {
        let location = clean(&location);
        object["place"] = location.as_str().into();
        object["location"] = location.into();
    }
    if !chunk.heading.is_empty() {
        object["heading"] = chunk.heading.iter().map(|heading| clean(heading)).collect();
    }
    let reasons = risk.reasons();
    if !reasons.is_empty() {
        object["warnings"] =
            reasons.iter().map(|reason| format!("prompt injection: {reason}")).collect();
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_kept_to_the_byte() {
        for most in [FRAME_BYTES, FRAME_BYTES + 40, FRAME_BYTES + 100, FRAME_BYTES + 1000] {
            let (mut budget, mut list) = (Budget::new(most), Vec::new());
            for n in 0..20 {
                if !budget.push(&mut list, json!({ "n": n, "text": "ä\"\n\u{1}x".repeat(n + 1) }))
                {
                    break;
                }
            }
            let bytes = Value::from(list.clone()).to_string().len();
            assert!(bytes <= (most - FRAME_BYTES).max(2) + 1, "{bytes} of {most}");
            assert_eq!(budget.is_truncated(), list.len() < 20, "{most}");
        }
    }

    #[test]
    fn the_first_item_is_truncated_rather_than_omitted() {
        let (mut budget, mut list) = (Budget::new(FRAME_BYTES + 100), Vec::new());
        assert!(budget.push(&mut list, json!({ "text": "wörter ".repeat(100) })));
        assert!(
            list[0]["text"]
                .as_str()
                .is_some_and(|text| text.len() > 70 && text.starts_with("wörter "))
        );
        assert!(budget.is_truncated() && list[0].to_string().len() < 100);
    }
}
