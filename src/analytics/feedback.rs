//! What users said about answers, read back for evaluations.

use std::collections::BTreeMap;

use super::place::Place;
use super::{Feedback, Question, Record};
use crate::error::Result;

/// What was said about an answer, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rated {
    /// Unix seconds.
    pub at_s: i64,
    pub feedback: Feedback,
}

/// The questions since `since_s` that were recorded in words, oldest first.
///
/// # Errors
/// [`Kind::Damaged`](crate::error::Kind::Damaged) for a file that is not a database.
pub fn questions(place: impl Into<Place>, since_s: i64) -> Result<Vec<Question>> {
    let mut found = Vec::new();
    place.into().read(since_s, &mut |_, record| {
        if let Some(Record::Question(question)) = record
            && !question.text.is_empty()
        {
            found.push(*question);
        }
    })?;
    Ok(found)
}

/// The feedback since `since_s`, oldest first. Of several on one question to one index,
/// only the last counts.
///
/// # Errors
/// [`Kind::Damaged`](crate::error::Kind::Damaged) for a file that is not a database.
pub fn feedback(place: impl Into<Place>, since_s: i64) -> Result<Vec<Rated>> {
    let mut last = BTreeMap::new();
    let mut n = 0_u64;
    place.into().read(since_s, &mut |at_s, record| {
        if let Some(Record::Feedback(feedback)) = record {
            let key = (feedback.index.clone(), feedback.question.clone());
            n += 1;
            last.insert(key, (n, Rated { at_s, feedback: *feedback }));
        }
    })?;
    let mut rated: Vec<(u64, Rated)> = last.into_values().collect();
    rated.sort_by_key(|(n, _)| *n);
    Ok(rated.into_iter().map(|(_, rated)| rated).collect())
}
