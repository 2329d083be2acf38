//! Decodes entities such as `&eacute;` by the tokenizer's table.

use std::borrow::Cow;

use html5gum::Tokenizer;
use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};

use crate::strings::StrExt as _;

/// The entity at the start of a text that starts with `&`: its length and its value. A bare `&` is
/// its own value.
pub(super) fn entity(text: &str) -> (usize, Cow<'static, str>) {
    for (name, decoded) in
        [("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"), ("&quot;", "\""), ("&nbsp;", "\u{A0}")]
    {
        if text.starts_with(name) {
            return (name.len(), decoded.into());
        }
    }
    // The longest name in the standard has 33 characters, with `&` and `;`.
    let name = text.bytes().skip(1).take(40);
    let n = name.take_while(|b| b.is_ascii_alphanumeric() || *b == b'#').count();
    if n == 0 {
        return (1, "&".into());
    }
    let len = 1 + n + usize::from(text.as_bytes().get(1 + n) == Some(&b';'));
    (len, decode_entities(text.slice(..len)).into())
}

pub(super) fn decode_entities(text: &str) -> String {
    let mut out = Vec::new();
    let emitter = CallbackEmitter::new(|event: CallbackEvent<'_>, _: html5gum::Span<()>| {
        if let CallbackEvent::String { value } = event {
            out.extend_from_slice(value);
        }
        None::<std::convert::Infallible>
    });
    let Ok(()) = Tokenizer::new_with_emitter(text, emitter).finish();
    String::from_utf8_lossy(&out).into_owned()
}
