//! From the vectors that an engine has to those of a generation: one pass over both, in the order
//! of their keys.

use super::space::{Key, Rows};
use crate::error::{Fault, Result};

/// Vectors of one request.
const BATCH: usize = 200;

/// A publication that has begun. Its operations may be repeated.
pub trait Publication {
    /// Keys that lived before it, in order, from after `last` on; empty at the end.
    ///
    /// # Errors
    /// When the engine does not answer.
    fn alive(&mut self, last: Option<Key>) -> Result<Vec<Key>>;

    /// Adds vectors that live from now on.
    ///
    /// # Errors
    /// When the engine does not answer, or another machine has taken over.
    fn add(&mut self, rows: &[(Key, Vec<f32>)]) -> Result<()>;

    /// Ends the life of vectors.
    ///
    /// # Errors
    /// As [`Publication::add`].
    fn end(&mut self, keys: &[Key]) -> Result<()>;
}

/// Adds and ends what differs; returns the numbers of both.
///
/// # Errors
/// Those of the publication; an interruption.
pub fn bring_up_to_date(to: &mut impl Publication, rows: &Rows<'_>) -> Result<(usize, usize)> {
    let (mut added, mut ended) = (Vec::new(), Vec::new());
    let (mut n_added, mut n_ended) = (0, 0);
    let mut next = 0;
    let mut last = None;
    loop {
        let alive = to.alive(last)?;
        last = alive.last().copied();
        for key in &alive {
            while let Some(own) = rows.keys.get(next).filter(|own| *own < key) {
                added.push((*own, (rows.vector)(next)?));
                next += 1;
                flush(&mut added, BATCH, &mut n_added, rows, |batch| to.add(batch))?;
            }
            match rows.keys.get(next) == Some(key) {
                true => next += 1,
                false => ended.push(*key),
            }
            flush(&mut ended, BATCH, &mut n_ended, rows, |batch| to.end(batch))?;
        }
        if alive.is_empty() {
            break;
        }
    }
    for (n, own) in rows.keys.iter().enumerate().skip(next) {
        added.push((*own, (rows.vector)(n)?));
        flush(&mut added, BATCH, &mut n_added, rows, |batch| to.add(batch))?;
    }
    flush(&mut added, 1, &mut n_added, rows, |batch| to.add(batch))?;
    flush(&mut ended, 1, &mut n_ended, rows, |batch| to.end(batch))?;
    Ok((n_added, n_ended))
}

/// Sends a batch of at least `least`.
fn flush<T>(
    batch: &mut Vec<T>,
    least: usize,
    sent: &mut usize,
    rows: &Rows<'_>,
    send: impl FnOnce(&[T]) -> Result<()>,
) -> Result<()> {
    if batch.len() < least {
        return Ok(());
    }
    if (rows.stop)() {
        return Err(Fault::interrupted());
    }
    send(batch)?;
    *sent += batch.len();
    batch.clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ops::Bound;

    use proptest::prelude::*;

    use super::*;

    /// Vectors in memory, a page at a time.
    #[derive(Default)]
    struct Memory {
        before: BTreeMap<Key, Vec<f32>>,
        now: BTreeMap<Key, Vec<f32>>,
        page: usize,
    }

    impl Publication for Memory {
        fn alive(&mut self, last: Option<Key>) -> Result<Vec<Key>> {
            let from = last.map_or(Bound::Unbounded, Bound::Excluded);
            let page = self.before.range((from, Bound::Unbounded)).take(self.page);
            Ok(page.map(|(key, _)| *key).collect())
        }

        fn add(&mut self, rows: &[(Key, Vec<f32>)]) -> Result<()> {
            for (key, vector) in rows {
                assert!(self.now.insert(*key, vector.clone()).is_none(), "it was there");
            }
            Ok(())
        }

        fn end(&mut self, keys: &[Key]) -> Result<()> {
            keys.iter().for_each(|key| drop(self.now.remove(key).expect("it was there")));
            Ok(())
        }
    }

    proptest! {
        #[test]
        fn what_differs_is_written_and_nothing_else(
            before in proptest::collection::btree_set(0u16..2000, 0..900),
            wanted in proptest::collection::btree_set(0u16..2000, 0..900),
            page in 1usize..300,
        ) {
            let key = |n: &u16| {
                let mut key = [0; 16];
                key[..2].copy_from_slice(&n.to_be_bytes());
                key
            };
            let vector = |key: &Key| vec![f32::from(key[0]), f32::from(key[1])];
            let of = |keys: &[Key]| -> BTreeMap<Key, Vec<f32>> {
                keys.iter().map(|key| (*key, vector(key))).collect()
            };
            let keys: Vec<Key> = wanted.iter().map(key).collect();
            let before = of(&before.iter().map(key).collect::<Vec<_>>());
            let mut memory = Memory { now: before.clone(), before, page };
            let (of_key, go_on) = (|n: usize| Ok(vector(&keys[n])), || false);
            let rows = Rows { keys: &keys, vector: &of_key, stop: &go_on };
            let common = keys.iter().filter(|key| memory.before.contains_key(*key)).count();
            let changes = (keys.len() - common, memory.before.len() - common);
            prop_assert_eq!(bring_up_to_date(&mut memory, &rows).unwrap(), changes);
            prop_assert_eq!(memory.now, of(&keys));
            let is_over = || true;
            let stopped = Rows { stop: &is_over, ..rows };
            let mut memory = Memory { page, ..Memory::default() };
            prop_assert_eq!(bring_up_to_date(&mut memory, &stopped).is_err(), !keys.is_empty());
        }
    }
}
