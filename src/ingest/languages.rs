//! Advises another model where much of an index is in languages that its model does not know.

use std::collections::BTreeMap;

use crate::index::Meta;
use crate::model::ModelFiles;

/// Share of the passages, in percent, from which vectors of another model are worth their price:
/// ingesting English takes 2.3 times as long with multilingual-e5-small.
const MUCH_PERCENT: u64 = 30;

/// A model's languages include this one when it knows about a hundred.
const MULTILINGUAL: &str = "multilingual";

/// The advice, once: not when the generation before was in the same situation.
pub fn advice(model: &ModelFiles, meta: &Meta, before: Option<&Meta>) -> Option<String> {
    let known = model.languages();
    let (percent, language) = unknown(&known, meta)?;
    let is_new = before.is_none_or(|before| {
        before.model.fingerprint != meta.model.fingerprint || unknown(&known, before).is_none()
    });
    is_new.then(|| {
        format!(
            "{percent} % of the passages are in languages that the model `{}` does not know, most \
             of them in `{language}`: only words find them. `scripts/setup --multilingual` makes a \
             model that knows them; then `rag ingest --model multilingual-e5-small`",
            model.name
        )
    })
}

fn unknown<'a>(known: &[String], meta: &'a Meta) -> Option<(u64, &'a str)> {
    share_of_others(known, &meta.languages, meta.counts.chunks)
}

/// The share of passages in other languages than the known ones, if it is large, and the most
/// common of these languages.
fn share_of_others<'a>(
    known: &[String],
    languages: &'a BTreeMap<String, u64>,
    passages: u64,
) -> Option<(u64, &'a str)> {
    if known.is_empty() || known.iter().any(|language| language == MULTILINGUAL) {
        return None;
    }
    let others = languages.iter().filter(|(language, _)| !known.contains(language));
    let n: u64 = others.clone().map(|(_, n)| n).sum();
    let (most, _) = others.max_by_key(|(language, n)| (**n, std::cmp::Reverse(*language)))?;
    let percent = n * 100 / passages.max(1);
    (percent >= MUCH_PERCENT).then_some((percent, most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_shares_of_unknown_languages() {
        let check = |known: &[&str], found: &[(&str, u64)], expected: Option<(u64, &str)>| {
            let known: Vec<String> = known.iter().map(|code| (*code).to_owned()).collect();
            let languages = found.iter().map(|(code, n)| ((*code).to_owned(), *n)).collect();
            assert_eq!(share_of_others(&known, &languages, 100), expected, "{found:?}");
        };
        check(&["en"], &[("en", 71), ("zh", 20), ("de", 9)], None);
        check(&["en"], &[("en", 70), ("zh", 20), ("de", 10)], Some((30, "zh")));
        check(&["en", "zh"], &[("en", 10), ("zh", 90)], None);
        check(&["en"], &[("fr", 50), ("de", 50)], Some((100, "de")));
        check(&["multilingual"], &[("zh", 100)], None);
        // The model's files do not say.
        check(&[], &[("zh", 100)], None);
        check(&["en"], &[], None);
    }
}
