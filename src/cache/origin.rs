//! What a ranking or an answer was made from, which its row says.

use serde::{Deserialize, Serialize};

use crate::naming;

/// What a cached value was made from.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The index that was asked.
    pub index: String,
    /// Names of the documents whose passages the value was made from.
    pub documents: Vec<String>,
}

/// The part of a stored answer that says it.
#[derive(Deserialize)]
struct AnswerOrigin {
    origin: Option<Origin>,
}

/// The part of a stored ranking that says it.
#[derive(Deserialize)]
struct RankingOrigin {
    index: Option<String>,
    hits: Vec<HitOrigin>,
}

#[derive(Deserialize)]
struct HitOrigin {
    root: String,
    path: String,
    /// Documents with the same passage, and its lines there.
    also: Vec<(String, usize)>,
}

impl Origin {
    /// `None` when a stored answer does not say it, or cannot be read.
    pub(super) fn of_answer(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice::<AnswerOrigin>(bytes).ok()?.origin
    }

    /// `None` when a stored ranking does not say it, or cannot be read.
    pub(super) fn of_ranking(bytes: &[u8]) -> Option<Self> {
        let RankingOrigin { index, hits } = serde_json::from_slice(bytes).ok()?;
        let documents = hits.iter().flat_map(|hit| {
            let copies = hit.also.iter().map(|(path, _)| path);
            std::iter::once(&hit.path).chain(copies).map(|path| naming::name(&hit.root, path))
        });
        Some(Self { index: index?, documents: documents.collect() })
    }
}
