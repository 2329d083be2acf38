//! A question with its intent, completed from the conversation, and the digest that identifies its
//! answer in the cache.

use super::request::Request;
use crate::answer::{Evidence, Exchange, Intent, Options};
use crate::cache::Key;
use crate::disk::Blake;
use crate::engine::Engine;

/// A question, ready for a generator.
pub(super) struct ResolvedQuestion<'a> {
    pub request: &'a Request,
    /// The question, completed from the conversation.
    pub resolved: String,
    pub intent: Intent,
    /// The misspelt words of the question, and those of the index that the search read instead.
    pub corrections: Vec<(String, String)>,
    /// The end of the conversation, oldest first.
    pub earlier: Vec<Exchange>,
}

impl ResolvedQuestion<'_> {
    pub fn options(&self, engine: &Engine) -> Options {
        Options {
            intent: Some(self.intent),
            max_words: engine.config.ask_max_words,
            ..Options::default()
        }
    }

    /// The question with its misspelt words corrected.
    pub fn corrected(&self) -> String {
        self.corrections.iter().fold(self.resolved.clone(), |text, (word, instead)| {
            let words = text.split(' ').map(|part| {
                let bare = part.trim_matches(|c: char| !c.is_alphanumeric());
                if bare.to_lowercase() == word.to_lowercase() {
                    part.replace(bare, instead)
                } else {
                    part.to_owned()
                }
            });
            words.collect::<Vec<_>>().join(" ")
        })
    }

    /// The key of the answer in the cache: everything that an answer depends on, except the rarity
    /// of words, which each cached answer lists itself. `languages` are those of the index, `more`
    /// is what the generator depends on.
    pub fn key(&self, evidence: &[Evidence], languages: &[&str], more: &[&[u8]]) -> Key {
        let evidence = digest(evidence);
        let mut index_languages = Blake::new(32);
        languages.iter().for_each(|language| index_languages.add(language.as_bytes()));
        let index_languages: [u8; 32] = index_languages.finish();
        let corrected = self.corrected();
        let own: [&[u8]; 6] = [
            self.request.question.trim().as_bytes(),
            self.resolved.as_bytes(),
            corrected.as_bytes(),
            self.intent.name().as_bytes(),
            &evidence,
            &index_languages,
        ];
        Key::of("answer v2", own.into_iter().chain(more.iter().copied()))
    }
}

/// BLAKE2b over the evidence, in order: place, text and cosine of each piece.
fn digest(evidence: &[Evidence]) -> [u8; 32] {
    let mut hash = Blake::new(32);
    for piece in evidence {
        let Evidence { hit, place } = piece;
        let chunk = &hit.chunk;
        hash.add(&(*place as u64).to_le_bytes());
        for text in [&*hit.root, &*hit.path, hit.title.as_deref().unwrap_or_default(), &chunk.text]
        {
            hash.add(text.as_bytes());
        }
        hash.add(&(chunk.heading.len() as u64).to_le_bytes());
        chunk.heading.iter().for_each(|heading| hash.add(heading.as_bytes()));
        let places = [chunk.bytes.start, chunk.bytes.end, chunk.lines.first, chunk.lines.last];
        places.iter().for_each(|n| hash.add(&(*n as u64).to_le_bytes()));
        hash.add(chunk.place.as_ref().map(ToString::to_string).unwrap_or_default().as_bytes());
        hash.add(chunk.table_header.as_bytes());
        chunk.units.iter().for_each(|unit| hash.add(format!("{unit:?}").as_bytes()));
        let cosine = hit.contributions.dense.map(|dense| dense.score.to_bits());
        hash.add(&cosine.unwrap_or(0).to_le_bytes());
        hash.add(&piece.lexical().to_le_bytes());
    }
    hash.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::PROMPT_VERSION;
    use crate::document::{Chunk, Contributions, Hit, Lines, Span};

    fn piece(path: &str, text: &str) -> Evidence {
        Evidence {
            place: 0,
            hit: Hit {
                rank: 1,
                score: 0.5,
                root: "docs".into(),
                path: path.into(),
                title: None,
                chunk: Chunk {
                    heading: Vec::new(),
                    text: text.to_owned(),
                    bytes: Span::new(0, text.len()),
                    lines: Lines { first: 1, last: 1 },
                    place: None,
                    units: Vec::new(),
                    table_header: String::new(),
                },
                also: Vec::new(),
                contributions: Contributions::default(),
            },
        }
    }

    /// Everything that an answer is made of is in its key: the question as asked and as resolved,
    /// the intent, the evidence and its order, and what a generator adds, such as the versions of
    /// prompt and rules.
    #[test]
    fn every_part_of_a_key_counts() {
        let key =
            |question: &str, resolved: &str, intent, evidence: &[Evidence], more: &[&[u8]]| {
                let request = Request { question: question.to_owned(), ..Request::default() };
                let resolved = resolved.to_owned();
                ResolvedQuestion {
                    request: &request,
                    resolved,
                    intent,
                    corrections: Vec::new(),
                    earlier: Vec::new(),
                }
                .key(evidence, &["en"], more)
            };
        let evidence = [piece("a", "one"), piece("b", "two")];
        let swapped = [piece("b", "two"), piece("a", "one")];
        let version = |n: u32| n.to_le_bytes();
        let (first, second) = (version(PROMPT_VERSION), version(PROMPT_VERSION + 1));
        let keys = [
            key("q", "q", Intent::List, &evidence, &[&first]),
            key("q?", "q", Intent::List, &evidence, &[&first]),
            key("q", "q of x", Intent::List, &evidence, &[&first]),
            key("q", "q", Intent::Summary, &evidence, &[&first]),
            key("q", "q", Intent::List, &swapped, &[&first]),
            key("q", "q", Intent::List, &evidence[..1], &[&first]),
            key("q", "q", Intent::List, &[piece("a", "one"), piece("b", "too")], &[&first]),
            key("q", "q", Intent::List, &evidence, &[&second]),
        ];
        for (n, one) in keys.iter().enumerate() {
            assert!(keys[..n].iter().all(|other| other != one), "{n}");
        }
        assert_eq!(
            keys[0],
            key(" q ", "q", Intent::List, &evidence, &[&first]),
            "the score of a hit does not count"
        );
    }
}
