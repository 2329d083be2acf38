//! What is stored, what is hashed, and failures to write.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::config::Recording;

const KEPT: Records = Records { scope: Recording::Servers, text: false, keep_days: 30 };

fn question(text: &str, ms: f64) -> Record {
    Record::Question(Box::new(Question {
        text: text.to_owned(),
        index: "default".into(),
        intent: "list".into(),
        supported: ms < 100.0,
        total_ms: ms,
        session: Some("a-session".into()),
        documents: vec![("docs".into(), "a.md".into())],
        ..Question::default()
    }))
}

fn everything(dir: &Path) -> String {
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()).collect()
}

fn now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64
}

#[test]
fn writers_that_make_the_key_at_once_use_the_same() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..20 {
        let path = dir.path().join(n.to_string());
        let keys: Vec<Vec<u8>> = std::thread::scope(|scope| {
            let open = || Hasher::open(&path).unwrap().key;
            let writers: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(dir.path().read_dir().unwrap().count(), 20, "no temporary file is left");
}

#[test]
fn text_is_hashed_unless_the_settings_keep_it() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("analytics");
    let analytics = Analytics::start(&at, KEPT, SystemTime::now);
    for n in 0..100 {
        analytics.record(
            now(),
            question(if n % 4 == 0 { "rare canary" } else { " what is it? " }, f64::from(n)),
        );
    }
    drop(analytics);
    let text = everything(&at);
    assert!(
        !text.contains("canary") && !text.contains("what is it") && !text.contains("a-session")
    );
    let report = report(&at, 0).unwrap().unwrap();
    assert_eq!((report.questions, report.sessions, report.damaged), (100, 1, 0));
    assert_eq!((report.top[0].n, report.top[0].text.as_deref()), (75, None));
    assert_eq!(
        report.documents,
        [DocumentCount { index: "default".into(), path: "docs/a.md".into(), n: 100 }]
    );
    let total = report.latencies.iter().find(|latency| latency.stage == "total").unwrap();
    assert_eq!((total.n, total.p50, total.p95, total.max), (100, 49.0, 94.0, 99.0));

    let words = Records { text: true, ..KEPT };
    record_now(&at, words, now(), vec![question("rare canary", 500.0)]).unwrap();
    let report = super::report(&at, 0).unwrap().unwrap();
    let rare = report.top.iter().find(|asked| asked.text.is_some()).unwrap();
    assert_eq!(
        (rare.text.as_deref(), rare.n),
        (Some("rare canary"), 26),
        "the same key, the same hash"
    );
}

#[test]
fn files_are_readable_by_the_user_only() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("analytics");
    record_now(&at, KEPT, 1, vec![question("q", 1.0)]).unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode(&at), mode(&at.join("key")), mode(&at.join("analytics.db"))),
        (0o700, 0o600, 0o600)
    );
}

#[test]
fn old_records_are_dropped_and_documents_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let old = now() - 31 * 86_400;
    record_now(dir.path(), KEPT, old, vec![question("old", 1.0)]).unwrap();
    let analytics = Analytics::start(dir.path(), KEPT, SystemTime::now);
    analytics.record(now(), question("new", 1.0));
    drop(analytics);
    assert_eq!(report(dir.path(), 0).unwrap().unwrap().questions, 1);
    assert_eq!(report(dir.path(), now() + 10).unwrap().unwrap().questions, 0);
    assert_eq!(forget(dir.path(), &|root, path| root == "docs" && path == "a.md").unwrap(), 1);
    assert_eq!(report(dir.path(), 0).unwrap().unwrap().documents, []);
    assert!(!everything(dir.path()).contains("a.md"));
}

#[test]
fn a_damaged_file_is_renamed_and_a_damaged_row_ignored() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("analytics.db"), "no database ".repeat(1000)).unwrap();
    assert!(report(dir.path(), 0).is_err());
    record_now(dir.path(), KEPT, 1, vec![question("q", 1.0), question("r", 2.0)]).unwrap();
    assert!(dir.path().join("analytics.db.damaged").is_file());
    let connection = rusqlite::Connection::open(dir.path().join("analytics.db")).unwrap();
    connection.execute("UPDATE records SET body = replace(body, '2.0', '9.0')", []).unwrap();
    let report = report(dir.path(), 0).unwrap().unwrap();
    assert_eq!((report.questions, report.damaged), (1, 1));
}

/// The folder cannot be created and the queue is full: records are dropped, and no caller waits.
#[test]
fn failures_do_not_reach_callers() {
    let dir = tempfile::tempdir().unwrap();
    let blocked = dir.path().join("file");
    std::fs::write(&blocked, "").unwrap();
    let analytics = Analytics::start(&blocked.join("analytics"), KEPT, SystemTime::now);
    for _ in 0..3 * MAX_WAITING {
        analytics.record(1, question("q", 1.0));
    }
    drop(analytics);
    assert!(record_now(&blocked.join("analytics"), KEPT, 1, vec![]).is_err());
    assert_eq!(report(&dir.path().join("nowhere"), 0).unwrap(), None);
    assert_eq!(forget(&dir.path().join("nowhere"), &|_, _| true).unwrap(), 0);
    assert!(!dir.path().join("nowhere").exists());
}

#[test]
fn feedback_keeps_its_question_in_words_until_it_is_purged() {
    let dir = tempfile::tempdir().unwrap();
    let rate = |question: &str, helpful: bool| {
        let feedback = Feedback {
            question: question.into(),
            index: "default".into(),
            helpful,
            documents: vec![("docs".into(), "a.md".into()), ("docs".into(), "b.md".into())],
            ..Feedback::default()
        };
        record_now(dir.path(), KEPT, now(), vec![Record::Feedback(Box::new(feedback))]).unwrap();
    };
    for (question, helpful) in [("one", true), ("two", true), ("one", false)] {
        rate(question, helpful);
    }
    forget(dir.path(), &|_, path| path == "a.md").unwrap();
    let found = feedback(dir.path(), 0).unwrap();
    let said: Vec<_> = found.iter().map(|r| (&*r.feedback.question, r.feedback.helpful)).collect();
    assert_eq!(said, [("two", true), ("one", false)], "the last word on a question counts");
    assert_eq!(found[0].feedback.documents, [("docs".to_owned(), "b.md".to_owned())]);
    let report = report(dir.path(), 0).unwrap().unwrap();
    assert_eq!((report.helpful, report.unhelpful, report.questions), (2, 1, 0));
    assert_eq!(purge(dir.path()).unwrap(), 3);
    assert_eq!(feedback(dir.path(), 0).unwrap(), []);
    assert!(!everything(dir.path()).contains("two"));
}
