//! placeholder
use crate::document::Span;
pub fn sentences(text: &str) -> Vec<Span> { vec![Span::new(0, text.len())] }
