//! The open cache: look-ups, rows written behind, statistics, purging.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use rusqlite::Connection;

use super::file;
use super::flight::{self, Claim, Flight};
use super::inner::Inner;
use super::purge;
use super::rows::{self, Batch, Lookup, Reading, Row};
use super::selection::{Purge, Selection};
use super::table::{Counters, Key, Purged, SharedStats, Table, TableStats};
use super::tier::{Purges, Tier};
use crate::config::{Layer, Layers, SharedStore};
use crate::error::{Fault, Result};
use crate::shared::{self, Shared};
use crate::sqlite::{self, Opened};

/// While others write, this many batches may wait before the next row waits for the writer, or is
/// not cached.
const MAX_WAITING_BATCHES: usize = 8;

/// A write-ahead log above this size is checkpointed when the cache is closed. A checkpoint syncs,
/// which takes longer than a cached answer; a small log costs the next process nothing.
const MAX_LOG_BYTES: u64 = 1 << 20;

/// The open cache. Threads may share it; look-ups and writes take turns.
pub struct Cache {
    inner: Mutex<Inner>,
    /// The connection that writes, locked while it does. Locked before `inner`, never after.
    writer: Mutex<Option<Writer>>,
    /// The rows that servers share; `None` without a shared store.
    tier: Option<Tier>,
}

struct Writer {
    connection: Connection,
    /// That of [`Inner`] when it was opened: a file that was set aside is not written to.
    generation: u64,
}

impl Cache {
    /// Opens the cache in `dir`, creating it where that is possible.
    pub fn open(dir: &Path, layers: Layers) -> Self {
        Self::new(Inner::open(dir, layers))
    }

    /// As [`Cache::open`], with the rows of a shared store behind it.
    #[must_use]
    pub fn with_shared(mut self, shared: &Shared, settings: &SharedStore) -> Self {
        let dir = self.lock().path.parent().map(Path::to_owned).unwrap_or_default();
        self.tier = shared.redis().map(|redis| Tier::start(Arc::clone(redis), settings, &dir));
        self
    }

    /// A cache without a file: every look-up is a miss, nothing is stored.
    pub fn disabled() -> Self {
        Self::new(Inner::default())
    }

    fn new(inner: Inner) -> Self {
        Self { inner: Mutex::new(inner), writer: Mutex::default(), tier: None }
    }

    /// Look-ups so far in this process.
    pub fn counters(&self, table: Table) -> Counters {
        self.lock().counters.get(&table).copied().unwrap_or_default()
    }

    /// True when rows can be stored.
    pub fn is_writable(&self) -> bool {
        self.lock().writable
    }

    /// The value of a row, as `read` parses it; counts a hit or a miss. A row that is damaged,
    /// expired or stale is a miss.
    pub(super) fn find<T>(
        &self,
        lookup: Lookup<'_>,
        mut read: impl FnMut(&[u8]) -> Reading<T>,
    ) -> Option<T> {
        self.follow_purges_if_due();
        let found = self.lock().find(lookup, &mut read);
        if found.is_some() {
            return found;
        }
        let found = self.find_shared(lookup, read);
        self.lock().count(lookup.table, found.is_some());
        found
    }

    /// The value of a row of the shared store, which is put into the file.
    fn find_shared<T>(
        &self,
        lookup: Lookup<'_>,
        read: impl FnOnce(&[u8]) -> Reading<T>,
    ) -> Option<T> {
        let tier = self.tier.as_ref()?;
        let limits = self.limits(lookup.table);
        let (value, row) = tier.find(lookup, |row| {
            match limits.is_some_and(|limits| rows::is_expired(limits, row.created, lookup.now_s)) {
                true => Reading::Miss,
                false => read(&row.value),
            }
        })?;
        self.put_here(lookup.table, *lookup.key, lookup.scope, row.value, row.created);
        Some(value)
    }

    fn limits(&self, table: Table) -> Option<Layer> {
        self.lock().layers.map(|layers| table.limits(&layers))
    }

    /// Empties what other processes purged, now; otherwise that is looked for at most once a
    /// second, before the file is used.
    pub fn follow_purges(&self) {
        self.follow_purges_of(Tier::purged_now);
    }

    fn follow_purges_if_due(&self) {
        self.follow_purges_of(Tier::purged_elsewhere);
    }

    fn follow_purges_of(&self, purges: impl Fn(&Tier) -> Option<Purges>) {
        let Some(tier) = &self.tier else { return };
        let Some(purges) = purges(tier) else { return };
        let mut removed = self.purge_here(&purges.tables, None);
        for purge in &purges.selected {
            removed = removed.and(self.purge_here(&purge.tables(), Some(&purge.selection)));
        }
        // What is left is tried again; it is still correct.
        if removed.is_ok() {
            tier.followed(&purges);
        }
    }

    /// Whether [`Cache::find`] would find a value; counts nothing.
    pub(super) fn has(&self, lookup: Lookup<'_>) -> bool {
        self.follow_purges_if_due();
        let is_here = self.lock().has(lookup);
        is_here || self.find_shared(lookup, |_| Reading::Good(())).is_some()
    }

    /// Stores a value in place of the row with the same key. It may be lost: a cache need not keep
    /// its rows.
    pub fn put(&self, table: Table, key: Key, scope: &str, value: Vec<u8>, now_s: i64) {
        if let Some(tier) = &self.tier {
            tier.put(table, key, scope, &value, now_s);
        }
        self.put_here(table, key, scope, value, now_s);
    }

    /// The right to compute a row that look-ups lack. Waits while another server is computing it,
    /// for at most `lease_time`, which is longer than that takes; `give_up` ends the wait.
    pub fn claim(
        &self,
        table: Table,
        key: &Key,
        lease_time: Duration,
        give_up: &dyn Fn() -> bool,
    ) -> Claim {
        match &self.tier {
            Some(tier) => flight::claim(&tier.link, table, key, lease_time, give_up),
            None => Claim::Compute(Flight::default()),
        }
    }

    /// As [`Cache::put`], for a row that was claimed: servers that wait for it get it at once.
    pub fn put_claimed(
        &self,
        mut flight: Flight,
        (table, key): (Table, Key),
        scope: &str,
        value: Vec<u8>,
        now_s: i64,
    ) {
        match &self.tier {
            Some(tier) if flight.has_lease() => {
                let packed = shared::pack(&value, now_s, &[&key.0, scope.as_bytes()]);
                flight.publish(&packed, tier.ttl_s(table));
            }
            Some(tier) => tier.put(table, key, scope, &value, now_s),
            None => {}
        }
        self.put_here(table, key, scope, value, now_s);
    }

    fn put_here(&self, table: Table, key: Key, scope: &str, value: Vec<u8>, now_s: i64) {
        let mut inner = self.lock();
        let is_paused = inner.is_paused();
        if !inner.writable || is_paused && inner.has_gathered(MAX_WAITING_BATCHES) {
            return;
        }
        inner.put(table, key, Row { scope: scope.to_owned(), value, created: now_s });
        let (is_due, is_urgent) = (inner.has_gathered(1), inner.has_gathered(MAX_WAITING_BATCHES));
        drop(inner);
        match (is_due && !is_paused, is_urgent) {
            (false, _) => {}
            (true, false) => self.flush_if_free(now_s),
            (true, true) => self.flush(),
        }
    }

    /// Size, age and use of each table.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) when SQLite cannot read the file.
    pub fn stats(&self) -> Result<Vec<TableStats>> {
        self.flush();
        let layers = self.lock().layers;
        let limits = |table: Table| {
            layers.map_or(Layer { ttl_s: 0, budget_bytes: 0 }, |layers| table.limits(&layers))
        };
        let Some((path, connection)) = self.reconnect()? else {
            return Ok(Table::ALL.map(|table| empty_stats(table, limits(table))).to_vec());
        };
        let stats =
            Table::ALL.into_iter().map(|table| rows::stats(&connection, table, limits(table)));
        stats.collect::<rusqlite::Result<_>>().map_err(|e| file::fault(&path, e))
    }

    /// Look-ups and writes of the shared store by all servers; `None` when there is none.
    ///
    /// # Errors
    /// Why the store gives no answer.
    pub fn shared_stats(&self) -> Option<std::result::Result<SharedStats, String>> {
        self.tier.as_ref().map(Tier::stats)
    }

    /// Empties tables, here and in the shared store, and returns their space to the file system in
    /// short transactions, so that other processes can write between them.
    ///
    /// # Errors
    /// When the file cannot be read or written; when the shared store gives no answer, after the
    /// file was emptied.
    pub fn purge(&self, tables: &[Table]) -> Result<Vec<Purged>> {
        let purged = self.purge_here(tables, None)?;
        self.with_shared_counts(purged, |tier| tier.purge(tables))
    }

    /// As [`Cache::purge`], for the rows that a user selected.
    ///
    /// # Errors
    /// As [`Cache::purge`].
    pub fn purge_rows(&self, Purge { tables, selection }: &Purge) -> Result<Vec<Purged>> {
        let Some(selection) = selection else { return self.purge(tables) };
        let purged = self.purge_here(tables, Some(selection))?;
        self.with_shared_counts(purged, |tier| tier.purge_selected(tables, selection))
    }

    fn with_shared_counts(
        &self,
        mut purged: Vec<Purged>,
        purge: impl FnOnce(&Tier) -> Result<Vec<(Table, u64)>>,
    ) -> Result<Vec<Purged>> {
        for (table, n) in self.tier.as_ref().map(purge).transpose()?.into_iter().flatten() {
            let here = purged.iter_mut().find(|purged| purged.table == table);
            here.into_iter().for_each(|purged| purged.shared = Some(n));
        }
        Ok(purged)
    }

    fn purge_here(&self, tables: &[Table], selection: Option<&Selection>) -> Result<Vec<Purged>> {
        if tables.is_empty() {
            return Ok(Vec::new());
        }
        self.flush();
        let Some((path, connection)) = self.reconnect()? else {
            let nothing =
                |table: &Table| Purged { table: *table, count: 0, bytes: 0, shared: None };
            return Ok(tables.iter().map(nothing).collect());
        };
        if !self.is_writable() {
            return Err(Fault::failed(format!("{} cannot be written to", path.display())));
        }
        let chosen = Table::ALL.into_iter().filter(|table| tables.contains(table));
        let purged: rusqlite::Result<Vec<_>> =
            chosen.map(|table| purge::remove(&connection, table, selection)).collect();
        let purged = purged.map_err(|e| file::fault(&path, e))?;
        purge::shrink(&connection).map_err(|e| file::fault(&path, e))?;
        Ok(purged)
    }

    /// Bytes of the files on disk.
    pub fn file_bytes(&self) -> u64 {
        let path = self.lock().path.clone();
        length(&path) + length(&file::log_path(&path))
    }

    /// Problems found by reading every row and by SQLite's own check; empty when there are none.
    /// Changes nothing.
    pub fn verify(&self) -> Result<Vec<String>> {
        let Some((_, connection)) = self.reconnect()? else { return Ok(Vec::new()) };
        let bad: rusqlite::Result<u64> =
            Table::ALL.into_iter().map(|table| rows::verify(&connection, table)).sum();
        let check =
            connection.pragma_query_value(None, "quick_check", |row| row.get::<_, String>(0));
        Ok(match (bad, check) {
            (Ok(0), Ok(word)) if word == "ok" => Vec::new(),
            (Ok(0), Ok(word)) => vec![word],
            (Ok(bad), _) => vec![format!(
                "{bad} rows fail their checksum; they are misses and will be replaced"
            )],
            (Err(e), _) => vec![e.to_string()],
        })
    }

    /// A second connection for work that takes long, and the path of the file; `None` when there is
    /// no file.
    fn reconnect(&self) -> Result<Option<(PathBuf, Connection)>> {
        let inner = self.lock();
        let (path, is_open) = (inner.path.clone(), inner.connection.is_some());
        drop(inner);
        let connection = if is_open { file::reconnect(&path)? } else { None };
        Ok(connection.map(|connection| (path, connection)))
    }

    /// Writes what has gathered.
    pub fn flush(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.write_out(writer, None);
    }

    /// Writes what has gathered, unless another thread is writing.
    fn flush_if_free(&self, now_s: i64) {
        match self.writer.try_lock() {
            Ok(writer) => self.write_out(writer, Some(now_s)),
            Err(TryLockError::Poisoned(writer)) => self.write_out(writer.into_inner(), Some(now_s)),
            Err(TryLockError::WouldBlock) => {}
        }
    }

    /// `now_s` is known when rows are being added.
    fn write_out(&self, mut writer: MutexGuard<'_, Option<Writer>>, now_s: Option<i64>) {
        let batch = {
            let mut inner = self.lock();
            // One wait for another process is enough.
            if inner.is_paused() { None } else { inner.take_batch(now_s) }
        };
        let Some(batch) = batch else { return };
        let mut written = self.write(&mut writer, &batch);
        if written.as_ref().is_err_and(sqlite::is_damage) {
            let mut inner = self.lock();
            inner.recreate(batch.generation);
            let generation = inner.generation;
            drop(inner);
            let batch = Batch { used: HashMap::new(), generation, ..batch.clone() };
            written = self.write(&mut writer, &batch);
        }
        self.lock().finish_batch(&batch, &written);
    }

    fn write(&self, writer: &mut Option<Writer>, batch: &Batch) -> rusqlite::Result<()> {
        if writer.as_ref().is_none_or(|writer| writer.generation != batch.generation) {
            let path = self.lock().path.clone();
            let Opened::Writable(connection) = file::open(&path)? else { return Ok(()) };
            *writer = Some(Writer { connection, generation: batch.generation });
        }
        match writer {
            Some(writer) => rows::write(&mut writer.connection, batch),
            None => Ok(()),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while the lock is held loses at most one count.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the connection of look-ups, which have ended, write: opening another takes time.
    fn reuse_connection(&mut self) {
        let writer = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner);
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        let generation = inner.generation;
        if writer.as_ref().is_none_or(|writer| writer.generation != generation) {
            *writer = inner.connection.take().map(|connection| Writer { connection, generation });
        }
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        self.reuse_connection();
        self.flush();
        let log_bytes = length(&file::log_path(&self.lock().path));
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(writer), true) = (&*writer, log_bytes > MAX_LOG_BYTES) {
            let _ = writer.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE);");
        }
    }
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |meta| meta.len())
}

fn empty_stats(table: Table, limits: Layer) -> TableStats {
    TableStats {
        table,
        count: 0,
        bytes: 0,
        budget_bytes: limits.budget_bytes,
        ttl_s: limits.ttl_s,
        oldest: None,
        newest: None,
        counters: Counters::default(),
    }
}
