//! Model names of Ollama's API: a name without a tag has the tag `latest`.

use axum::http::StatusCode;
use jiff::Timestamp;

use crate::serve::app::App;
use crate::serve::error::{Error, Result};
use crate::serve::guard::Allowed;
use crate::serve::routes::openai::names::NAME;

const LATEST: &str = "latest";

/// The index that a model names: `rag` and `rag:latest` are the default one, `rag:NAME` is another.
///
/// # Errors
/// When the model is not an index.
fn named(model: &str) -> Result<Option<&str>> {
    match model.split_once(':') {
        None if model == NAME => Ok(None),
        Some((NAME, LATEST)) => Ok(None),
        Some((NAME, index)) => Ok(Some(index)),
        _ => Err(no_model(model)),
    }
}

/// The index of a model.
///
/// # Errors
/// When the model is not an index, or the token may not use it.
pub fn index_of(app: &App, allowed: &Allowed, model: &str) -> Result<String> {
    let name = named(model)?.map(str::to_owned);
    let index = allowed.index(name, app).map_err(|_| no_model(model))?;
    Ok(index.unwrap_or_else(|| app.engine().config.index.clone()))
}

/// Whether `model` is the model of this name.
pub fn is_model(model: &str, name: &str) -> bool {
    model == name || model.strip_suffix(LATEST).and_then(|m| m.strip_suffix(':')) == Some(name)
}

/// A name with a tag.
pub fn tagged(name: &str) -> String {
    format!("{name}:{LATEST}")
}

pub fn no_model(name: &str) -> Error {
    let what = format!("model '{name}' not found");
    Error::new(StatusCode::NOT_FOUND, "model_not_found", what)
        .param("model")
        .hint("GET /api/tags lists the models")
}

/// A moment in the format of RFC 3339.
pub fn timestamp(seconds: i64) -> String {
    Timestamp::from_second(seconds).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_an_index() {
        let check = |model: &str, expected: Option<Option<&str>>| {
            assert_eq!(named(model).ok(), expected, "{model}");
        };
        check("rag", Some(None));
        check("rag:latest", Some(None));
        check("rag:other", Some(Some("other")));
        check("ragged", None);
        check("llama3:latest", None);
        assert!(is_model("a-b", "a-b") && is_model("a-b:latest", "a-b"));
        assert!(!is_model("a-b:7b", "a-b") && !is_model("a-blatest", "a-b"));
        assert_eq!(timestamp(0), "1970-01-01T00:00:00Z");
    }
}
