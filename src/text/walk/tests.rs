use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::*;

/// Creates files and walks them. Names that end in `/` are folders; `=` separates name and content.
fn found(files: &[&str], options: &WalkOptions) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), files);
    walked(folder.path(), options)
}

fn make(root: &Path, files: &[&str]) {
    for file in files {
        let (name, content) = file.split_once('=').unwrap_or((file, "text"));
        let path = root.join(name);
        if name.ends_with('/') {
            fs::create_dir_all(path).unwrap();
        } else {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }
}

/// The entries of the walk, in order; all but files have their kind before the path.
fn walked(root: &Path, options: &WalkOptions) -> Vec<String> {
    let mut entries = Vec::new();
    walk(root, options, &mut |entry| {
        entries.push(match entry {
            Entry::Folder(_) => return Ok(()),
            Entry::File(file) => {
                let absolute = file_below(&root.canonicalize().unwrap(), &file.path);
                assert_eq!(fs::metadata(absolute).unwrap().len(), file.size);
                file.path
            }
            Entry::Skipped { path, reason } => format!("skipped {path}: {}", reason.text()),
            Entry::Failed { path, .. } => format!("failed {path}"),
        });
        Ok(())
    })
    .unwrap();
    entries
}

fn check(files: &[&str], expected: &[&str]) {
    assert_eq!(found(files, &WalkOptions::default()), expected, "{files:?}");
}

fn check_globs(files: &[&str], include: &[&str], exclude: &[&str], expected: &[&str]) {
    let owned = |globs: &[&str]| globs.iter().map(|&glob| glob.to_owned()).collect();
    let options =
        WalkOptions { include: owned(include), exclude: owned(exclude), skip: Vec::new() };
    assert_eq!(found(files, &options), expected, "include {include:?} exclude {exclude:?}");
}

#[test]
fn files_come_in_the_order_of_their_path_components() {
    check(
        &["b", "a/z", "a.txt", "a/b/c", "B", "é", "a-b/x"],
        &["B", "a/b/c", "a/z", "a-b/x", "a.txt", "b", "é"],
    );
    check(&[], &[]);
}

#[test]
fn hidden_files_are_left_out() {
    check(&["a", ".b", ".c/d", "e/.f", "e/g"], &["a", "e/g"]);
}

#[test]
fn ignore_files_apply_outside_a_repository() {
    check(
        &[".gitignore=*.log\n/top\nbuild/", "a.log", "b", "top", "sub/top", "sub/build/x"],
        &["b", "sub/top"],
    );
    check(
        &[".gitignore=*.log", "sub/.gitignore=!keep.log", "sub/keep.log", "sub/x.log"],
        &["sub/keep.log"],
    );
    check(&[".gitignore=*.log", ".ragignore=!a.log\nb.txt", "a.log", "b.log", "b.txt"], &["a.log"]);
    check(&[".ragignore=!*.log", "sub/.gitignore=*.log", "sub/a.log"], &["sub/a.log"]);
    check(&[".gitignore=\u{feff}a\n# comment\n[\n\nb", "a", "b", "c"], &["c"]);
}

#[test]
fn ignore_files_above_apply_only_within_a_repository() {
    let folder = tempfile::tempdir().unwrap();
    make(
        folder.path(),
        &[".gitignore=*.log\ndocs/drafts", "docs/a.log", "docs/b", "docs/drafts/c"],
    );
    let docs = folder.path().join("docs");
    assert_eq!(walked(&docs, &WalkOptions::default()), ["a.log", "b", "drafts/c"]);
    fs::create_dir(folder.path().join(".git")).unwrap();
    assert_eq!(walked(&docs, &WalkOptions::default()), ["b"]);
}

#[test]
fn globs_select_files() {
    let files = &["a.md", "b.rs", "docs/c.md", "docs/d.txt", "docs/old/e.md", ".gitignore=b.rs"];
    check_globs(files, &["*.md"], &[], &["a.md", "docs/c.md", "docs/old/e.md"]);
    check_globs(files, &["/*.md"], &[], &["a.md"]);
    check_globs(files, &["docs/"], &["old/"], &["docs/c.md", "docs/d.txt"]);
    check_globs(files, &["docs/**/*.md"], &[], &["docs/c.md", "docs/old/e.md"]);
    check_globs(files, &["*.rs"], &[], &[]);
    check_globs(files, &[], &["*.md", "!a.md"], &["a.md", "docs/d.txt"]);
    check_globs(&["#a", "b"], &["#a"], &[], &["#a"]);
}

#[test]
fn globs_select_composed_and_decomposed_names() {
    let files = ["Me\u{301}.md", "M\u{e9}2.md", "Me.md"];
    check_globs(&files, &["M\u{e9}*"], &[], &files[..2]);
    check_globs(&files, &["Me\u{301}*"], &[], &files[..2]);
    check_globs(&files, &[], &["M\u{e9}*"], &files[2..]);
}

#[test]
fn a_malformed_glob_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for bad in ["{a", "a[z-a]"] {
        let options = WalkOptions { exclude: vec![bad.to_owned()], ..WalkOptions::default() };
        let fault = walk(folder.path(), &options, &mut |_| Ok(())).unwrap_err();
        assert_eq!(fault.kind(), crate::error::Kind::Usage);
        assert!(fault.to_string().contains(bad), "{fault}");
    }
}

#[test]
fn a_root_that_is_not_a_folder_is_a_usage_fault() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), &["file"]);
    for name in ["file", "missing"] {
        let fault =
            walk(&folder.path().join(name), &WalkOptions::default(), &mut |_| Ok(())).unwrap_err();
        assert_eq!(fault.kind(), crate::error::Kind::Usage, "{fault}");
    }
}

#[test]
fn skipped_folders_are_never_entered() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), &["a", "data/b", "x/data/c"]);
    let skip =
        |path: &str| WalkOptions { skip: vec![folder.path().join(path)], ..WalkOptions::default() };
    assert_eq!(walked(folder.path(), &skip("data")), ["a", "x/data/c"]);
    assert_eq!(walked(folder.path(), &skip("missing")), ["a", "data/b", "x/data/c"]);
    assert!(walk(&folder.path().join("x/data"), &skip("x"), &mut |_| Ok(())).is_err());
}

#[test]
fn links_are_not_followed_but_the_root_may_be_one() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), &["real/a", "real/sub/b"]);
    let symlink = |target: &Path, name: &str| {
        std::os::unix::fs::symlink(target, folder.path().join(name)).unwrap();
    };
    symlink(&folder.path().join("real"), "link");
    symlink(&folder.path().join("real"), "real/sub/loop");
    symlink(Path::new("nowhere"), "real/dangling");
    let expected =
        ["a", "skipped dangling: symbolic link", "sub/b", "skipped sub/loop: symbolic link"];
    assert_eq!(walked(&folder.path().join("link"), &WalkOptions::default()), expected);
}

/// A mounted `ConfigMap`, and imitations of one.
#[test]
fn links_of_a_mounted_config_map_are_followed_and_no_others() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("docs");
    make(folder.path(), &["docs/", "secret/key", "secret/a"]);
    make(
        &root,
        &[
            "..2026_01/a.md=one",
            "..2026_01/sub/b.md=two",
            "..2026_02/a.md=other",
            ".git/config=token",
        ],
    );
    symlink("..2026_01", root.join("..data")).unwrap();
    for name in ["a.md", "sub"] {
        symlink(Path::new("..data").join(name), root.join(name)).unwrap();
    }
    // Another name, a path to the parent, a missing file, a link in place of a file.
    symlink("..data/a.md", root.join("renamed.md")).unwrap();
    symlink("..data/../.git/config", root.join("config")).unwrap();
    symlink("..data/gone.md", root.join("gone.md")).unwrap();
    symlink("../.git/config", root.join("..2026_01/token")).unwrap();
    symlink("..data/token", root.join("token")).unwrap();
    let skipped = |name: &str| format!("skipped {name}: symbolic link");
    let rest = ["config", "gone.md", "renamed.md", "sub/b.md", "token"];
    let rest =
        rest.map(|name| if name.starts_with("sub") { name.to_owned() } else { skipped(name) });
    assert_eq!(walked(&root, &WalkOptions::default()), [&["a.md".to_owned()], &rest[..]].concat());
    // An update replaces one link, which a watcher must notice.
    assert!(is_relevant(&root, &WalkOptions::default(), &root.join("..data")));
    assert!(is_relevant(&root, &WalkOptions::default(), &root.join("sub")));

    // `..data` must lead to a hidden sibling folder.
    for current in ["../secret", "..2026_03", ".git", ".", ".."] {
        std::fs::remove_file(root.join("..data")).unwrap();
        symlink(current, root.join("..data")).unwrap();
        if current == "..2026_03" {
            symlink("../secret", root.join(current)).unwrap();
        }
        for name in ["a", "key", "config"] {
            let _ = symlink(Path::new("..data").join(name), root.join(name));
        }
        let found = walked(&root, &WalkOptions::default());
        assert!(found.iter().all(|entry| entry.starts_with("skipped ")), "{current}: {found:?}");
    }
}

#[test]
fn special_files_are_skipped_without_blocking() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), &["a"]);
    for name in ["fifo", ".gitignore"] {
        rustix::fs::mknodat(
            rustix::fs::CWD,
            folder.path().join(name),
            rustix::fs::FileType::Fifo,
            0o600.into(),
            0,
        )
        .unwrap();
    }
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
    let expected = ["a", "skipped fifo: not a regular file", "skipped socket: not a regular file"];
    assert_eq!(walked(folder.path(), &WalkOptions::default()), expected);
}

#[test]
fn an_unreadable_folder_fails_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), &["a/x", "b/y", "c"]);
    let closed = folder.path().join("a");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o0)).unwrap();
    if fs::read_dir(&closed).is_ok() {
        eprintln!("skipped: this user may read every folder");
        return;
    }
    assert_eq!(walked(folder.path(), &WalkOptions::default()), ["failed a", "b/y", "c"]);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn names_that_are_not_utf8_have_unique_paths() {
    let folder = tempfile::tempdir().unwrap();
    let names: [&[u8]; 5] = [b"a\xFF", b"a\\xFF", b"a\\x5CxFF", b"back\\slash", b"-x\n;$(rm)"];
    for name in names {
        fs::write(folder.path().join(OsStr::from_bytes(name)), name).unwrap();
    }
    let mut files = Vec::new();
    walk(folder.path(), &WalkOptions::default(), &mut |entry| {
        if let Entry::File(file) = entry {
            let name =
                fs::read(file_below(&folder.path().canonicalize().unwrap(), &file.path)).unwrap();
            files.push((file.path, name));
        }
        Ok(())
    })
    .unwrap();
    let path_of = |name: &[u8]| files.iter().find(|(_, n)| n == name).unwrap().0.as_str();
    assert_eq!(
        names.map(path_of),
        ["a\\xFF", "a\\x5CxFF", "a\\x5Cx5CxFF", "back\\slash", "-x\n;$(rm)"]
    );
}

#[test]
fn deep_folders_are_walked() {
    let folder = tempfile::tempdir().unwrap();
    let mut path = folder.path().to_owned();
    for _ in 0..1000 {
        path.push("d");
    }
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("f"), "text").unwrap();
    let expected = format!("{}f", "d/".repeat(1000));
    assert_eq!(walked(folder.path(), &WalkOptions::default()), [expected]);
}

#[test]
fn a_fault_of_the_caller_ends_the_walk() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), &["a", "b"]);
    let mut n = 0;
    let fault = walk(folder.path(), &WalkOptions::default(), &mut |_| {
        n += 1;
        Err(Fault::interrupted())
    });
    assert_eq!((n, fault.unwrap_err().kind()), (1, crate::error::Kind::Interrupted));
}

#[test]
fn time_before_1970_is_negative() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), &["a"]);
    let file = fs::File::options().write(true).open(folder.path().join("a")).unwrap();
    file.set_modified(UNIX_EPOCH - std::time::Duration::from_millis(1500)).unwrap();
    walk(folder.path(), &WalkOptions::default(), &mut |entry| {
        let Entry::File(file) = entry else { return Ok(()) };
        assert_eq!(file.mtime_ns, -1_500_000_000);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_folder_is_reported_before_it_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), &["a/b/x", "c/", ".hidden/x", "left/x", ".gitignore=left/"]);
    let top = folder.path().canonicalize().unwrap();
    let mut folders = Vec::new();
    walk(folder.path(), &WalkOptions::default(), &mut |entry| {
        if let Entry::Folder(path) = entry {
            // Created after the report: still found.
            fs::write(path.join("late"), "text").unwrap();
            folders.push(path.strip_prefix(&top).unwrap().display().to_string());
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(folders, ["", "a", "a/b", "c"]);
    assert_eq!(
        walked(&top, &WalkOptions::default()),
        ["a/b/late", "a/b/x", "a/late", "c/late", "late"]
    );
}

/// Every path that the walk lists is relevant, and stays so when it is deleted.
#[test]
fn relevant_paths_are_those_that_the_walk_lists() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        "a.md",
        "b.log",
        "build/x.md",
        "sub/c.md",
        "sub/deep/d.txt",
        "sub/kept.log",
        ".git/HEAD",
        "data/indexes/x",
        "sub/.hidden",
        ".gitignore=*.log\n/build/\n",
        "sub/.ragignore=!kept.log\ndeep/\n",
    ];
    make(folder.path(), &files);
    let top = folder.path().canonicalize().unwrap();
    let skip = WalkOptions { skip: vec![top.join("data/indexes")], ..WalkOptions::default() };
    let only =
        WalkOptions { include: vec!["*.md".into()], exclude: vec!["sub".into()], ..skip.clone() };
    for options in [skip, only] {
        let found = walked(&top, &options);
        assert!(!found.is_empty());
        for file in files {
            let (name, _) = file.split_once('=').unwrap_or((file, ""));
            let wanted = is_relevant(&top, &options, &top.join(name));
            let is_ignore_file =
                name == ".gitignore" || (name == "sub/.ragignore" && options.exclude.is_empty());
            assert_eq!(
                wanted,
                is_ignore_file || found.iter().any(|path| path == name),
                "{name} {options:?}"
            );
        }
    }
    let wanted = |name: &str| is_relevant(&top, &WalkOptions::default(), &top.join(name));
    assert!(wanted("gone.md") && wanted("sub/gone/too.md") && wanted("sub/gone") && wanted(""));
    assert!(
        !wanted("gone.log")
            && !wanted("build/gone.md")
            && !wanted(".swap")
            && !wanted("sub/.git/.gitignore")
    );
    assert!(is_relevant(&top, &WalkOptions::default(), top.parent().unwrap()));
}

#[test]
fn a_path_is_mapped_to_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let names: [&[u8]; 6] =
        [b"plain", b"caf\xE9", b"a\\x41b", b"\\", "\u{e9}".as_bytes(), b"\xFF\xFE\\xFF"];
    for name in names {
        fs::write(folder.path().join(std::ffi::OsStr::from_bytes(name)), name).unwrap();
    }
    let mut found = 0;
    walk(folder.path(), &WalkOptions::default(), &mut |entry| {
        if let Entry::File(file) = entry {
            let top = folder.path().canonicalize().unwrap();
            let absolute = file_below(&top, &file.path);
            // The file contains its own name.
            let name = fs::read(&absolute).unwrap();
            assert_eq!(absolute, top.join(OsStr::from_bytes(&name)), "{}", file.path);
            found += 1;
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(found, names.len());
}
