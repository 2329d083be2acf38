use super::*;
use crate::sessions::Made;

const DAY: i64 = 86_400;

fn open(dir: &Path) -> Sessions {
    let mut sessions = Sessions::open(dir, DAY).unwrap();
    sessions.wait = Duration::from_millis(1);
    sessions
}

fn turn(at: i64, question: &str) -> Turn {
    let cited = Cited {
        n: 1,
        root: "docs".into(),
        path: "a.md".into(),
        first: 3,
        last: 5,
        quotes: vec![format!("About {question}.")],
        ..Cited::default()
    };
    let (index, answer) = ("default".to_owned(), format!("About {question}. [1]"));
    let (intent, generator) = ("fact".to_owned(), "extractive".to_owned());
    let (question, resolved) = (question.to_owned(), format!("{question} resolved"));
    Turn {
        at,
        index,
        question,
        resolved,
        answer,
        supported: true,
        intent,
        generator,
        citations: vec![cited],
        made: Some(Box::new(Made { model: "m".into(), total_ms: 1.5, ..Made::default() })),
    }
}

fn never() -> bool {
    false
}

/// A folder with the session `work` of two turns and the session `play` of one, used later.
fn filled() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let sessions = open(dir.path());
    for (id, at, question) in [("work", 100, "one"), ("work", 200, "two"), ("play", 300, "three")] {
        sessions.begin(id, at, &never).unwrap().add(turn(at, question)).unwrap();
    }
    dir
}

#[test]
fn a_conversation_comes_back() {
    let dir = filled();
    let sessions = open(dir.path());
    assert_eq!(sessions.show("work", 300).unwrap(), [turn(100, "one"), turn(200, "two")]);
    assert_eq!(sessions.begin("work", 300, &never).unwrap().turns().len(), 2);
    assert_eq!(sessions.latest(300).unwrap().as_deref(), Some("play"));
    let list = sessions.list(300).unwrap();
    let shown: Vec<_> =
        list.iter().map(|s| (&*s.id, s.turns, &*s.first_question, s.created, s.used)).collect();
    assert_eq!(shown, [("play", 1, "three", 300, 300), ("work", 2, "one", 100, 200)]);
    assert_eq!(sessions.show("none", 300).unwrap_err().kind(), Kind::Usage);
    for bad in ["", "../up", ".hidden", "-flag", "two words", "a/b"] {
        assert_eq!(sessions.begin(bad, 300, &never).err().unwrap().kind(), Kind::Usage, "{bad:?}");
    }
}

#[test]
fn the_last_used_of_one_second_is_the_last() {
    let dir = tempfile::tempdir().unwrap();
    let sessions = open(dir.path());
    for id in ["a", "b", "a"] {
        sessions.begin(id, 5, &never).unwrap().add(turn(5, "x")).unwrap();
    }
    assert_eq!(sessions.latest(5).unwrap().as_deref(), Some("a"));
}

#[test]
fn a_session_without_a_question_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let sessions = open(dir.path());
    drop(sessions.begin("idle", 5, &never).unwrap());
    assert_eq!(sessions.list(5).unwrap(), []);
    assert!(!dir.path().join("idle.lock").exists());
}

#[test]
fn conversations_expire_unless_in_use() {
    let dir = filled();
    let sessions = open(dir.path());
    let late = 200 + DAY;
    assert_eq!(sessions.list(late).unwrap().len(), 1, "a session lives a day from its last turn");
    assert_eq!(sessions.show("work", late).unwrap_err().kind(), Kind::Usage);
    assert_eq!(sessions.latest(300 + DAY).unwrap(), None);
    // A process that has it open keeps it.
    let other = open(dir.path());
    let mut held = other.begin("work", 300, &never).unwrap();
    drop(sessions.begin("other", late, &never).unwrap());
    held.add(turn(late, "three")).unwrap();
    assert_eq!(sessions.show("work", late).unwrap().len(), 3);
    drop(held);
    // It is removed, and so is its lock.
    let session = sessions.begin("work", late + DAY, &never).unwrap();
    assert_eq!(session.turns(), []);
    drop(session);
    assert_eq!(sessions.read(rows::ids).unwrap(), [""; 0]);
    assert!(!dir.path().join("play.lock").exists());
}

#[test]
fn one_process_at_a_time_uses_a_session() {
    let dir = filled();
    let (one, two) = (open(dir.path()), open(dir.path()));
    let held = one.begin("work", 300, &never).unwrap();
    let fault = two.begin("work", 300, &never).err().unwrap();
    assert_eq!(fault.kind(), Kind::Busy);
    assert!(fault.to_string().contains(&format!("process {}", std::process::id())), "{fault}");
    assert!(fault.hint_text().is_some());
    assert_eq!(two.remove(&["work".into()]).unwrap_err().kind(), Kind::Busy);
    assert_eq!(two.begin("work", 300, &|| true).err().unwrap().kind(), Kind::Interrupted);
    drop(two.begin("play", 300, &never).unwrap());
    drop(held);
    assert_eq!(two.begin("work", 300, &never).unwrap().turns().len(), 2);
}

#[test]
fn sixteen_writers_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for n in 0..16 {
            let dir = dir.path();
            scope.spawn(move || {
                let sessions = Sessions::open(dir, DAY).unwrap();
                let mut own = sessions.begin(&format!("own-{n}"), 5, &never).unwrap();
                for i in 0..3 {
                    own.add(turn(5, &format!("{n} {i}"))).unwrap();
                }
                sessions.begin("shared", 5, &never).unwrap().add(turn(5, &n.to_string())).unwrap();
            });
        }
    });
    let sessions = open(dir.path());
    assert_eq!(sessions.list(5).unwrap().len(), 17);
    let shared = sessions.show("shared", 5).unwrap();
    let mut asked: Vec<u32> = shared.iter().map(|turn| turn.question.parse().unwrap()).collect();
    asked.sort_unstable();
    assert!(asked.into_iter().eq(0..16));
}

#[test]
fn removed_text_is_gone_from_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let sessions = open(dir.path());
    let secret = "rosebud".repeat(2000);
    sessions.begin("work", 5, &never).unwrap().add(turn(5, &secret)).unwrap();
    sessions.begin("play", 5, &never).unwrap().add(turn(5, "x")).unwrap();
    let holds_secret = || {
        std::fs::read_dir(dir.path()).unwrap().any(|entry| {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            bytes.windows(14).any(|window| window == b"rosebudrosebud")
        })
    };
    assert!(holds_secret());
    assert_eq!(sessions.remove(&["work".into(), "none".into()]).unwrap_err().kind(), Kind::Usage);
    assert_eq!(sessions.list(5).unwrap().len(), 2, "an unknown name removes nothing");
    assert_eq!(sessions.remove(&["work".into()]).unwrap(), 1);
    assert!(!holds_secret());
    assert!(!dir.path().join("work.lock").exists());
    assert_eq!(sessions.remove_all().unwrap(), 1);
    assert_eq!(sessions.remove_all().unwrap(), 0);
    assert_eq!(sessions.list(5).unwrap(), []);
}

/// Every kind of damage is reported with the session's name, and affects no other session.
#[test]
fn a_damaged_row_is_reported_and_never_shown() {
    for damage in [
        "UPDATE turns SET body = replace(body, 'About', 'Above') WHERE session = 'work' AND n = 1",
        "UPDATE turns SET body = 'null' WHERE session = 'work'",
        "UPDATE turns SET body = x'00ff' WHERE session = 'work'",
        "UPDATE turns SET crc = crc + 1 WHERE session = 'work' AND n = 2",
        "UPDATE turns SET crc = 'x' WHERE session = 'work'",
        "UPDATE turns SET n = n + 1 WHERE session = 'work' AND n = 2",
        "UPDATE turns SET session = 'play' WHERE session = 'work' AND n = 2",
        "DELETE FROM turns WHERE session = 'work' AND n = 1",
        "DELETE FROM turns WHERE session = 'work' AND n = 2",
        "UPDATE sessions SET used = used + 9 WHERE id = 'work'",
        "UPDATE sessions SET turns = 1 WHERE id = 'work'",
        "UPDATE sessions SET crc = 'x' WHERE id = 'work'",
    ] {
        let dir = filled();
        let sessions = open(dir.path());
        let changed = sessions.with(|connection| connection.execute(damage, [])).unwrap();
        assert!(changed > Some(0), "{damage}");
        for fault in [
            sessions.show("work", 300).unwrap_err(),
            sessions.begin("work", 300, &never).err().unwrap(),
        ] {
            assert_eq!(fault.kind(), Kind::Damaged, "{damage}");
            assert!(
                fault.to_string().contains("`work`") && fault.hint_text().is_some(),
                "{damage}: {fault}"
            );
        }
        // A list need not read every turn, but what it shows is right.
        match sessions.list(300) {
            Ok(list) => assert!(list.iter().any(|s| s.first_question == "one"), "{damage}"),
            Err(fault) => assert_eq!(fault.kind(), Kind::Damaged, "{damage}"),
        }
        assert_eq!(sessions.remove(&["work".into()]).unwrap(), 1, "{damage}");
        let stays = !damage.contains("'play'");
        assert_eq!(
            sessions.show("play", 300).is_ok_and(|turns| turns == [turn(300, "three")]),
            stays,
            "{damage}"
        );
    }
}

#[test]
fn a_session_with_a_damaged_name_can_be_removed_with_all() {
    let dir = filled();
    let sessions = open(dir.path());
    let rename = "UPDATE sessions SET id = '../' || id WHERE id = 'work'";
    sessions.with(|connection| connection.execute(rename, [])).unwrap();
    assert_eq!(sessions.list(300).unwrap_err().kind(), Kind::Damaged);
    assert_eq!(sessions.remove_all().unwrap(), 2);
    assert_eq!(sessions.list(300).unwrap(), []);
}

#[test]
fn a_file_that_cannot_be_read_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    let mut headless = std::fs::read(filled().path().join(FILE)).unwrap();
    headless[..100].fill(0xff);
    for bytes in [b"no database, though longer than a header ".repeat(20), headless] {
        std::fs::write(&path, &bytes).unwrap();
        let fault = Sessions::open(dir.path(), DAY).err().unwrap();
        assert_eq!(fault.kind(), Kind::Damaged);
        assert!(fault.hint_text().is_some());
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
}

#[test]
fn pages_overwritten_with_noise_are_damage() {
    let dir = filled();
    let path = dir.path().join(FILE);
    let mut bytes = std::fs::read(&path).unwrap();
    assert!(bytes.len() > 8192);
    bytes[4096..].fill(0xa5);
    std::fs::write(&path, &bytes).unwrap();
    let sessions = open(dir.path());
    assert_eq!(sessions.list(300).unwrap_err().kind(), Kind::Damaged);
    assert_eq!(sessions.begin("work", 300, &never).err().unwrap().kind(), Kind::Damaged);
}

#[test]
fn a_newer_file_is_left_alone() {
    let dir = filled();
    let sessions = open(dir.path());
    sessions.with(|connection| connection.pragma_update(None, "user_version", 99)).unwrap();
    drop(sessions);
    let before = std::fs::read(dir.path().join(FILE)).unwrap();
    let fault = Sessions::open(dir.path(), DAY).err().unwrap();
    assert_eq!(fault.kind(), Kind::Failed);
    assert!(fault.to_string().contains("newer") && fault.hint_text().is_some(), "{fault}");
    assert_eq!(std::fs::read(dir.path().join(FILE)).unwrap(), before);
}

#[test]
fn a_file_that_vanishes_or_is_replaced_takes_no_more_turns() {
    for replace in [false, true] {
        let dir = filled();
        let sessions = open(dir.path());
        let mut session = sessions.begin("work", 300, &never).unwrap();
        std::fs::remove_file(dir.path().join(FILE)).unwrap();
        if replace {
            std::fs::write(dir.path().join(FILE), b"").unwrap();
        }
        let fault = session.add(turn(300, "lost")).unwrap_err();
        assert_eq!(fault.kind(), Kind::Failed, "{fault}");
        assert!(fault.hint_text().is_some());
        assert_eq!(session.turns().len(), 2);
    }
}

#[test]
fn without_a_writable_folder_there_are_no_sessions_and_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "x").unwrap();
    let sessions = open(&dir.path().join("file/sessions"));
    assert_eq!(sessions.list(5).unwrap(), []);
    assert_eq!(sessions.latest(5).unwrap(), None);
    assert_eq!(sessions.show("work", 5).unwrap_err().kind(), Kind::Usage);
    let fault = sessions.begin("work", 5, &never).err().unwrap();
    assert_eq!(fault.kind(), Kind::Failed);
    assert!(fault.hint_text().is_some());
}

#[test]
fn ids_are_random() {
    let ids: std::collections::BTreeSet<String> =
        (0..100).map(|_| disk::random_id().unwrap()).collect();
    assert_eq!(ids.len(), 100);
    assert!(ids.iter().all(|id| id.len() == 32 && config::is_name(id)), "{ids:?}");
}

#[test]
fn a_session_has_a_title_and_is_found_by_its_words() {
    let dir = filled();
    let sessions = open(dir.path());
    sessions.rename("work", "  Bees and tides ", 300).unwrap();
    let title = |id: &str| {
        let list = sessions.list(300).unwrap();
        list.into_iter().find(|summary| summary.id == id).unwrap().title
    };
    assert_eq!((title("work").as_deref(), title("play")), (Some("Bees and tides"), None));
    let ids = |words: &str| {
        let found = sessions.search(words, 300).unwrap();
        found.into_iter().map(|summary| summary.id).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ids("tides BEES"), "work");
    assert_eq!(ids("about TWO"), "work", "answers and later questions are searched");
    assert_eq!(
        (ids("three"), ids(""), ids("three two")),
        ("play".into(), "play work".into(), String::new())
    );
    sessions.rename("work", " ", 300).unwrap();
    assert_eq!(title("work"), None);
    assert_eq!(sessions.rename("none", "x", 300).unwrap_err().kind(), Kind::Usage);
    sessions.rename("play", "Zebra", 300).unwrap();
    sessions.remove(&["play".to_owned()]).unwrap();
    let file = std::fs::read(dir.path().join(FILE)).unwrap();
    assert!(!String::from_utf8_lossy(&file).contains("Zebra"));
}

#[test]
fn only_the_last_turn_is_removed_alone() {
    let dir = filled();
    let sessions = open(dir.path());
    assert_eq!(sessions.remove_last("work", 1, 300).unwrap_err().kind(), Kind::Usage);
    sessions.remove_last("work", 2, 300).unwrap();
    assert_eq!(sessions.show("work", 300).unwrap(), [turn(100, "one")]);
    sessions.begin("work", 400, &never).unwrap().add(turn(400, "again")).unwrap();
    assert_eq!(sessions.show("work", 400).unwrap(), [turn(100, "one"), turn(400, "again")]);
    sessions.remove_last("play", 1, 400).unwrap();
    assert_eq!(sessions.list(400).unwrap().len(), 1, "a session without turns is gone");
}

#[test]
fn a_withdrawn_answer_leaves_no_words_of_its_document() {
    let dir = filled();
    let sessions = open(dir.path());
    assert_eq!(sessions.withdraw("default", &|_, path| path == "a.md").unwrap(), 3);
    let turns = sessions.show("work", 300).unwrap();
    assert!(turns.iter().all(|turn| turn.made.is_none() && turn.citations.is_empty()));
    let file = std::fs::read(dir.path().join(FILE)).unwrap();
    assert!(!String::from_utf8_lossy(&file).contains("About one"));
}
