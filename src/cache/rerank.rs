//! Scores of a cross-encoder by question and passage. The key depends on the content and on no
//! other candidate, so a row is valid in every ranking that has the passage.

use super::rows::{Lookup, Reading};
use super::store::Cache;
use super::table::{Key, Table};

impl Key {
    /// Of the score of a passage, by this cross-encoder.
    pub fn rerank(model: &str, question: &str, text: &str) -> Self {
        Self::of("rerank v2", [model.as_bytes(), question.as_bytes(), text.as_bytes()])
    }
}

impl Cache {
    /// The cached score; counts a hit or a miss. A bad row is a miss.
    pub fn rerank_score(&self, key: &Key, model: &str, now_s: i64) -> Option<f64> {
        self.find(Lookup { table: Table::Rerank, key, scope: model, now_s }, |bytes| {
            let score = bytes.try_into().ok().map(f64::from_le_bytes);
            Reading::of(score.filter(|score| score.is_finite()))
        })
    }

    pub fn put_rerank_score(&self, key: Key, model: &str, score: f64, now_s: i64) {
        self.put(Table::Rerank, key, model, score.to_le_bytes().to_vec(), now_s);
    }
}
