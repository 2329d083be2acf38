//! Renders HTML as the text that a reader of the page sees; characters are mapped to the source.
//!
//! There is no tree: the tokenizer reports tags, and the source between two tags is text. So depth
//! costs nothing and no nesting is invalid. The state (lists, tables, `pre`, the main part) is a
//! few counters.
//!
//! The page is first rendered whole, to measure the text in its main part, in navigation and
//! elsewhere, and then again without what is not its main content. If nothing would be left,
//! everything is kept.

mod elements;
mod entities;
mod metadata;
mod renderer;
mod tag;
mod writer;
mod zones;

use std::borrow::Cow;

use html5gum::Tokenizer;
use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};

use super::doc::{Block, first_heading};
use super::origin::OffsetMap;
use entities::decode_entities;
use renderer::Renderer;
use tag::Tag;
use zones::Keep;

pub(super) struct Page {
    pub(super) title: Option<String>,
    pub(super) text: String,
    pub(super) map: OffsetMap,
    pub(super) blocks: Vec<Block>,
    pub(super) metadata: Vec<(String, String)>,
}

pub(super) fn parse(source: &str) -> Page {
    let survey = render(source, Keep::NOT_HIDDEN);
    let keep = Keep::of_page(&survey.n_bytes, survey.n_links);
    let rendered = if keep.is_all_of(&survey.n_bytes) { survey } else { render(source, keep) };
    let (text, map, blocks) = rendered.out.finish();
    let title = rendered.title.map(|title| decode_entities(&title));
    let title = title.filter(|t| !t.trim().is_empty()).or_else(|| first_heading(&blocks));
    Page { title, text, map, blocks, metadata: rendered.metadata }
}

/// The entity at the start of a text that starts with `&`: its length and its value.
pub(super) fn entity(text: &str) -> (usize, Cow<'static, str>) {
    entities::entity(text)
}

fn render(source: &str, keep: Keep) -> Renderer<'_> {
    let mut renderer = Renderer::new(source, keep);
    let mut tag = Tag::default();
    let mut text_start = 0;
    let mut emitter =
        CallbackEmitter::new(|event: CallbackEvent<'_>, span: html5gum::Span<usize>| {
            match event {
                CallbackEvent::OpenStartTag { name } => {
                    renderer.text(text_start, span.start);
                    // An unclosed tag at the end of the file is not text.
                    text_start = source.len();
                    tag.clear(name);
                }
                CallbackEvent::AttributeName { name } => tag.attribute(name),
                CallbackEvent::AttributeValue { value } => tag.value(value),
                CallbackEvent::CloseStartTag { self_closing } => {
                    text_start = span.end;
                    renderer.open(&tag, self_closing, span.end);
                }
                CallbackEvent::EndTag { name } => {
                    renderer.text(text_start, span.start);
                    text_start = span.end;
                    renderer.close(name, span.end);
                }
                CallbackEvent::Comment { .. } | CallbackEvent::Doctype { .. } => {
                    renderer.text(text_start, span.start);
                    text_start = span.end;
                }
                CallbackEvent::String { .. } | CallbackEvent::Error(_) => {}
            }
            None::<std::convert::Infallible>
        });
    emitter.naively_switch_states(true);
    let Ok(()) = Tokenizer::new_with_emitter(source, emitter).finish();
    renderer.text(text_start, source.len());
    renderer
}
