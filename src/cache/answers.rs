//! Answers by question and evidence. A row holds only what the evidence does not give: citations
//! are built again from the current passages.

use serde::{Deserialize, Serialize};

use super::origin::Origin;
use super::rows::{Lookup, Reading};
use super::store::Cache;
use super::table::{Key, Table};

/// A cached answer.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct CachedAnswer {
    pub text: String,
    pub supported: bool,
    /// As [`Answer::confidence`](crate::document::Answer::confidence).
    #[serde(default)]
    pub confidence: Option<f64>,
    /// Number of each source, and its index in the evidence.
    pub sources: Vec<(usize, usize)>,
    /// For each source the units that the answer quotes, by index.
    #[serde(default)]
    pub quoted: Vec<Vec<usize>>,
    /// Terms whose rarity the answer depends on, and that rarity. The answer is stale when it
    /// changes.
    pub rarity: Vec<(String, u8)>,
    /// Citation numbers that the language model invented and that were removed.
    pub removed: Vec<usize>,
    /// Sentences that no cited passage supports.
    pub unsupported: Vec<String>,
    /// Number of addresses that no source contains and that were removed.
    pub addresses: usize,
    /// The language model's name for itself; empty for an extractive answer.
    pub writer: String,
    /// What the answer was made from; `None` in a row of an older version.
    #[serde(default)]
    pub origin: Option<Origin>,
}

impl Cache {
    /// The cached answer, if it still `holds`; counts a hit or a miss.
    pub fn answer(
        &self,
        key: &Key,
        scope: &str,
        now_s: i64,
        mut holds: impl FnMut(&CachedAnswer) -> bool,
    ) -> Option<CachedAnswer> {
        self.find(Lookup { table: Table::Answers, key, scope, now_s }, |bytes| {
            match serde_json::from_slice(bytes) {
                Ok(answer) if holds(&answer) => Reading::Good(answer),
                Ok(_) => Reading::Miss,
                Err(_) => Reading::Bad,
            }
        })
    }

    pub fn put_answer(&self, key: Key, scope: &str, answer: &CachedAnswer, now_s: i64) {
        if let Ok(bytes) = serde_json::to_vec(answer) {
            self.put(Table::Answers, key, scope, bytes, now_s);
        }
    }
}
