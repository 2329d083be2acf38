use super::*;
use crate::vector::Vector;

const MODEL: &str = "m1";

fn vector() -> Vector {
    Vector::new(vec![0.6, 0.8]).unwrap()
}

fn filled(dir: &Path) -> Key {
    let key = Key::new(MODEL, "query", "hello");
    Cache::open(dir).keep_embeddings(MODEL, &[(key, vector())], 7);
    key
}

#[test]
fn a_row_comes_back_and_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let key = filled(dir.path());
    let cache = Cache::open(dir.path());
    assert_eq!(cache.embedding(&key, MODEL, 2), Some(vector()));
    assert_eq!(cache.embedding(&Key::new(MODEL, "passage", "hello"), MODEL, 2), None);
    assert_eq!(cache.counters(), Counters { hits: 1, misses: 1, damaged: 0 });
    let stats = &cache.stats().unwrap()[0];
    assert_eq!((stats.count, stats.oldest, stats.newest), (1, Some(7), Some(7)));
}

/// Wrong checksum, wrong dimension, not a number, another model, another type: a miss, counted, overwritten.
#[test]
fn a_bad_row_is_a_miss_that_is_counted_and_overwritten() {
    let nan: Vec<u8> = [f32::NAN, 1.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    let dir = tempfile::tempdir().unwrap();
    let key = filled(dir.path());
    let connection = Connection::open(dir.path().join(FILE)).unwrap();
    let crc = |bytes: &[u8]| {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&connection.query_row("SELECT key FROM embeddings", [], |r| r.get::<_, Vec<u8>>(0)).unwrap());
        hasher.update(MODEL.as_bytes());
        hasher.update(bytes);
        hasher.finalize()
    };
    let damages = [
        "UPDATE embeddings SET crc = crc + 1".to_owned(),
        "UPDATE embeddings SET value = x'0000803f'".to_owned(),
        format!("UPDATE embeddings SET value = x'0000803f', crc = {}", crc(&1.0f32.to_le_bytes())),
        format!("UPDATE embeddings SET value = x'{}', crc = {}", disk::hex(&nan), crc(&nan)),
        "UPDATE embeddings SET model = 'm2'".to_owned(),
        "UPDATE embeddings SET value = 'text'".to_owned(),
        "UPDATE embeddings SET crc = 'text'".to_owned(),
    ];
    for damage in damages {
        connection.execute_batch(&damage).unwrap();
        let cache = Cache::open(dir.path());
        assert_eq!(cache.embedding(&key, MODEL, 2), None, "{damage}");
        assert_eq!(cache.counters(), Counters { hits: 0, misses: 1, damaged: 1 }, "{damage}");
        cache.keep_embeddings(MODEL, &[(key, vector())], 8);
        assert_eq!(cache.embedding(&key, MODEL, 2), Some(vector()), "{damage}");
    }
}

#[test]
fn what_is_no_database_is_set_aside_and_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(FILE), vec![7u8; 9000]).unwrap();
    let key = filled(dir.path());
    assert_eq!(Cache::open(dir.path()).embedding(&key, MODEL, 2), Some(vector()));
    assert!(dir.path().join("cache.db.damaged").exists());
}

/// Every byte of the file flipped in turn: the right vector or a miss, never another vector and never a panic.
#[test]
fn flipped_bytes_never_give_a_wrong_vector() {
    let dir = tempfile::tempdir().unwrap();
    let key = filled(dir.path());
    let path = dir.path().join(FILE);
    let good = std::fs::read(&path).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x55;
        std::fs::write(&path, &bad).unwrap();
        let cache = Cache::open(dir.path());
        if let Some(found) = cache.embedding(&key, MODEL, 2) {
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
    Connection::open(&path).unwrap().pragma_update(None, "user_version", VERSION + 1).unwrap();
    let before = std::fs::read(&path).unwrap();
    let cache = Cache::open(dir.path());
    cache.keep_embeddings(MODEL, &[(key, vector())], 9);
    assert_eq!(cache.embedding(&key, MODEL, 2), None);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn purge_counts_and_shrinks() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path());
    let rows: Vec<(Key, Vector)> =
        (0..500).map(|i| (Key::new(MODEL, "query", &i.to_string()), Vector::new(vec![1.0; 384]).unwrap())).collect();
    cache.keep_embeddings(MODEL, &rows, 1);
    let purged = cache.purge(&[Table::Embeddings]).unwrap();
    assert_eq!((purged[0].count, purged[0].bytes), (500, 500 * (32 + 384 * 4)));
    assert_eq!(cache.stats().unwrap()[0].count, 0);
    drop(cache);
    assert!(std::fs::metadata(dir.path().join(FILE)).unwrap().len() < 64 * 1024);
}

#[test]
fn table_lists_are_parsed_and_the_unknown_is_named() {
    assert_eq!(Table::parse_list("all").unwrap(), Table::ALL);
    assert_eq!(Table::parse_list("embeddings").unwrap(), [Table::Embeddings]);
    assert!(Table::parse_list("embeddings,answer").unwrap_err().to_string().contains("`answer`"));
}
