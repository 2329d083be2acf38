//! What the lock of look-ups guards: the connection that reads, and what is still to be written.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::file::{self, FILE, IfDamaged};
use super::rows::{self, Batch, Lookup, Reading, Row, Rows};
use super::table::{Counters, Key, Table};
use crate::config::Layers;
use crate::sqlite;
use crate::telemetry;

/// Rows that wait in memory, by number and by bytes, before they are written.
pub(super) const MAX_WAITING: usize = 256;
const MAX_WAITING_BYTES: usize = 1 << 20;

/// Precision of the time of a row's last use. Writing it at every use would make every look-up a
/// write.
const USE_GRAIN_S: i64 = 60;

/// After another process has locked the file for longer than a statement waits, nothing is written
/// for this long.
const PAUSE: Duration = Duration::from_secs(30);

#[derive(Default)]
pub(super) struct Inner {
    pub path: PathBuf,
    pub layers: Option<Layers>,
    pub connection: Option<Connection>,
    pub writable: bool,
    /// Of this process, by table.
    pub counters: HashMap<Table, Counters>,
    /// The part of `counters` that is already in the file.
    written: HashMap<Table, Counters>,
    waiting: Rows,
    waiting_bytes: usize,
    /// Rows that are being written.
    in_flight: Option<Arc<Rows>>,
    /// Nothing is written before then.
    pub pause_until: Option<Instant>,
    /// How often the file was recreated.
    pub generation: u64,
    /// Rows that were read, and when.
    used: HashMap<(Table, Key), i64>,
}

impl Inner {
    pub fn open(dir: &Path, layers: Layers) -> Self {
        let path = dir.join(FILE);
        let (connection, writable) = file::connect(&path, IfDamaged::SetAside);
        Self { path, layers: Some(layers), connection, writable, ..Self::default() }
    }

    /// The value of a row, as `read` parses it. Counts a hit or damage; the caller counts a miss.
    pub fn find<T>(
        &mut self,
        lookup: Lookup<'_>,
        read: impl FnOnce(&[u8]) -> Reading<T>,
    ) -> Option<T> {
        let found = self.look_up(lookup, read);
        let name = lookup.table.name();
        let counters = self.counters.entry(lookup.table).or_default();
        if let Ok(Reading::Good((value, used))) = found {
            counters.hits += 1;
            if lookup.now_s - used >= USE_GRAIN_S {
                self.used.insert((lookup.table, *lookup.key), lookup.now_s);
            }
            telemetry::cache_operation(name, "hit");
            return Some(value);
        }
        if !matches!(found, Ok(Reading::Miss)) {
            counters.damaged += 1;
            telemetry::cache_operation(name, "damaged");
        }
        if found.is_err_and(|e| sqlite::is_damage(&e)) && self.writable {
            self.recreate(self.generation);
        }
        None
    }

    /// Counts a look-up that ended behind the file.
    pub fn count(&mut self, table: Table, is_hit: bool) {
        let counters = self.counters.entry(table).or_default();
        let (counter, outcome) = match is_hit {
            true => (&mut counters.hits, "hit"),
            false => (&mut counters.misses, "miss"),
        };
        *counter += 1;
        telemetry::cache_operation(table.name(), outcome);
    }

    /// Whether [`Inner::find`] would find a value; counts nothing.
    pub fn has(&self, lookup: Lookup<'_>) -> bool {
        matches!(self.look_up(lookup, |_| Reading::Good(())), Ok(Reading::Good(_)))
    }

    fn look_up<T>(
        &self,
        lookup: Lookup<'_>,
        read: impl FnOnce(&[u8]) -> Reading<T>,
    ) -> rusqlite::Result<Reading<(T, i64)>> {
        let key = (lookup.table, *lookup.key);
        let in_flight = || self.in_flight.as_ref()?.get(&key);
        if let Some(row) = self.waiting.get(&key).or_else(in_flight) {
            return Ok(match row.scope == lookup.scope {
                true => read(&row.value).map(|value| (value, lookup.now_s)),
                false => Reading::Bad,
            });
        }
        let (Some(connection), Some(layers)) = (&self.connection, &self.layers) else {
            return Ok(Reading::Miss);
        };
        rows::find(connection, lookup, lookup.table.limits(layers), read)
    }

    /// Adds a row to those that wait.
    pub fn put(&mut self, table: Table, key: Key, row: Row) {
        telemetry::cache_operation(table.name(), "kept");
        self.waiting_bytes += row.value.len();
        self.waiting.insert((table, key), row);
    }

    pub fn is_paused(&self) -> bool {
        self.pause_until.is_some_and(|until| Instant::now() < until)
    }

    /// Whether rows of so many batches wait.
    pub fn has_gathered(&self, n_batches: usize) -> bool {
        self.waiting.len() >= n_batches * MAX_WAITING
            || self.waiting_bytes >= n_batches * MAX_WAITING_BYTES
    }

    /// Takes rows, times of use and counters to write. Look-ups still find the rows until
    /// [`Inner::finish_batch`].
    pub fn take_batch(&mut self, now_s: Option<i64>) -> Option<Batch> {
        let now_s = now_s.or_else(|| self.waiting.values().map(|row| row.created).max());
        let deltas: Vec<_> = Table::ALL.into_iter().filter_map(|table| self.delta(table)).collect();
        let is_empty = self.waiting.is_empty() && self.used.is_empty() && deltas.is_empty();
        let (true, false, Some(layers)) = (self.writable, is_empty, self.layers) else {
            return None;
        };
        let rows = Arc::new(std::mem::take(&mut self.waiting));
        self.in_flight = Some(Arc::clone(&rows));
        self.waiting_bytes = 0;
        self.written = self.counters.clone();
        let used = std::mem::take(&mut self.used);
        Some(Batch { rows, used, deltas, layers, now_s, generation: self.generation })
    }

    /// Look-ups that the file does not count yet.
    fn delta(&self, table: Table) -> Option<(Table, Counters)> {
        let now = self.counters.get(&table)?;
        let written = self.written.get(&table).copied().unwrap_or_default();
        let delta = Counters {
            hits: now.hits - written.hits,
            misses: now.misses - written.misses,
            damaged: now.damaged - written.damaged,
            evicted: 0,
        };
        (delta != Counters::default()).then_some((table, delta))
    }

    /// Takes note of how writing a batch ended.
    pub fn finish_batch(&mut self, batch: &Batch, written: &rusqlite::Result<()>) {
        self.in_flight = None;
        match written {
            Ok(()) => self.pause_until = None,
            // Another process holds the file for too long: the rows wait for the next try.
            Err(e) if sqlite::is_busy(e) => {
                self.pause_until = Some(Instant::now() + PAUSE);
                for (key, row) in batch.rows.iter() {
                    self.waiting_bytes += row.value.len();
                    self.waiting.entry(*key).or_insert_with(|| row.clone());
                }
            }
            // The disk is full, or no longer writable.
            Err(_) => self.writable = false,
        }
    }

    /// Sets a damaged file aside and creates another, unless that was done since `generation`.
    pub fn recreate(&mut self, generation: u64) {
        if self.generation != generation {
            return;
        }
        self.generation += 1;
        self.connection = None;
        telemetry::warn!("the cache was damaged: it is set aside and rebuilt");
        file::set_aside(&self.path);
        (self.connection, self.writable) = file::connect(&self.path, IfDamaged::GiveUp);
    }
}
