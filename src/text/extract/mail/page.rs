//! Removes from an HTML mail the elements in which mail programs put history and signatures.

use std::convert::Infallible;

use html5gum::Tokenizer;
use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};

use super::own;
use crate::strings::StrExt as _;

const QUOTE_CLASSES: &str = "gmail_quote gmail_quote_container gmail_extra yahoo_quoted \
    protonmail_quote zmail_extra tutanota_quote moz-cite-prefix OutlookMessageHeader";

const SIGNATURE_CLASSES: &str = "gmail_signature gmail_signature_prefix moz-signature \
    protonmail_signature_block";

const SIGNATURE_IDS: &str = "Signature AppleMailSignature lineBreakAtBeginningOfSignature \
    ms-outlook-mobile-signature";

/// Outlook: all that follows is history.
const LAST_IDS: &str = "appendonsend divRplyFwdMsg mail-editor-reference-message-container";

/// Attributes of the start tag that is being read.
#[derive(Default)]
struct Tag {
    name: Vec<u8>,
    attribute: Vec<u8>,
    class: Vec<u8>,
    id: Vec<u8>,
    kind: Vec<u8>,
    own_name: Vec<u8>,
}

/// What an element with this tag contains.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    Words,
    Signature,
    Quote,
    /// History up to the end of the page.
    Rest,
}

impl Tag {
    fn value(&mut self, value: &[u8]) {
        let part = match self.attribute.as_slice() {
            b"class" => &mut self.class,
            b"id" => &mut self.id,
            b"type" => &mut self.kind,
            b"name" => &mut self.own_name,
            _ => return,
        };
        part.extend_from_slice(value);
    }

    fn content(&self) -> Content {
        let has = |known: &str, words: &[u8]| {
            words.split(u8::is_ascii_whitespace).any(|word| {
                // Outlook prefixes names of a page that it quotes.
                let word = word.strip_prefix(b"x_").unwrap_or(word);
                !word.is_empty() && known.split_ascii_whitespace().any(|k| k.as_bytes() == word)
            })
        };
        if has(LAST_IDS, &self.id) {
            Content::Rest
        } else if has(SIGNATURE_CLASSES, &self.class) || has(SIGNATURE_IDS, &self.id) {
            Content::Signature
        } else if has(QUOTE_CLASSES, &self.class)
            || (self.name == b"blockquote" && self.kind.eq_ignore_ascii_case(b"cite"))
            || (self.name == b"div" && self.own_name == b"quote")
        {
            Content::Quote
        } else {
            Content::Words
        }
    }
}

/// An element that is being left out.
struct Skipped {
    name: Vec<u8>,
    /// Open elements with this name.
    depth: usize,
    start: usize,
}

/// Bytes after the start tag of a quotation in which a forwarded message says that it is one.
const FORWARD_BYTES: usize = 400;

/// The page without history and signatures. A forwarded message is kept.
pub(super) fn without_history(source: &str, is_forward: bool) -> String {
    let mut left_out: Vec<(usize, usize)> = Vec::new();
    let mut skipped: Option<Skipped> = None;
    let mut is_over = false;
    let mut tag = Tag::default();
    let mut start = 0;
    let mut emitter =
        CallbackEmitter::new(|event: CallbackEvent<'_>, span: html5gum::Span<usize>| {
            match event {
                CallbackEvent::OpenStartTag { name } => {
                    tag = Tag { name: name.to_vec(), ..Tag::default() };
                    start = span.start;
                }
                CallbackEvent::AttributeName { name } => tag.attribute = name.to_vec(),
                CallbackEvent::AttributeValue { value } => tag.value(value),
                CallbackEvent::CloseStartTag { .. } => match &mut skipped {
                    Some(skipped) => skipped.depth += usize::from(skipped.name == tag.name),
                    None if is_over => {}
                    None => {
                        let content = tag.content();
                        let is_quote = matches!(content, Content::Quote | Content::Rest);
                        let is_kept = content == Content::Words
                            || is_quote && (is_forward || forwards(source, span.end));
                        if !is_kept && content == Content::Rest {
                            is_over = true;
                            left_out.push((start, source.len()));
                        } else if !is_kept {
                            skipped = Some(Skipped { name: tag.name.clone(), depth: 1, start });
                        }
                    }
                },
                CallbackEvent::EndTag { name } => {
                    if let Some(open) = skipped.as_mut().filter(|open| open.name == name) {
                        open.depth -= 1;
                        if open.depth == 0 {
                            left_out.push((open.start, span.end));
                            skipped = None;
                        }
                    }
                }
                _ => {}
            }
            None::<Infallible>
        });
    emitter.naively_switch_states(true);
    let Ok(()) = Tokenizer::new_with_emitter(source, emitter).finish();
    left_out.extend(skipped.map(|open| (open.start, source.len())));

    let mut kept = String::with_capacity(source.len());
    let mut at = 0;
    for (start, end) in left_out {
        kept.push_str(source.slice(at..start.max(at)));
        at = end.max(at);
    }
    kept.push_str(source.slice(at..));
    kept
}

/// Whether a quotation that begins here is a forwarded message.
fn forwards(source: &str, at: usize) -> bool {
    let mut end = (at + FORWARD_BYTES).min(source.len());
    while !source.is_char_boundary(end) {
        end -= 1;
    }
    own::has_forward_phrase(&source.slice(at..end.max(at)).to_lowercase())
}
