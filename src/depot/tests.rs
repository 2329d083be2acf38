//! Cases of the folder; those of buckets need a store and are in `tests/it/depot.rs`.

use super::*;
use crate::error::Kind;

fn folder(dir: &Path) -> Depot {
    let url = format!("file://{}", dir.display());
    Depot::open(&DepotPlace { url, ..DepotPlace::default() }).unwrap()
}

#[test]
fn a_swap_happens_only_on_the_expected_version() {
    let dir = tempfile::tempdir().unwrap();
    let depot = folder(dir.path());
    assert_eq!(depot.read("names/a.json").unwrap(), None);
    let Swap::Done(one) = depot.swap("names/a.json", None, b"one").unwrap() else { panic!() };
    assert_eq!(depot.swap("names/a.json", None, b"two").unwrap(), Swap::Lost);
    // A repetition of one's own write succeeds.
    assert_eq!(depot.swap("names/a.json", None, b"one").unwrap(), Swap::Done(one.clone()));
    let Swap::Done(two) = depot.swap("names/a.json", Some(&one), b"two").unwrap() else { panic!() };
    assert_eq!(depot.swap("names/a.json", Some(&one), b"three").unwrap(), Swap::Lost);
    assert_eq!(
        depot.read("names/a.json").unwrap(),
        Some(Content { bytes: b"two".to_vec(), tag: two })
    );
    depot.probe().unwrap();
    assert_eq!(depot.list("probe/").unwrap(), []);
}

#[test]
fn a_copy_is_checked_and_a_wrong_one_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (file, copy) = (dir.path().join("file"), dir.path().join("copy"));
    std::fs::write(&file, "honey").unwrap();
    let depot = folder(dir.path());
    let sha256 = disk::sha256_hex(b"honey");
    let expected = Expected { bytes: 5, sha256: &sha256 };
    let key = format!("files/{sha256}");
    depot.upload(&key, &file, &|| false).unwrap();
    depot.download(&key, &copy, expected, &|| false).unwrap();
    assert_eq!(std::fs::read(&copy).unwrap(), b"honey");
    std::fs::remove_file(&copy).unwrap();
    for (damage, why) in [(Some("hobey"), "SHA-256"), (Some("hone"), "4 bytes"), (None, "missing")]
    {
        match damage {
            Some(text) => std::fs::write(dir.path().join(&key), text).unwrap(),
            None => depot.delete(&key).unwrap(),
        }
        let fault = depot.download(&key, &copy, expected, &|| false).unwrap_err();
        assert_eq!(fault.kind(), Kind::Damaged, "{fault}");
        assert!(fault.to_string().contains(why), "{fault}");
        assert!(!copy.exists());
    }
    depot.delete(&key).unwrap();
}

#[test]
fn a_missing_folder_is_no_empty_depot() {
    let depot = folder(Path::new("/nonexistent/depot"));
    for fault in [
        depot.read("names/a.json").unwrap_err(),
        depot.list("names/").unwrap_err(),
        depot.swap("names/a.json", None, b"one").unwrap_err(),
    ] {
        assert_eq!(fault.kind(), Kind::Outside, "{fault}");
    }
}
