//! Second looks by question and passage. The key is content-addressed and knows nothing of the
//! other candidates, so a row holds for every ranking that the passage turns up in.

use super::rows::Reading;
use super::{Cache, Key, Table};

impl Key {
    /// Of the second look at a passage, as the model `model` and `version` of the method see it.
    pub fn second_look(model: &str, version: u32, question: &str, text: &str) -> Self {
        Self::of(
            "rerank v1",
            [model.as_bytes(), &version.to_le_bytes(), question.as_bytes(), text.as_bytes()],
        )
    }
}

impl Cache {
    /// The score kept under `key`; counts a hit or a miss. A bad row is a miss.
    pub fn second_look(&self, key: &Key, model: &str, now_s: i64) -> Option<f64> {
        self.find(Table::Rerank, key, model, now_s, |bytes| {
            let score = bytes.try_into().ok().map(f64::from_le_bytes);
            Reading::of(score.filter(|score| score.is_finite()))
        })
    }

    /// Keeps a score.
    pub fn keep_second_look(&self, key: Key, model: &str, score: f64, now_s: i64) {
        self.keep(Table::Rerank, key, model, score.to_le_bytes().to_vec(), now_s);
    }
}
