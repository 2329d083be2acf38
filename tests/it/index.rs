//! `rag index`: list, show, verify, save, load and remove.

use serde_json::{Value, json};

use crate::fixtures::{TOPICS, files_below, indexed, search, topics, write_old};
use crate::support::{Run, Sandbox};

#[test]
fn list_shows_every_index() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.rag(["index", "list", "--json"]).ok().json(), json!([]));
    sandbox.rag(["index", "list"]).ok().says("rag ingest FOLDER");
    topics(&sandbox);
    for name in ["second", "first"] {
        sandbox.rag(["ingest", "--dir", "docs", "--index", name]).ok();
    }
    let list = sandbox.rag(["index", "list", "--json"]).ok().json();
    let names: Vec<&str> =
        list.as_array().unwrap().iter().map(|index| index["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["first", "second"]);
    assert_eq!((&list[0]["documents"], &list[0]["roots"]), (&json!(6), &json!(["docs"])));
    sandbox.rag(["index", "list"]).ok().prints("NAME").prints("second").prints("all-MiniLM-L6-v2");
}

#[test]
fn show_reports_documents_model_chunking_and_size() {
    let sandbox = indexed();
    let show = sandbox.rag(["index", "show", "--json"]).ok().json();
    assert_eq!(
        (&show["name"], &show["documents"], &show["chunks"], &show["dimension"], &show["vectors"]),
        (&json!("default"), &json!(6), &json!(6), &json!(384), &json!(6))
    );
    assert_eq!(
        (&show["model"]["name"], &show["chunking"]["overlap_tokens"]),
        (&json!("all-MiniLM-L6-v2"), &json!(32))
    );
    let dir = sandbox.path().join(show["index_dir"].as_str().unwrap());
    let files = files_below(&dir).into_iter().filter(|file| file != "meta.json");
    let size: u64 = files.map(|file| dir.join(file).metadata().unwrap().len()).sum();
    assert_eq!(show["bytes"], size);
    sandbox.rag(["index", "show"]).ok().prints("corpus id").prints("6 × 384");
}

#[test]
fn verify_reports_a_whole_index() {
    let sandbox = indexed();
    sandbox.rag(["index", "verify"]).ok().prints("the index `default` is intact");
    let verified = sandbox.rag(["index", "verify", "--json"]).ok().json();
    assert_eq!(verified, json!({ "index": "default", "ok": true, "damaged": [] }));
}

#[test]
fn a_saved_index_gives_the_same_hits_elsewhere() {
    let sandbox = indexed();
    let saved = sandbox.rag(["index", "save", "out.tar.zst", "--json"]).ok().json();
    assert_eq!(saved["bundle_bytes"], sandbox.path().join("out.tar.zst").metadata().unwrap().len());
    let loaded =
        sandbox.rag(["index", "load", "out.tar.zst", "--data-dir", "other", "--json"]).ok().json();
    assert_eq!(
        (&loaded["index"], &loaded["documents"], &loaded["model_here"]),
        (&json!("default"), &json!(6), &json!(true))
    );
    let hits = |data: &str| {
        search(&sandbox, "bees and bread", &["--explain", "--data-dir", data])["hits"].clone()
    };
    assert_eq!(hits("other"), hits("data"));
    sandbox.rag(["index", "verify", "--data-dir", "other"]).ok();
    // The next ingest continues from it: the files are read, because their times are those of
    // another machine, and found unchanged.
    let args = ["ingest", "--dir", "docs", "--data-dir", "other", "--no-cache", "--json"];
    let again = sandbox.rag(args).ok().json();
    assert_eq!(
        (&again["read"], &again["corpus_id"], &again["cache"]["misses"]),
        (&json!(6), &loaded["corpus_id"], &json!(0))
    );
    assert_eq!(sandbox.rag(args).ok().json()["committed"], false);
    assert_eq!(hits("other"), hits("data"));
}

#[test]
fn the_same_index_saves_to_the_same_bytes() {
    let sandbox = indexed();
    let save = |file: &str| {
        sandbox.rag(["index", "save", file]).ok();
        std::fs::read(sandbox.path().join(file)).unwrap()
    };
    assert!(save("one.tar.zst") == save("two.tar.zst"));
}

#[test]
fn loading_replaces_an_index_only_with_the_replace_flag() {
    let sandbox = indexed();
    sandbox.rag(["index", "save", "out.tar.zst"]).ok();
    sandbox
        .rag(["index", "load", "out.tar.zst"])
        .exits(2)
        .says("already an index named `default`")
        .says("--as NAME");
    sandbox
        .rag(["index", "load", "out.tar.zst", "--as", "copy"])
        .ok()
        .prints("index `copy`: 6 documents");
    write_old(&sandbox, "docs/new.md", "The heron waits.\n");
    sandbox.ingest();
    sandbox.rag(["index", "load", "out.tar.zst", "--replace"]).ok();
    sandbox.rag(["search", "heron", "--mode", "lexical"]).exits(3);
    for bad in ["../x", "-x", ""] {
        sandbox.rag(["index", "load", "out.tar.zst", &format!("--as={bad}")]).exits(2).says("name");
    }
    sandbox
        .rag(["index", "load", "nowhere.tar.zst"])
        .exits(2)
        .says("there is no file nowhere.tar.zst");
}

#[test]
fn a_file_that_is_not_a_bundle_is_refused_and_leaves_nothing() {
    let sandbox = Sandbox::new();
    for (file, content) in
        [("empty", &b""[..]), ("text", b"This is no bundle, but a text.\n"), ("zeros", &[0; 4096])]
    {
        sandbox.write(file, content);
        sandbox.rag(["index", "load", file]).exits(5).says("not a usable bundle");
    }
    let left = files_below(&sandbox.data());
    assert!(left.iter().all(|file| file == "indexes/.lock"), "{left:?}");
}

#[test]
fn saving_over_a_file_is_refused_unless_forced() {
    let sandbox = indexed();
    let notes = sandbox.write("notes.txt", "my notes");
    let read = || std::fs::read(&notes).unwrap();
    let run = sandbox.rag(["index", "save", "notes.txt"]).exits(2);
    run.says("notes.txt exists").says("--force");
    assert_eq!(read(), b"my notes");
    // A failed save keeps the file, forced or not.
    sandbox.rag(["index", "save", "notes.txt", "--force", "--index", "nowhere"]).exits(1);
    assert_eq!(read(), b"my notes");
    std::os::unix::fs::symlink("nowhere.tar.zst", sandbox.path().join("link")).unwrap();
    sandbox.rag(["index", "save", "link"]).exits(2).says("link exists");
    assert!(!sandbox.path().join("nowhere.tar.zst").exists());
    sandbox.rag(["index", "save", "notes.txt", "--force"]).ok();
    sandbox.rag(["index", "load", "notes.txt", "--as", "copy"]).ok();
    sandbox.rag(["index", "save", "no/such/folder/out.tar.zst"]).exits(1);
    sandbox.rag(["index", "save", "/"]).exits(2);
    let left: Vec<_> =
        std::fs::read_dir(sandbox.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains(".tmp")), "{left:?}");
}

#[test]
fn remove_deletes_the_index_and_not_the_documents() {
    let sandbox = indexed();
    sandbox.rag(["ingest", "--dir", "docs", "--index", "other", "--exclude", "*.md"]).ok();
    sandbox.rag(["index", "remove", "--yes", "--json"]).ok();
    sandbox
        .rag(["search", "bees"])
        .exits(1)
        .says("there is no index named `default`")
        .says("there are: other");
    sandbox.rag(["search", "bread", "--index", "other"]).ok();
    assert_eq!(files_below(&sandbox.path().join("docs")).len(), TOPICS.len());
    sandbox.rag(["index", "remove", "--yes", "--index", "other"]).ok();
    let left = files_below(&sandbox.data().join("indexes"));
    assert_eq!(left, [".lock"]);
    sandbox.rag(["index", "remove", "--yes"]).exits(1).says("there is no index named `default`");
}

#[test]
fn removing_one_of_two_equal_indexes_keeps_the_other() {
    let sandbox = indexed();
    sandbox.rag(["ingest", "--dir", "docs", "--index", "twin"]).ok();
    sandbox.rag(["index", "remove", "--yes", "--index", "twin"]).ok();
    sandbox.rag(["search", "bees"]).ok();
    sandbox.rag(["index", "verify"]).ok();
}

#[test]
fn indexes_of_other_data_directories_are_found() {
    let sandbox = indexed();
    let run_in = |dir: &str, args: &[&str]| {
        std::fs::create_dir_all(sandbox.path().join(dir)).unwrap();
        Run::of(sandbox.command(args).current_dir(sandbox.path().join(dir)))
    };
    let real = |path: &str| sandbox.path().canonicalize().unwrap().join(path);
    let (data, elsewhere) = (real("data"), real("elsewhere/data"));
    sandbox.rag(["ingest", "--dir", "docs", "--index", "notes"]).ok();
    let run = run_in("elsewhere", &["search", "bees"]).exits(1);
    let run = run.says(&format!(
        "there is no index named `default` in {}",
        elsewhere.join("indexes").display()
    ));
    run.says(&format!("`--data-dir`: {} (default, notes)", data.display()));
    run_in("elsewhere", &["search", "bees", "--data-dir", data.to_str().unwrap()]).ok();
    assert_eq!(run_in("elsewhere", &["index", "list", "--json"]).ok().json(), json!([]));
    run_in("elsewhere", &["index", "list", "--everywhere"])
        .ok()
        .prints("notes")
        .prints(data.to_str().unwrap());
    let list = |dir: &str| {
        let list = run_in(dir, &["index", "list", "--everywhere", "--json"]).ok().json();
        let pair = |index: &Value| {
            format!("{} {}", index["data_dir"].as_str().unwrap(), index["name"].as_str().unwrap())
        };
        list.as_array().unwrap().iter().map(pair).collect::<Vec<_>>()
    };
    let of = |dir: &std::path::Path, name: &str| format!("{} {name}", dir.display());
    run_in("elsewhere", &["ingest", "--dir", "../docs"]).ok();
    assert_eq!(
        list("elsewhere"),
        [of(&elsewhere, "default"), of(&data, "default"), of(&data, "notes")]
    );
    assert_eq!(list("."), [of(&data, "default"), of(&data, "notes"), of(&elsewhere, "default")]);
    // A removed data directory is not listed, and an unreadable list fails no command.
    std::fs::remove_dir_all(&elsewhere).unwrap();
    assert_eq!(list("."), [of(&data, "default"), of(&data, "notes")]);
    sandbox.write("home/.local/state/rag/places.json", "no JSON");
    run_in("third", &["search", "bees"]).exits(1).says("there is no index");
    run_in("third", &["ingest", "--dir", "../docs"]).ok();
    let mut homeless = sandbox.command(["ingest", "--dir", "docs", "--index", "more"]);
    Run::of(homeless.env("HOME", "/dev/null")).ok();
}
