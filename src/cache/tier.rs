//! The tier behind the file: rows that several servers share through Redis.
//!
//! A row that the file lacks is read from Redis and put into the file; a new row is written to
//! both. Writes are queued, and one thread sends them together, so that a request never waits for
//! one. Redis without an answer is a miss that is counted, never a failure.
//!
//! A purge removes the rows and then leaves a mark with its time, or an entry in the log of purges
//! of selected rows. Every process compares these at most a second before it uses its file, and
//! removes from it what was purged since.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::purge_log::{self, Followed, SelectedPurge};
use super::rows::{Lookup, Reading};
use super::selection::{Selection, WITH_ORIGIN};
use super::table::{Key, SharedCounters, SharedStats, Table};
use crate::config::SharedStore;
use crate::disk;
use crate::error::{Fault, Result};
use crate::shared::{self, Command, Hint, Lost, Packed, Redis, Value};
use crate::telemetry;

/// Rows that wait to be sent, by number and by bytes. Further rows are dropped.
const MAX_WAITING: usize = 4096;
const MAX_WAITING_BYTES: usize = 32 << 20;
/// Rows that are sent together.
const MAX_BATCH: usize = 64;
/// A larger row is not shared.
const MAX_ROW_BYTES: usize = 8 << 20;
/// How often counters are sent, and the memory of the store is looked at.
const PULSE: Duration = Duration::from_secs(1);
/// The longest that a purge by another process stays unnoticed.
const MARK_TIME: Duration = Duration::from_secs(1);
/// The marks that this folder's file has followed.
const SEEN: &str = "shared.json";

/// Stores the time of the server, in milliseconds, under the key, and returns it.
const MARK: &str = "local t = redis.call('TIME') \
                    local ms = t[1] * 1000 + math.floor(t[2] / 1000) \
                    redis.call('SET', KEYS[1], ms) return ms";

/// The name among the marks of the last purge of selected rows.
const SELECTED: &str = "selected";

/// Times of purges by table, in milliseconds of the server's clock; and the number of the last
/// purge of selected rows.
type Marks = HashMap<String, i64>;

/// Purges by other processes.
pub(super) struct Purges {
    pub tables: Vec<Table>,
    pub selected: Vec<SelectedPurge>,
    /// To be recorded once the rows are removed.
    marks: Marks,
}

/// What the users of the tier and its thread share.
pub(super) struct Link {
    pub redis: Arc<Redis>,
    /// Memory of the server above which nothing is written; 0 for no limit.
    max_bytes: u64,
    waiting_bytes: AtomicUsize,
    /// Of this process, not yet added to those of all.
    counters: Mutex<HashMap<Table, SharedCounters>>,
}

/// A row to send.
struct Outgoing {
    table: Table,
    key: String,
    value: Vec<u8>,
}

pub(super) struct Tier {
    pub link: Arc<Link>,
    ttls: [(Table, u64); 4],
    queue: Option<SyncSender<Outgoing>>,
    thread: Option<JoinHandle<()>>,
    /// The file of the marks that were followed.
    seen: PathBuf,
    checked: Mutex<Option<Instant>>,
}

impl Tier {
    /// The tier of the cache in `dir`.
    pub fn start(redis: Arc<Redis>, settings: &SharedStore, dir: &Path) -> Self {
        let link = Arc::new(Link {
            redis,
            max_bytes: settings.max_bytes,
            waiting_bytes: AtomicUsize::new(0),
            counters: Mutex::default(),
        });
        let ttls = [
            (Table::Embeddings, settings.embeddings_ttl_s),
            (Table::Retrieval, settings.ttl_s),
            (Table::Rerank, settings.rerank_ttl_s),
            (Table::Answers, settings.ttl_s),
        ];
        let (queue, outgoing) = sync_channel(MAX_WAITING);
        let sender = Arc::clone(&link);
        let thread = std::thread::Builder::new()
            .name("shared cache".into())
            .spawn(move || sender.send_all(&outgoing, &ttls));
        Self {
            link,
            ttls,
            queue: thread.is_ok().then_some(queue),
            thread: thread.ok(),
            seen: dir.join(SEEN),
            checked: Mutex::default(),
        }
    }

    /// The value of a row, as `read` parses it, and the row. Counts a hit or a miss.
    pub fn find<T>(
        &self,
        lookup: Lookup<'_>,
        read: impl FnOnce(&Packed) -> Reading<T>,
    ) -> Option<(T, Packed)> {
        let key = self.link.key(lookup.table, lookup.key);
        let reply = match self.link.is_worth(lookup.table) {
            true => self.link.redis.one(Command::new("GET").arg(&key)),
            false => Err(Lost::Paused),
        };
        let owner = [&lookup.key.0[..], lookup.scope.as_bytes()];
        let (outcome, found) = match reply {
            Ok(Value::Nil) | Err(Lost::Paused | Lost::Busy) => (None, None),
            Ok(Value::Bytes(bytes)) => match shared::unpack(&bytes, &owner) {
                Some(packed) => match read(&packed) {
                    Reading::Good(value) => (None, Some((value, packed))),
                    Reading::Miss => (None, None),
                    Reading::Bad => (Some("damaged"), None),
                },
                None => (Some("damaged"), None),
            },
            Ok(_) | Err(Lost::Failed(_)) => (Some("error"), None),
        };
        self.link.count(lookup.table, outcome, 1);
        self.link.count(lookup.table, Some(if found.is_some() { "hit" } else { "miss" }), 1);
        found
    }

    /// Queues a row to be stored.
    pub fn put(&self, table: Table, key: Key, scope: &str, value: &[u8], created: i64) {
        let packed = shared::pack(value, created, &[&key.0, scope.as_bytes()]);
        let n_bytes = packed.len();
        let row = Outgoing { table, key: self.link.key(table, &key), value: packed };
        let waiting = self.link.waiting_bytes.fetch_add(n_bytes, Ordering::Relaxed) + n_bytes;
        let fits = n_bytes <= MAX_ROW_BYTES && waiting <= MAX_WAITING_BYTES;
        let queued = fits && self.queue.as_ref().is_some_and(|queue| queue.try_send(row).is_ok());
        if !queued {
            self.link.waiting_bytes.fetch_sub(n_bytes, Ordering::Relaxed);
            self.link.count(table, Some("dropped"), 1);
        }
    }

    /// What another process purged since this was called last, or since the file in this folder
    /// was last used. Asks at most once in [`MARK_TIME`].
    pub fn purged_elsewhere(&self) -> Option<Purges> {
        {
            let mut checked = locked(&self.checked);
            if checked.is_some_and(|at| at.elapsed() < MARK_TIME) {
                return None;
            }
            *checked = Some(Instant::now());
        }
        self.purged_now()
    }

    /// As [`Tier::purged_elsewhere`], whenever it was called last. A folder without a record has no
    /// rows from before.
    pub fn purged_now(&self) -> Option<Purges> {
        let names = Table::ALL.map(Table::name).into_iter().chain([SELECTED]);
        let mut keys = Table::ALL.map(|table| self.link.mark_key(table)).to_vec();
        keys.push(purge_log::number_key(&self.link.redis));
        let get = keys.iter().fold(Command::new("MGET"), Command::arg);
        let Ok(Value::List(marks)) = self.link.redis.one(get) else { return None };
        let marks: Marks = names
            .zip(&marks)
            .filter_map(|(name, mark)| Some((name.to_owned(), mark.int()?)))
            .collect();
        let Some(known) = self.known() else {
            self.record(&marks);
            return None;
        };
        let is_new = |name: &str| {
            marks.get(name).is_some_and(|mark| known.get(name).is_none_or(|known| known < mark))
        };
        let mut tables: Vec<Table> =
            Table::ALL.into_iter().filter(|table| is_new(table.name())).collect();
        let mut selected = Vec::new();
        if is_new(SELECTED) {
            let seen = known.get(SELECTED).copied().unwrap_or_default();
            match purge_log::since(&self.link.redis, seen).ok()? {
                Followed::Purges(purges) => selected = purges,
                Followed::Gap => tables.extend(WITH_ORIGIN),
            }
        }
        let has_purges = !tables.is_empty() || !selected.is_empty();
        has_purges.then_some(Purges { tables, selected, marks })
    }

    /// Takes note that the rows of purges are removed from the file in this folder.
    pub fn followed(&self, purges: &Purges) {
        self.record(&purges.marks);
    }

    fn known(&self) -> Option<Marks> {
        serde_json::from_slice(&std::fs::read(&self.seen).ok()?).ok()
    }

    /// Without the record, the next process removes the same rows again.
    fn record(&self, marks: &Marks) {
        let all: Marks = self.known().into_iter().flatten().chain(marks.clone()).collect();
        if let Ok(text) = serde_json::to_vec(&all) {
            let _ = disk::replace(&self.seen, &text);
        }
    }

    /// Removes the rows of tables and returns how many of each; other processes follow.
    ///
    /// # Errors
    /// [`Kind::Outside`](crate::error::Kind::Outside) when Redis gives no answer.
    pub fn purge(&self, tables: &[Table]) -> Result<Vec<(Table, u64)>> {
        let mut marks = Marks::new();
        let mut removed = Vec::new();
        for table in tables {
            let work = || {
                // A process that follows the mark finds none of the rows any more.
                let n = self.link.redis.remove_all(&self.link.pattern(*table))?;
                let mark = Command::script(MARK, &[self.link.mark_key(*table)]);
                Ok((self.link.redis.one(mark)?.int().unwrap_or_default(), n))
            };
            let (at, n) = work().map_err(|lost| not_emptied(&lost))?;
            marks.insert(table.name().to_owned(), at);
            removed.push((*table, n));
        }
        self.record(&marks);
        self.link.redis.announce(Hint::Cache);
        Ok(removed)
    }

    /// Removes the selected rows of tables and returns how many of each; other processes follow.
    ///
    /// # Errors
    /// As [`Tier::purge`].
    pub fn purge_selected(
        &self,
        tables: &[Table],
        selection: &Selection,
    ) -> Result<Vec<(Table, u64)>> {
        let redis = &self.link.redis;
        let work = || {
            let remove = |table: &Table| {
                let is_selected = |bytes: &[u8]| {
                    let packed = shared::unpack_unchecked(bytes);
                    packed.is_none_or(|packed| selection.has(*table, &packed.value))
                };
                Ok((*table, redis.remove_chosen(&self.link.pattern(*table), &is_selected)?))
            };
            let removed = tables.iter().map(remove).collect::<shared::Reply<Vec<_>>>()?;
            purge_log::add(redis, &SelectedPurge::new(tables, selection))?;
            Ok(removed)
        };
        let removed = work().map_err(|lost: Lost| not_emptied(&lost))?;
        redis.announce(Hint::Cache);
        Ok(removed)
    }

    /// Look-ups and writes of all processes.
    ///
    /// # Errors
    /// Why Redis gives no answer.
    pub fn stats(&self) -> std::result::Result<SharedStats, String> {
        self.link.send_counters();
        let ask = || {
            let fields = self.link.redis.one(Command::new("HGETALL").arg(self.link.stats_key()))?;
            let memory = self.link.used_bytes()?;
            Ok((fields.list(), memory))
        };
        let (fields, memory_bytes) = ask().map_err(|lost: Lost| lost.to_string())?;
        let mut numbers = HashMap::new();
        for pair in fields.chunks(2) {
            if let [name, n] = pair
                && let (Some(name), Some(n)) = (name.clone().text(), n.int())
            {
                numbers.insert(name, n.unsigned_abs());
            }
        }
        let table = |table: Table| {
            let of = |what: &str| {
                numbers.get(&format!("{}.{what}", table.name())).copied().unwrap_or_default()
            };
            let counters = SharedCounters {
                hits: of("hit"),
                misses: of("miss"),
                sets: of("set"),
                errors: of("error"),
                damaged: of("damaged"),
                dropped: of("dropped"),
            };
            (table, self.ttl_s(table), counters)
        };
        Ok(SharedStats { tables: Table::ALL.map(table).to_vec(), memory_bytes })
    }

    pub fn ttl_s(&self, table: Table) -> u64 {
        self.ttls.iter().find(|(known, _)| *known == table).map_or(3600, |(_, ttl_s)| *ttl_s)
    }
}

impl Drop for Tier {
    /// Sends what waits, as long as Redis answers.
    fn drop(&mut self) {
        self.queue = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Link {
    /// Whether a look-up saves time. Only an answer may have taken long to make. What is written to
    /// a slow store shows when it is fast again.
    pub fn is_worth(&self, table: Table) -> bool {
        table == Table::Answers || !self.redis.is_slow()
    }

    pub fn key(&self, table: Table, key: &Key) -> String {
        self.redis.key(&[table.name(), &disk::hex(&key.0)])
    }

    fn pattern(&self, table: Table) -> String {
        self.redis.key(&[table.name(), "*"])
    }

    fn mark_key(&self, table: Table) -> String {
        self.redis.key(&["purged", table.name()])
    }

    fn stats_key(&self) -> String {
        self.redis.key(&["cache-stats"])
    }

    /// The thread: sends rows in batches, and counters at every pulse.
    fn send_all(&self, outgoing: &Receiver<Outgoing>, ttls: &[(Table, u64)]) {
        let mut is_full = (Instant::now(), self.is_full());
        loop {
            match outgoing.recv_timeout(PULSE) {
                Ok(first) => {
                    let mut batch = vec![first];
                    while batch.len() < MAX_BATCH
                        && let Ok(row) = outgoing.try_recv()
                    {
                        batch.push(row);
                    }
                    if is_full.0.elapsed() >= PULSE {
                        is_full = (Instant::now(), self.is_full());
                    }
                    self.send(&batch, ttls, is_full.1);
                }
                Err(RecvTimeoutError::Timeout) => self.send_counters(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.send_counters();
    }

    fn send(&self, batch: &[Outgoing], ttls: &[(Table, u64)], is_full: bool) {
        let ttl = |table: Table| {
            let ttl = ttls.iter().find(|(known, _)| *known == table);
            ttl.map_or(1, |(_, ttl_s)| *ttl_s).to_string()
        };
        let set = |row: &Outgoing| {
            Command::new("SET").arg(&row.key).arg(&row.value).arg("EX").arg(ttl(row.table))
        };
        let outcomes: Vec<&str> = if is_full {
            vec!["dropped"; batch.len()]
        } else {
            match self.redis.run(&batch.iter().map(set).collect::<Vec<_>>()) {
                Ok(replies) => {
                    let outcome = |reply: &Value| match reply {
                        Value::Refused(_) => "error",
                        _ => "set",
                    };
                    replies.iter().map(outcome).collect()
                }
                Err(Lost::Failed(_)) => vec!["error"; batch.len()],
                Err(Lost::Paused | Lost::Busy) => vec!["dropped"; batch.len()],
            }
        };
        for (row, outcome) in batch.iter().zip(outcomes) {
            self.waiting_bytes.fetch_sub(row.value.len(), Ordering::Relaxed);
            self.count(row.table, Some(outcome), 1);
        }
    }

    pub fn count(&self, table: Table, outcome: Option<&'static str>, n: u64) {
        let Some(outcome) = outcome else { return };
        telemetry::shared_operation(table.name(), outcome);
        locked(&self.counters).entry(table).or_default().add(outcome, n);
    }

    /// Adds the counters of this process to those of all. While Redis gives no answer they wait.
    fn send_counters(&self) {
        let counters = std::mem::take(&mut *locked(&self.counters));
        let (mut commands, key) = (Vec::new(), self.stats_key());
        for (table, counters) in &counters {
            for (outcome, n) in counters.outcomes().into_iter().filter(|(_, n)| *n > 0) {
                let field = format!("{}.{outcome}", table.name());
                commands.push(Command::new("HINCRBY").arg(&key).arg(field).arg(n.to_string()));
            }
        }
        if !commands.is_empty() && self.redis.run(&commands).is_err() {
            let mut waiting = locked(&self.counters);
            for (table, counters) in counters {
                let all = waiting.entry(table).or_default();
                counters.outcomes().into_iter().for_each(|(outcome, n)| all.add(outcome, n));
            }
        }
    }

    fn is_full(&self) -> bool {
        self.max_bytes > 0 && self.used_bytes().is_ok_and(|used| used > self.max_bytes)
    }

    /// Memory of the server.
    fn used_bytes(&self) -> shared::Reply<u64> {
        let info = self.redis.one(Command::new("INFO").arg("memory"))?.text().unwrap_or_default();
        let used = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
        Ok(used.and_then(|n| n.trim().parse().ok()).unwrap_or_default())
    }
}

fn not_emptied(lost: &Lost) -> Fault {
    Fault::outside(format!("the shared cache is not emptied: Redis: {lost}"))
        .hint("its rows expire by themselves; purge again when Redis answers")
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
