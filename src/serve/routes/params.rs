//! Parameters that several routes share: parsing and schemas.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};

use crate::answer::Intent;
use crate::cache::Caching;
use crate::config::{self, Config, Generator, Mode};
use crate::filter::Filter;
use crate::serve::access::Scope;
use crate::serve::error::{Error, Result};
use crate::serve::guard::Allowed;
use crate::service::Priority;

/// As in the setting `search.k`.
const MAX_K: usize = 1000;

/// The one of `all` that has the name.
pub fn named<T: Copy>(
    what: &str,
    name: Option<&str>,
    all: &[T],
    name_of: impl Fn(T) -> &'static str,
) -> Result<Option<T>> {
    let Some(name) = name else { return Ok(None) };
    let found = all.iter().copied().find(|one| name_of(*one) == name);
    found.map(Some).ok_or_else(|| {
        let names: Vec<&str> = all.iter().copied().map(name_of).collect();
        Error::usage(format!("unknown {what}")).hint(format!("use one of {}", names.join(", ")))
    })
}

pub fn intent(name: Option<&str>) -> Result<Option<Intent>> {
    named("intent", name, Intent::ALL, Intent::name)
}

pub fn generator(name: Option<&str>) -> Result<Option<Generator>> {
    named("generator", name, &Generator::ALL, Generator::name)
}

/// The name of a language model. It must be known even where a request writes without one.
pub fn language_model(name: Option<&str>, config: &Config) -> Result<Option<String>> {
    let Some(name) = name else { return Ok(None) };
    match language_models(config).contains(&name) {
        true => Ok(Some(name.to_owned())),
        false => Err(config.unknown_language_model(name).into()),
    }
}

/// The names that [`language_model`] accepts.
pub fn language_models(config: &Config) -> Vec<&str> {
    // The model of `llm` itself has the empty name, unless it is one of the others.
    let own = config.llm.name.as_str();
    let is_other = !config.llms.contains_key(own) && !config.llm.base_url.is_empty();
    config.llms.keys().map(String::as_str).chain(is_other.then_some(own)).collect()
}

pub fn mode(name: Option<&str>) -> Result<Option<Mode>> {
    named("mode", name, &Mode::ALL, Mode::name)
}

/// The priority, normal by default. A higher one overtakes the questions of others and can push
/// them out of a full queue, so it needs the scope admin.
pub fn priority(name: Option<&str>, allowed: &Allowed) -> Result<Priority> {
    let found = named("priority", name, &Priority::ALL, Priority::name)?;
    let priority = found.unwrap_or(Priority::Normal);
    if priority < Priority::Normal && allowed.scope < Scope::Admin {
        let what = format!("the priority {} requires the scope admin", priority.name());
        return Err(
            Error::forbidden(what).hint("omit `priority`, or use normal, low or background")
        );
    }
    Ok(priority)
}

pub fn k(k: Option<usize>) -> Result<Option<usize>> {
    match k {
        Some(n) if !(1..=MAX_K).contains(&n) => {
            Err(Error::usage(format!("k must be from 1 to {MAX_K}")))
        }
        k => Ok(k),
    }
}

pub fn filter(text: Option<&str>) -> Result<Option<Filter>> {
    let parse = |text| Ok(Filter::parse(text)?.relative_to(&config::working_dir()));
    text.map(parse).transpose()
}

/// The schema of a filter. Every text that matches its pattern is a valid filter; a few valid
/// filters do not match, such as those with nested brackets.
pub fn filter_schema() -> RefOr<Schema> {
    let words = "Filter expression, as in `rag search --filter`: only documents that match are \
         searched, for example `type:markdown and not path:drafts/**`";
    let schema = ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .max_length(Some(4096))
        .pattern(Some(filter_pattern()))
        .description(Some(words));
    RefOr::T(schema.into())
}

fn filter_pattern() -> String {
    let day = concat!(
        "([0-9]{4}(-(0[1-9]|1[0-2]))?|",
        "[0-9]{4}-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])",
        "|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31))",
    );
    // Which control characters are white space depends on the language of the client.
    let value =
        r#"([^\s\x00-\x20\x7f-\x9f()"=][^\s\x00-\x20\x7f-\x9f()"]*|"[^"\\\x00-\x1f\x7f-\x9f]+")"#;
    // A glob with an unclosed bracket is invalid.
    let path = concat!(
        r#"([0-9A-Za-z_*?][^\s\x00-\x20\x7f-\x9f()"\\\[\]{}]*"#,
        r#"|"[0-9A-Za-z_*?][^"\\\[\]{}\x00-\x1f\x7f-\x9f]*")"#,
    );
    let size = "[0-9]{1,9}[kmg]?b?";
    let order = "(:|=|<=?|>=?)";
    let test = format!(
        "(path[:=]{path}|(domain|type|lang)[:=]{value}|date{order}{day}|size{order}{size}\
         |meta\\.[0-9A-Za-z_-]+{order}{value})"
    );
    let one = format!("(not ){{0,3}}{test}");
    let all = format!("{one}( (and|or) {one}){{0,15}}");
    let either = format!("({one}|(not )?\\({all}\\))");
    format!("^{either}( (and|or) {either}){{0,5}}$")
}

/// The glob that matches this path and no other.
pub fn exact_glob(path: &str) -> String {
    // A leading slash anchors the glob at the root.
    let mut glob = "/".to_owned();
    for c in path.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '{' | '}' | '\\' | '!') {
            glob.push('\\');
        }
        glob.push(c);
    }
    glob
}

pub fn caching(use_cache: Option<bool>, refresh: bool) -> Caching {
    match (use_cache.unwrap_or(true), refresh) {
        (false, _) => Caching::Off,
        (true, true) => Caching::Refresh,
        (true, false) => Caching::Use,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_match_the_pattern_are_filters() {
        let pattern = regex::Regex::new(&filter_pattern()).unwrap();
        for text in [
            "type:markdown",
            "type:markdown and not path:drafts/**",
            "path:\"a b/**\" or domain=guides",
            "not (lang:de or lang:fr) and size<100k",
            "date>=2024-02 and date<2026-12-31 or date:2026-04-30",
            "meta.author:\"Ada Lovelace\" and meta.year>1840",
            "(size>=2m or size<10kb) and type=pdf",
        ] {
            assert!(pattern.is_match(text), "{text}");
            Filter::parse(text).unwrap();
        }
        for text in [
            "",
            "x",
            "colour:red",
            "date:2026-02-30",
            "date:2026-04-31",
            "path:[",
            "path:/",
            "size<",
            "meta.a<=",
        ] {
            assert!(!pattern.is_match(text), "{text}");
            assert!(Filter::parse(text).is_err(), "{text}");
        }
    }
}
