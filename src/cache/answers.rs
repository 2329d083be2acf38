//! Answers by question and evidence. Only what cannot be had from the evidence is stored: citations
//! are put together anew from the passages of today.

use serde::{Deserialize, Serialize};

use super::rows::Reading;
use super::{Cache, Key, Table};

/// An answer as it is kept.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct KeptAnswer {
    pub text: String,
    pub supported: bool,
    /// Numbers of the sources, and which piece of the evidence each is.
    pub sources: Vec<(usize, usize)>,
    /// Terms whose rarity was asked for, and what it was. The answer holds as long as it is the
    /// same.
    pub rarity: Vec<(String, u8)>,
    /// Citation numbers that the language model made up and that were removed.
    pub removed: Vec<usize>,
    /// Sentences that no cited passage supports.
    pub unsupported: Vec<String>,
    /// Addresses that no source has and that were removed.
    pub addresses: usize,
    /// Who wrote it: the language model's own name for itself, or empty.
    pub writer: String,
}

impl Cache {
    /// The answer kept under `key` if it still `holds`; counts a hit or a miss.
    pub fn answer(
        &self,
        key: &Key,
        scope: &str,
        now_s: i64,
        holds: impl FnOnce(&KeptAnswer) -> bool,
    ) -> Option<KeptAnswer> {
        self.find(Table::Answers, key, scope, now_s, |bytes| {
            match serde_json::from_slice(bytes).ok() {
                Some(kept) if holds(&kept) => Reading::Good(kept),
                Some(_) => Reading::Stale,
                None => Reading::Bad,
            }
        })
    }

    /// Keeps an answer.
    pub fn keep_answer(&self, key: Key, scope: &str, answer: &KeptAnswer, now_s: i64) {
        if let Ok(bytes) = serde_json::to_vec(answer) {
            self.keep(Table::Answers, key, scope, bytes, now_s);
        }
    }
}
