use std::path::Path;
use std::time::Instant;

use rusqlite::Connection;

use super::file::{FILE, STEPS};
use super::inner::MAX_WAITING;
use super::rows::{Lookup, Reading};
use super::*;
use crate::config::{Layer, Layers};
use crate::disk;
use crate::sqlite::{self, Opened};
use crate::vector::Vector;

const MODEL: &str = "m1";

fn vector() -> Vector {
    Vector::new(vec![0.6, 0.8]).unwrap()
}

const NOW: i64 = 1000;

fn unlimited() -> Layers {
    let layer = Layer { ttl_s: 0, budget_bytes: 1 << 40 };
    Layers { embeddings: layer, retrieval: layer, rerank: layer, answers: layer }
}

fn open(dir: &Path) -> Cache {
    Cache::open(dir, unlimited())
}

/// Moves the write-ahead log into the file, so that the file is complete.
fn checkpoint(dir: &Path) {
    let connection = Connection::open(dir.join(FILE)).unwrap();
    connection.pragma_update(None, "wal_checkpoint", "TRUNCATE").unwrap();
}

fn filled(dir: &Path) -> Key {
    let key = Key::embedding(MODEL, "query", "hello");
    open(dir).put_embeddings(MODEL, &[(key, vector())], 7);
    key
}

#[test]
fn a_row_comes_back_and_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let key = filled(dir.path());
    let cache = open(dir.path());
    assert_eq!(cache.embedding(&key, MODEL, 2, NOW), Some(vector()));
    assert_eq!(cache.embedding(&Key::embedding(MODEL, "passage", "hello"), MODEL, 2, NOW), None);
    assert_eq!(
        cache.counters(Table::Embeddings),
        Counters { hits: 1, misses: 1, ..Counters::default() }
    );
    let stats = &cache.stats().unwrap()[0];
    assert_eq!((stats.count, stats.oldest, stats.newest), (1, Some(7), Some(7)));
}

/// Wrong checksum, wrong dimension, not a number, another model, another type.
#[test]
fn a_bad_row_is_a_miss_that_is_counted_and_overwritten() {
    let nan: Vec<u8> = [f32::NAN, 1.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    let dir = tempfile::tempdir().unwrap();
    let key = filled(dir.path());
    let connection = Connection::open(dir.path().join(FILE)).unwrap();
    let crc = |bytes: &[u8]| {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(
            &connection
                .query_row("SELECT key FROM embeddings", [], |r| r.get::<_, Vec<u8>>(0))
                .unwrap(),
        );
        hasher.update(MODEL.as_bytes());
        hasher.update(bytes);
        hasher.finalize()
    };
    let damages = [
        "UPDATE embeddings SET crc = crc + 1".to_owned(),
        "UPDATE embeddings SET value = x'0000803f'".to_owned(),
        format!("UPDATE embeddings SET value = x'0000803f', crc = {}", crc(&1.0f32.to_le_bytes())),
        format!("UPDATE embeddings SET value = x'{}', crc = {}", disk::hex(&nan), crc(&nan)),
        "UPDATE embeddings SET scope = 'm2'".to_owned(),
        "UPDATE embeddings SET value = 'text'".to_owned(),
        "UPDATE embeddings SET crc = 'text'".to_owned(),
    ];
    for damage in damages {
        connection.execute_batch(&damage).unwrap();
        let cache = open(dir.path());
        assert_eq!(cache.embedding(&key, MODEL, 2, NOW), None, "{damage}");
        assert_eq!(
            cache.counters(Table::Embeddings),
            Counters { misses: 1, damaged: 1, ..Counters::default() },
            "{damage}"
        );
        cache.put_embeddings(MODEL, &[(key, vector())], 8);
        assert_eq!(cache.embedding(&key, MODEL, 2, NOW), Some(vector()), "{damage}");
    }
}

#[test]
fn a_file_that_is_not_a_database_is_set_aside_and_replaced() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(FILE), vec![7u8; 9000]).unwrap();
    let key = filled(dir.path());
    assert_eq!(open(dir.path()).embedding(&key, MODEL, 2, NOW), Some(vector()));
    assert!(dir.path().join("cache.db.damaged").exists());
}

/// Bytes all over the file flipped in turn: the right vector or a miss, never another vector and
/// never a panic.
#[test]
fn flipped_bytes_never_give_a_wrong_vector() {
    let dir = tempfile::tempdir().unwrap();
    let key = filled(dir.path());
    let path = dir.path().join(FILE);
    checkpoint(dir.path());
    let good = std::fs::read(&path).unwrap();
    // 17 shares no factor with the size of a page or of a cell, so that every kind of byte is met.
    for at in (0..good.len()).step_by(17) {
        let mut bad = good.clone();
        bad[at] ^= 0x55;
        std::fs::write(&path, &bad).unwrap();
        let cache = open(dir.path());
        if let Some(found) = cache.embedding(&key, MODEL, 2, NOW) {
            assert_eq!(found, vector(), "byte {at}");
        }
        drop(cache);
        let _ = std::fs::remove_file(path.with_extension("db-wal"));
        let _ = std::fs::remove_file(path.with_extension("db-shm"));
    }
}

#[test]
fn a_newer_file_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let key = filled(dir.path());
    let path = dir.path().join(FILE);
    Connection::open(&path)
        .unwrap()
        .pragma_update(None, "user_version", STEPS.len() as i64 + 1)
        .unwrap();
    let before = std::fs::read(&path).unwrap();
    let cache = open(dir.path());
    cache.put_embeddings(MODEL, &[(key, vector())], 9);
    assert_eq!(cache.embedding(&key, MODEL, 2, NOW), None);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn purge_counts_and_shrinks() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path());
    let rows: Vec<(Key, Vector)> = (0..500)
        .map(|i| {
            (Key::embedding(MODEL, "query", &i.to_string()), Vector::new(vec![1.0; 384]).unwrap())
        })
        .collect();
    cache.put_embeddings(MODEL, &rows, 1);
    let purged = cache.purge(&[Table::Embeddings]).unwrap();
    assert_eq!((purged[0].count, purged[0].bytes), (500, 500 * (32 + 384 * 4)));
    assert_eq!(cache.stats().unwrap()[0].count, 0);
    drop(cache);
    checkpoint(dir.path());
    // A page for each table, each index and the map of pages.
    assert!(std::fs::metadata(dir.path().join(FILE)).unwrap().len() <= 64 * 1024);
}

/// Slow work delays no look-up: here it is slow because another process writes, elsewhere because
/// there are many rows.
#[test]
fn look_ups_do_not_wait_for_counting_purging_or_writing() {
    use std::sync::atomic::{AtomicBool, Ordering};

    let dir = tempfile::tempdir().unwrap();
    let key = filled(dir.path());
    let slow: [fn(&Cache); 3] = [
        |cache| drop(cache.stats()),
        |cache| drop(cache.purge(&[Table::Answers])),
        |cache| {
            for n in 0..MAX_WAITING {
                let key = Key::embedding(MODEL, "query", &n.to_string());
                cache.put_embeddings(MODEL, &[(key, vector())], NOW);
            }
        },
    ];
    for (n, slow) in slow.into_iter().enumerate() {
        let cache = open(dir.path());
        assert_eq!(cache.embedding(&key, MODEL, 2, NOW), Some(vector()));
        let other = Connection::open(dir.path().join(FILE)).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let has_begun = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let work = scope.spawn(|| {
                has_begun.store(true, Ordering::SeqCst);
                slow(&cache);
            });
            while !has_begun.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            // The work waits for the other process, for seconds; look-ups do not.
            for _ in 0..2000 {
                assert_eq!(cache.embedding(&key, MODEL, 2, NOW), Some(vector()));
            }
            assert!(!work.is_finished(), "{n}: look-ups waited for it");
            other.execute_batch("COMMIT").unwrap();
        });
    }
}

/// Rows that are being written are found, and another process that locks the file for long costs
/// nothing.
#[test]
fn rows_that_cannot_be_written_yet_are_found_and_written_later() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path());
    put(&cache, Table::Answers, "a", 10, NOW);
    let batch = cache.lock().take_batch(None).unwrap();
    assert!(has(&cache, Table::Answers, "a", NOW), "it is being written");
    let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
    cache.lock().finish_batch(&batch, &Err(rusqlite::Error::SqliteFailure(busy, None)));
    assert!(cache.is_writable() && has(&cache, Table::Answers, "a", NOW));
    cache.flush();
    assert!(
        !has(&open(dir.path()), Table::Answers, "a", NOW),
        "there is a pause before the next try"
    );
    cache.lock().pause_until = Some(Instant::now());
    cache.flush();
    assert!(has(&open(dir.path()), Table::Answers, "a", NOW));
}

/// A purge rewrites the file of an older version, which then shrinks in steps.
#[test]
fn an_older_file_shrinks_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    let Opened::Writable(old) = sqlite::open(&path, &STEPS).unwrap() else { panic!("a new file") };
    drop(old);
    let cache = open(dir.path());
    for n in 0..2000 {
        put(&cache, Table::Answers, &n.to_string(), 1000, NOW);
    }
    let purged = cache.purge(&Table::ALL).unwrap();
    assert_eq!(purged.iter().map(|purged| purged.count).collect::<Vec<_>>(), [0, 0, 0, 2000]);
    drop(cache);
    let mode: i64 = Connection::open(&path)
        .unwrap()
        .pragma_query_value(None, "auto_vacuum", |row| row.get(0))
        .unwrap();
    assert_eq!(mode, 2);
    checkpoint(dir.path());
    assert!(path.metadata().unwrap().len() <= 64 * 1024);
}

#[test]
fn table_lists_are_parsed_and_the_unknown_is_named() {
    assert_eq!(Table::parse_list("all").unwrap(), Table::ALL);
    assert_eq!(
        Table::parse_list("embeddings, answers").unwrap(),
        [Table::Embeddings, Table::Answers]
    );
    assert!(Table::parse_list("embeddings,answer").unwrap_err().to_string().contains("`answer`"));
}

fn put(cache: &Cache, table: Table, name: &str, bytes: usize, now_s: i64) {
    cache.put(table, Key::of("test", [name.as_bytes()]), "scope", vec![7; bytes], now_s);
}

fn has(cache: &Cache, table: Table, name: &str, now_s: i64) -> bool {
    let key = Key::of("test", [name.as_bytes()]);
    let lookup = Lookup { table, key: &key, scope: "scope", now_s };
    cache.find(lookup, |bytes| Reading::Good(bytes.len())).is_some()
}

#[test]
fn a_waiting_row_is_found_and_later_written() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open(dir.path());
    put(&cache, Table::Answers, "a", 10, NOW);
    assert!(has(&cache, Table::Answers, "a", NOW));
    assert!(!has(&cache, Table::Retrieval, "a", NOW), "each table has its own rows");
    assert!(!has(&open(dir.path()), Table::Answers, "a", NOW), "it waits");
    drop(cache);
    assert!(has(&open(dir.path()), Table::Answers, "a", NOW));
}

#[test]
fn counters_survive_the_process() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let cache = open(dir.path());
        has(&cache, Table::Answers, "a", NOW);
        put(&cache, Table::Answers, "a", 10, NOW);
        has(&cache, Table::Answers, "a", NOW);
    }
    let stats = open(dir.path()).stats().unwrap();
    let answers = stats.iter().find(|s| s.table == Table::Answers).unwrap();
    assert_eq!(answers.counters, Counters { hits: 5, misses: 1, ..Counters::default() });
    assert_eq!(answers.count, 1);
}

#[test]
fn a_row_expires_and_the_next_one_stored_removes_it() {
    let dir = tempfile::tempdir().unwrap();
    let layers = Layers { answers: Layer { ttl_s: 100, budget_bytes: 1 << 20 }, ..unlimited() };
    let open = || Cache::open(dir.path(), layers);
    put(&open(), Table::Answers, "a", 10, NOW);
    assert!(has(&open(), Table::Answers, "a", NOW + 99));
    assert!(!has(&open(), Table::Answers, "a", NOW + 100));
    // Its last use was recorded, so it is removed 100 seconds after that.
    put(&open(), Table::Answers, "b", 10, NOW + 99 + 100);
    assert_eq!(open().stats().unwrap()[3].count, 1);
}

#[test]
fn the_least_recently_used_rows_make_room() {
    let dir = tempfile::tempdir().unwrap();
    let row = 1000 + 32;
    let layers = Layers { retrieval: Layer { ttl_s: 0, budget_bytes: 10 * row }, ..unlimited() };
    let open = || Cache::open(dir.path(), layers);
    for (n, name) in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"].into_iter().enumerate() {
        put(&open(), Table::Retrieval, name, 1000, NOW + n as i64);
    }
    assert!(has(&open(), Table::Retrieval, "a", NOW + 1000));
    put(&open(), Table::Retrieval, "k", 1000, NOW + 1001);
    let stats = open().stats().unwrap().into_iter().find(|s| s.table == Table::Retrieval).unwrap();
    assert_eq!((stats.count, stats.bytes, stats.counters.evicted), (9, 9 * row, 2));
    let left = |name| has(&open(), Table::Retrieval, name, NOW + 1002);
    assert!(left("a") && left("k") && left("d") && !left("b") && !left("c"));
}

/// A file of the first version, with vectors in it, keeps them.
#[test]
fn an_older_file_is_upgraded_in_place() {
    let dir = tempfile::tempdir().unwrap();
    let key = filled(dir.path());
    checkpoint(dir.path());
    let path = dir.path().join(FILE);
    let connection = Connection::open(&path).unwrap();
    let rows = "SELECT key, scope, value, crc, created FROM embeddings";
    let row = connection
        .query_row(rows, [], |r| {
            Ok((
                r.get::<_, Vec<u8>>(0)?,
                r.get::<_, String>(1)?,
                r.get::<_, Vec<u8>>(2)?,
                r.get::<_, i64>(3)?,
            ))
        })
        .unwrap();
    drop(connection);
    std::fs::remove_file(&path).unwrap();
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(STEPS[0]).unwrap();
    connection.execute("INSERT INTO embeddings VALUES (?1, ?2, ?3, ?4, 7)", row).unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    drop(connection);
    let cache = open(dir.path());
    assert_eq!(cache.embedding(&key, MODEL, 2, NOW), Some(vector()));
    assert_eq!(cache.stats().unwrap()[0].bytes, 32 + 8);
}

#[test]
fn sixteen_writers_share_a_file() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    std::thread::scope(|scope| {
        for writer in 0..16 {
            let dir = dir.path();
            scope.spawn(move || {
                let cache = open(dir);
                for n in 0..20 {
                    put(&cache, Table::Answers, &format!("{writer} {n}"), 100, NOW);
                    cache.flush();
                }
            });
        }
    });
    let stats = open(dir.path()).stats().unwrap();
    assert_eq!(stats[3].count, 16 * 20);
    assert_eq!(stats[3].bytes, 16 * 20 * 132);
}

/// Another process locks the file for longer than a command should wait: rows are lost, look-ups
/// continue, nothing fails.
#[test]
fn a_file_that_is_held_costs_one_bounded_wait() {
    let dir = tempfile::tempdir().unwrap();
    let key = filled(dir.path());
    let holder = Connection::open(dir.path().join(FILE)).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let cache = open(dir.path());
    put(&cache, Table::Answers, "a", 10, NOW);
    cache.flush();
    assert!(cache.lock().is_paused(), "it does not wait again");
    put(&cache, Table::Answers, "b", 10, NOW);
    cache.flush();
    assert_eq!(
        cache.embedding(&key, MODEL, 2, NOW),
        Some(vector()),
        "readers do not wait for a writer"
    );
    drop(cache);
    holder.execute_batch("COMMIT").unwrap();
    let cache = open(dir.path());
    assert!(!has(&cache, Table::Answers, "a", NOW) && cache.is_writable());
}

#[test]
fn a_file_that_is_deleted_or_replaced_while_it_is_open_harms_nothing() {
    for replacement in [None, Some(vec![7u8; 9000]), Some(Vec::new())] {
        let dir = tempfile::tempdir().unwrap();
        let key = filled(dir.path());
        let cache = open(dir.path());
        assert_eq!(cache.embedding(&key, MODEL, 2, NOW), Some(vector()));
        for name in [FILE.to_owned(), format!("{FILE}-wal"), format!("{FILE}-shm")] {
            let _ = std::fs::remove_file(dir.path().join(name));
        }
        if let Some(bytes) = replacement {
            std::fs::write(dir.path().join(FILE), bytes).unwrap();
        }
        put(&cache, Table::Answers, "a", 10, NOW);
        cache.flush();
        assert!(cache.embedding(&key, MODEL, 2, NOW).is_none_or(|found| found == vector()));
        drop(cache);
        // The next process has a cache that works.
        let key = filled(dir.path());
        assert_eq!(open(dir.path()).embedding(&key, MODEL, 2, NOW), Some(vector()));
    }
}

#[test]
fn a_rerank_score_is_exact_and_finite() {
    let dir = tempfile::tempdir().unwrap();
    let key = |question: &str, text: &str| Key::rerank(MODEL, question, text);
    let score = 1.0 / 3.0;
    open(dir.path()).put_rerank_score(key("q", "text"), MODEL, score, 7);
    let cache = open(dir.path());
    assert_eq!(cache.rerank_score(&key("q", "text"), MODEL, NOW), Some(score));
    for other in [key("qt", "ext"), key("q", "text "), Key::rerank("other", "q", "text")] {
        assert_eq!(cache.rerank_score(&other, MODEL, NOW), None);
    }
    cache.put(Table::Rerank, key("q", "text"), MODEL, f64::NAN.to_le_bytes().to_vec(), NOW);
    assert_eq!(cache.rerank_score(&key("q", "text"), MODEL, NOW), None);
    assert_eq!(
        cache.counters(Table::Rerank),
        Counters { hits: 1, misses: 4, damaged: 1, evicted: 0 }
    );
}
