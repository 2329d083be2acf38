//! Words of a query that the index does not have.
//!
//! Such a word may be two words of the index written together (*Netzgerät* where the text says
//! *Netz-Gerät*), or misspelt: then the most similar word of the index is searched instead, and a
//! [`Note`] says so. A word that occurs or that the model knows is never replaced, and lexical
//! mode, which finds what was typed, replaces none.

use std::sync::Arc;

use crate::analysis::{self, Query, QueryTerm};
use crate::document::Note;
use crate::engine::Engine;
use crate::error::Result;
use crate::index::Snapshot;
use crate::model::Tokenizer;

/// Factor on the weight of a word that was not in the query.
const REPLACED: f32 = 0.7;

/// Passages in which the spelling of a replacement is looked up.
const SPELLING: usize = 8;

/// What a replacement depends on.
pub(super) struct Unknown<'a> {
    pub engine: &'a Engine,
    pub snapshot: &'a Snapshot,
    pub query: &'a str,
    pub languages: &'a [&'a str],
    /// Whether similar words are searched, and not only named.
    pub corrects: bool,
    /// Of the model, if it is loaded already.
    pub tokenizer: Option<Arc<Tokenizer>>,
}

impl Unknown<'_> {
    /// Replaces the words of `query` that do not occur, as `occurs` says of each term. Returns
    /// whether there was one.
    pub fn replace(
        &self,
        query: &mut Query,
        occurs: &[bool],
        notes: &mut Vec<Note>,
    ) -> Result<bool> {
        let (mut added, mut is_changed) = (Vec::new(), false);
        for (term, occurs) in query.terms.iter_mut().zip(occurs) {
            let word = self.asked(term);
            let Some(most) = analysis::mistakes_allowed(&word) else { continue };
            if *occurs || term.is_part {
                continue;
            }
            if let Some(parts) = self.parts(&word)? {
                added.extend(parts.into_iter().map(|part| QueryTerm {
                    weight: term.weight * REPLACED,
                    is_part: true,
                    ..part
                }));
            } else if let Some(other) = self.similar(term, most)?
                && (!self.corrects || is_form(&word, &other) || !self.is_word(&word))
            {
                let spelt = self.spelt(&other)?;
                if !self.corrects {
                    notes.push(Note::Similar { word, other: spelt });
                    continue;
                }
                notes.push(Note::Corrected { word, instead: spelt });
                term.variants = vec![other];
                term.weight *= REPLACED;
                is_changed = true;
            }
        }
        is_changed |= !added.is_empty();
        query.terms.extend(added);
        Ok(is_changed)
    }

    /// The two words of the index that `word` consists of.
    fn parts(&self, word: &str) -> Result<Option<Vec<QueryTerm>>> {
        for (first, second) in analysis::halves(word) {
            let both = format!("{first} {second}");
            let mut parts = analysis::query_terms(&both, self.languages).terms;
            parts.retain(|term| !term.is_part);
            if let [first, second] = parts.as_slice()
                && self.snapshot.has_term(&first.variants)?
                && self.snapshot.has_term(&second.variants)?
            {
                return Ok(Some(parts));
            }
        }
        Ok(None)
    }

    /// Whether the model knows the word, so that it is spelt as intended: *invented* is not
    /// *intent*.
    fn is_word(&self, word: &str) -> bool {
        if let Some(tokenizer) = &self.tokenizer {
            return tokenizer.has_word(word);
        }
        let files = self.engine.model(&self.snapshot.meta().model.name);
        let tokenizer = files.and_then(|files| Tokenizer::load(&files));
        // Without a model every word is unknown; whatever needs the model reports the fault.
        tokenizer.is_ok_and(|tokenizer| tokenizer.has_word(word))
    }

    fn similar(&self, term: &QueryTerm, most: usize) -> Result<Option<String>> {
        for form in &term.variants {
            let most = analysis::mistakes_allowed(form).unwrap_or_default().min(most);
            if let Some(other) = self.snapshot.similar_term(form, most)? {
                return Ok(Some(other));
            }
        }
        Ok(None)
    }

    /// The word of the query, of which a term has the forms.
    fn asked(&self, term: &QueryTerm) -> String {
        let query = self.query.to_lowercase();
        let written = term.variants.iter().rev().find(|form| query.contains(form.as_str()));
        written.or(term.variants.first()).cloned().unwrap_or_default()
    }

    /// A term as a passage writes it.
    fn spelt(&self, term: &str) -> Result<String> {
        let variants = vec![term.to_owned()];
        let term_only = QueryTerm { variants, weight: 1.0, is_part: false };
        let query = Query { terms: vec![term_only], ..Query::default() };
        let found = self.snapshot.lexical_scores(&query, None)?.listed(1).best;
        // Many passages alike would make the choice depend on the history of the index.
        if found.len() <= SPELLING {
            let mut texts = Vec::new();
            for (ordinal, _) in found {
                texts.push(self.snapshot.fetch(ordinal)?.chunk.text);
            }
            texts.sort_unstable();
            let written =
                texts.iter().find_map(|text| analysis::written(text, term, self.languages));
            if let Some(written) = written {
                return Ok(written.to_lowercase());
            }
        }
        Ok(term.to_owned())
    }
}

/// Whether one word may be a form of the other, as *answers* is of *answer*.
fn is_form(word: &str, other: &str) -> bool {
    word.starts_with(other) || other.starts_with(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_are_not_other_words() {
        assert!(is_form("answer", "answers") && is_form("volcanoes", "volcano"));
        assert!(!is_form("invented", "intent") && !is_form("money", "honey"));
    }
}
