//! Copies records from one place to another, such as from the file of a machine to the database
//! that it joins.

use std::collections::HashMap;

use super::record::Record;
use super::{Place, Sink};
use crate::error::{Context as _, Result};

/// Records that are written together.
const BATCH: usize = 500;

/// What a copy did, of records or of something else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    pub copied: u64,
    /// Those that were there already, or are damaged.
    pub skipped: u64,
}

/// Copies the records that are not there yet, so it may be called again. Hashes were made with the
/// key of the place that they come from: later questions have other ones.
///
/// # Errors
/// When one of the places cannot be used.
pub fn copy(from: &Place, to: &Place) -> Result<Copied> {
    // How often each record is there: equal ones are different events.
    let mut known: HashMap<(i64, String), u64> = HashMap::new();
    to.read(0, &mut |at, record| {
        if let Some(text) = record.as_ref().and_then(|record| text(record).ok()) {
            *known.entry((at, text)).or_default() += 1;
        }
    })?;
    let (mut copied, mut batch) = (Copied::default(), Vec::new());
    from.read(0, &mut |at, record| {
        let key = record.as_ref().and_then(|record| Some((at, text(record).ok()?)));
        let is_known = key.is_none_or(|key| match known.get_mut(&key) {
            Some(n) if *n > 0 => {
                *n -= 1;
                true
            }
            _ => false,
        });
        match record {
            Some(record) if !is_known => batch.push((at, record)),
            _ => copied.skipped += 1,
        }
    })?;
    let (mut sink, _) = Sink::open(to)?;
    for part in batch.chunks(BATCH) {
        sink.add(part)?;
        copied.copied += part.len() as u64;
    }
    Ok(copied)
}

fn text(record: &Record) -> Result<String> {
    serde_json::to_string(record).or_failed(|| "cannot write a record".into())
}
