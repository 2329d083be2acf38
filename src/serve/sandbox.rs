//! Paths and names that clients send. Every decision whether a client may reach a file is made
//! here.
//!
//! A folder is opened segment by segment below a handle of an allowed folder, without following
//! links and never upwards, so the folder that is opened is the one that was checked. `cap-std`
//! does not fit: its `Dir` follows links that stay below its root, and refusing every link would
//! take the same walk over segments, with more code.

use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, mkdirat, openat, renameat, unlinkat};
use rustix::io::Errno;

use super::error::{Error, Result};
use crate::config;
use crate::disk;
use crate::error::{Context as _, Fault, Result as Outcome};

const MAX_NAME_BYTES: usize = 1024;
const MAX_SEGMENT_BYTES: usize = 255;
const MAX_SEGMENTS: usize = 32;

/// Hexadecimal digits of the ids of jobs and sessions: 128 random bits.
const ID_DIGITS: usize = 32;

/// A folder that may be ingested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Its canonical path.
    pub real: String,
    /// The name that clients see.
    pub name: String,
}

/// The folders below which clients may ingest. The label of each reveals as little of its path as
/// it can.
#[derive(Debug)]
pub struct Roots(Vec<Root>);

#[derive(Debug)]
struct Root {
    /// As configured.
    given: PathBuf,
    real: PathBuf,
    label: String,
}

impl Roots {
    /// The configured folders that exist.
    pub fn new(configured: &[PathBuf]) -> Self {
        let mut found: Vec<(PathBuf, PathBuf)> = Vec::new();
        for given in configured {
            if let Ok(real) = given.canonicalize()
                && real.is_dir()
                && real.to_str().is_some()
                && found.iter().all(|(_, known)| *known != real)
            {
                found.push((given.clone(), real));
            }
        }
        let all: Vec<PathBuf> = found.iter().map(|(_, real)| real.clone()).collect();
        let named =
            |(given, real): (PathBuf, PathBuf)| Root { label: label(&real, &all), given, real };
        Self(found.into_iter().map(named).collect())
    }

    /// Labels, in the configured order.
    pub fn labels(&self) -> Vec<&str> {
        self.0.iter().map(|root| root.label.as_str()).collect()
    }

    /// Canonical paths, in the same order.
    pub fn paths(&self) -> Vec<&Path> {
        self.0.iter().map(|root| root.real.as_path()).collect()
    }

    /// The folder that a client names: a label, optionally followed by a path, or a path below an
    /// allowed folder.
    ///
    /// # Errors
    /// The same for a folder outside and for a missing one, so clients cannot probe what exists.
    pub fn folder(&self, requested: &str) -> Result<Folder> {
        let path = requested.strip_prefix("./").unwrap_or(requested);
        let path = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path);
        self.0.iter().find_map(|root| root.folder(path)).ok_or_else(|| {
            Error::forbidden("not a folder below an allowed root").hint(match self.labels()[..] {
                [] => "the setting `serve.roots` lists the allowed roots".to_owned(),
                ref labels => format!("allowed roots: {}", labels.join(", ")),
            })
        })
    }
}

impl Root {
    /// The folder at `path`, which begins with the label or the path of this root.
    fn folder(&self, path: &str) -> Option<Folder> {
        let starts = [self.label.as_str(), self.real.to_str()?, self.given.to_str()?];
        starts.into_iter().find_map(|start| self.subfolder(below(path, start)?))
    }

    /// The folder at a path relative to this root.
    fn subfolder(&self, relative: &str) -> Option<Folder> {
        let segments = if relative.is_empty() { Vec::new() } else { segments(relative)? };
        open(&self.real, &segments, Missing::Fail).ok()?;
        let mut folder = Folder { real: self.real.to_str()?.to_owned(), name: self.label.clone() };
        for segment in segments {
            let inner = Path::new(&folder.real).join(segment);
            inner.to_str()?.clone_into(&mut folder.real);
            folder.name = format!("{}/{segment}", folder.name);
        }
        Some(folder)
    }
}

/// The rest of `path` after `folder`.
fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(folder)?;
    if rest.is_empty() || folder.ends_with('/') {
        return Some(rest);
    }
    rest.strip_prefix('/').filter(|rest| !rest.is_empty())
}

/// The shortest suffix of a path that no other root ends with.
fn label(path: &Path, all: &[PathBuf]) -> String {
    let names = |path: &Path| -> Vec<String> {
        let components = path.components().skip(1);
        components.map(|name| name.as_os_str().to_string_lossy().into_owned()).collect()
    };
    let suffix = |names: &[String], n: usize| names[names.len().saturating_sub(n)..].join("/");
    let own = names(path);
    if own.is_empty() {
        return "/".to_owned();
    }
    let all: Vec<Vec<String>> = all.iter().map(|path| names(path)).collect();
    let is_unique = |n: &usize| {
        let own = suffix(&own, *n);
        all.iter().filter(|other| suffix(other, *n) == own).count() < 2
    };
    suffix(&own, (1..=own.len()).find(is_unique).unwrap_or(own.len()))
}

/// The segments of a relative path that cannot lead upwards; `None` for any other path.
fn segments(path: &str) -> Option<Vec<&str>> {
    let segments: Vec<&str> = path.split('/').collect();
    let is_valid = |segment: &&str| {
        !matches!(*segment, "" | "." | "..")
            && segment.len() <= MAX_SEGMENT_BYTES
            && !segment.chars().any(|c| c.is_control() || c == '\\')
            && !is_encoded(segment)
    };
    let is_short = path.len() <= MAX_NAME_BYTES && segments.len() <= MAX_SEGMENTS;
    (is_short && segments.iter().all(is_valid)).then_some(segments)
}

/// Whether a segment still contains an escape such as `%2e` after decoding, which another program
/// might decode again.
fn is_encoded(segment: &str) -> bool {
    let bytes = segment.as_bytes();
    bytes.windows(3).any(|w| w[0] == b'%' && w[1].is_ascii_hexdigit() && w[2].is_ascii_hexdigit())
}

/// What `open` does with a folder that does not exist.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Create,
    Fail,
}

/// Opens a folder below `root`.
fn open(root: &Path, segments: &[&str], missing: Missing) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
    let mut folder = openat(CWD, root, flags, Mode::empty())?;
    for segment in segments {
        if missing == Missing::Create
            && let Err(error) = mkdirat(&folder, *segment, Mode::RWXU)
            && error != Errno::EXIST
        {
            return Err(error);
        }
        folder = openat(&folder, *segment, flags | OFlags::NOFOLLOW, Mode::empty())?;
    }
    Ok(folder)
}

/// The name of an index to create or change, or `default`.
///
/// # Errors
/// When the name is invalid.
pub fn index_name<'a>(given: Option<&'a str>, default: &'a str) -> Result<&'a str> {
    match given.unwrap_or(default) {
        name if config::is_name(name) => Ok(name),
        _ => Err(Error::usage("invalid index name").hint(
            "use letters, digits, `.`, `_` and `-`, beginning with a letter, a digit or `_`",
        )),
    }
}

/// The name of an index to read, or `default`.
///
/// # Errors
/// When the name is invalid: no index can have it.
pub fn known_index<'a>(given: Option<&'a str>, default: &'a str) -> Result<&'a str> {
    let name = given.unwrap_or(default);
    if config::is_name(name) {
        return Ok(name);
    }
    Err(Error::not_found("there is no index of that name").hint("GET /indexes lists the indexes"))
}

/// Whether `name` has the form of the id of a job or a session.
pub fn is_id(name: &str) -> bool {
    name.len() == ID_DIGITS && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// A file being uploaded. It is invisible until it is complete, and removed when it is dropped
/// before.
pub struct Incoming {
    folder: OwnedFd,
    name: String,
    temporary: String,
    file: std::fs::File,
    is_done: bool,
}

/// The relative path that a client gave to an upload.
#[derive(Clone, Debug)]
pub struct FileName(String);

impl FileName {
    /// # Errors
    /// When the path could lead upwards, has a hidden segment, which an ingest would skip, or one
    /// that begins with a space, which tables and command lines lose.
    pub fn new(name: &str) -> Result<Self> {
        match segments(name) {
            Some(segments) if segments.iter().all(|segment| !segment.starts_with(['.', ' '])) => {
                Ok(Self(name.to_owned()))
            }
            _ => Err(Error::usage("invalid document path")
                .hint("use a relative path without `..`, whose names begin with no dot or space")),
        }
    }

    /// The folder and the file name.
    fn split(&self) -> (Vec<&str>, &str) {
        let mut segments = segments(&self.0).unwrap_or_default();
        let file = segments.pop().unwrap_or_default();
        (segments, file)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Incoming {
    /// Starts a file below `root`, and creates its folders.
    ///
    /// # Errors
    /// When a segment of the path exists and is not a folder, or the file cannot be created.
    pub fn begin(root: &Path, name: &FileName) -> Outcome<Self> {
        let what = || format!("cannot write below {}", root.display());
        disk::create_dir(root)?;
        let (folders, file_name) = name.split();
        let folder = open(root, &folders, Missing::Create).map_err(|error| match error {
            Errno::NOTDIR | Errno::LOOP => Fault::usage("a parent of that path is not a folder"),
            error => Fault::failed(what()).because(std::io::Error::from(error)),
        })?;
        // An ingest skips names that begin with a dot.
        let temporary = format!(".{}.tmp", disk::random_id()?);
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = openat(&folder, &*temporary, flags, Mode::RUSR | Mode::WUSR);
        let file = file.map_err(std::io::Error::from).or_failed(what)?.into();
        Ok(Self { folder, name: file_name.to_owned(), temporary, file, is_done: false })
    }

    pub fn write(&mut self, bytes: &[u8]) -> Outcome<()> {
        self.file.write_all(bytes).or_failed(|| "cannot write an upload".into())
    }

    /// Moves the file to its final name. It is synced to disk when this returns.
    ///
    /// # Errors
    /// When a folder has that name, or the disk is full.
    pub fn finish(mut self) -> Outcome<()> {
        let what = || "cannot write an upload".to_owned();
        self.file.sync_all().or_failed(what)?;
        renameat(&self.folder, &*self.temporary, &self.folder, &*self.name).map_err(|error| {
            match error {
                Errno::ISDIR => Fault::usage("a folder has that path"),
                error => Fault::failed(what()).because(std::io::Error::from(error)),
            }
        })?;
        self.is_done = true;
        rustix::fs::fsync(self.folder.as_fd()).map_err(std::io::Error::from).or_failed(what)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.is_done {
            let _ = unlinkat(&self.folder, &*self.temporary, AtFlags::empty());
        }
    }
}

/// Opens a file below an ingested folder for reading, with its length. Links are not followed.
///
/// # Errors
/// The same for a path that could lead upwards, a link, a folder and a missing file.
pub fn open_file(root: &Path, path: &str) -> Result<(std::fs::File, u64)> {
    let missing = || {
        Error::not_found("the file of the document is not there")
            .hint("it was moved or deleted since the last ingest, or it is a link")
    };
    let mut folders = segments(path).ok_or_else(missing)?;
    let name = folders.pop().ok_or_else(missing)?;
    let folder = open(root, &folders, Missing::Fail).map_err(|_| missing())?;
    // Opening a pipe would wait for a writer.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = openat(&folder, name, flags, Mode::empty()).map_err(|_| missing())?;
    let file = std::fs::File::from(file);
    match file.metadata() {
        Ok(found) if found.is_file() => Ok((file, found.len())),
        _ => Err(missing()),
    }
}

/// Total size of the files below a folder; 0 when it does not exist.
pub fn total_bytes(folder: &Path) -> Outcome<u64> {
    let cannot = || "cannot list the uploads".to_owned();
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        entries => entries.or_failed(cannot)?,
    };
    let mut sum = 0;
    for entry in entries {
        let entry = entry.or_failed(cannot)?;
        sum += match entry.metadata() {
            Ok(found) if found.is_dir() => total_bytes(&entry.path())?,
            Ok(found) => found.len(),
            // Removed since the folder was read.
            Err(_) => 0,
        };
    }
    Ok(sum)
}

/// Removes a file below `root`; a missing file is not an error.
///
/// # Errors
/// When it cannot be removed.
pub fn remove(root: &Path, name: &FileName) -> Outcome<()> {
    let (folders, file) = name.split();
    let folder = open(root, &folders, Missing::Fail);
    match folder.and_then(|folder| unlinkat(&folder, file, AtFlags::empty())) {
        Err(error) if error != Errno::NOENT => {
            Err(error).or_failed(|| "cannot remove an upload".into())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    /// Requests that name no folder below the allowed ones.
    const FORBIDDEN: [&str; 28] = [
        "",
        ".",
        "..",
        "docs",
        "notes/..",
        "notes/../outside",
        "notes/./..",
        "notes//",
        "notes/out",
        "notes/out/secret",
        "a/docs/deep/out",
        "a/docs/deep/out/secret",
        "notes/file.md",
        "notes/nothing",
        "notesx",
        "/",
        "/proc",
        "/proc/self/root",
        "/etc",
        "notes\\..\\outside",
        "notes/%2e%2e/outside",
        "notes/%252e%252e",
        "notes/\0",
        "notes/a\nb",
        "~",
        "$HOME",
        "a",
        "nowhere",
    ];

    #[test]
    fn only_folders_below_the_roots_are_allowed() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        for folder in ["a/docs/deep/er", "b/docs", "notes", "outside/secret"] {
            std::fs::create_dir_all(real.join(folder)).unwrap();
        }
        std::fs::write(real.join("notes/file.md"), "x").unwrap();
        symlink(real.join("outside"), real.join("notes/out")).unwrap();
        symlink("../../outside", real.join("a/docs/deep/out")).unwrap();
        let roots =
            Roots::new(&["a/docs", "b/docs", "notes", "nowhere"].map(|folder| real.join(folder)));
        assert_eq!(roots.labels(), ["a/docs", "b/docs", "notes"]);

        let check = |requested: &str, below: &str, name: &str| {
            let expected = Folder {
                real: real.join(below).to_str().unwrap().to_owned(),
                name: name.to_owned(),
            };
            assert_eq!(roots.folder(requested).unwrap(), expected, "{requested}");
        };
        check("notes", "notes", "notes");
        check("./notes/", "notes", "notes");
        check("a/docs/deep/er", "a/docs/deep/er", "a/docs/deep/er");
        check(real.join("b/docs").to_str().unwrap(), "b/docs", "b/docs");
        check(real.join("a/docs/deep").to_str().unwrap(), "a/docs/deep", "a/docs/deep");

        let absolute = |below: &str| real.join(below).to_str().unwrap().to_owned();
        let absolute = ["outside", "notes/../outside", "notes/out", ""].map(absolute);
        let long = "notes/".repeat(500);
        let bad = FORBIDDEN.into_iter().chain(absolute.iter().map(String::as_str)).chain([&*long]);
        for bad in bad {
            assert_eq!(roots.folder(bad).unwrap_err().code(), "forbidden", "{bad:?}");
        }
        assert_eq!(Roots::new(&[]).folder("notes").unwrap_err().code(), "forbidden");
    }

    #[test]
    fn only_files_below_their_folder_are_opened() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("docs");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        std::fs::write(dir.path().join("secret"), "x").unwrap();
        std::fs::write(root.join("sub/a.md"), "text").unwrap();
        symlink("../secret", root.join("link")).unwrap();
        symlink("..", root.join("up")).unwrap();
        assert_eq!(open_file(&root, "sub/a.md").unwrap().1, 4);
        for path in ["../secret", "link", "up/secret", "sub", "", "/etc/passwd", "sub/none"] {
            assert_eq!(open_file(&root, path).unwrap_err().code(), "not_found", "{path}");
        }
    }

    #[test]
    fn an_upload_appears_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("uploads/default");
        let name = FileName::new("sub/a b.md").unwrap();
        let mut half = Incoming::begin(&root, &name).unwrap();
        half.write(b"half").unwrap();
        drop(half);
        assert_eq!(std::fs::read_dir(root.join("sub")).unwrap().count(), 0);
        for text in ["first", "second"] {
            let mut file = Incoming::begin(&root, &name).unwrap();
            file.write(text.as_bytes()).unwrap();
            file.finish().unwrap();
            assert_eq!(std::fs::read_to_string(root.join("sub/a b.md")).unwrap(), text);
        }
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode(&root), mode(&root.join("sub")), mode(&root.join("sub/a b.md"))),
            (0o700, 0o700, 0o600)
        );

        // No link is followed, neither a folder nor a file.
        symlink(dir.path(), root.join("link")).unwrap();
        assert!(Incoming::begin(&root, &FileName::new("link/x.md").unwrap()).is_err());
        std::fs::write(dir.path().join("kept"), "kept").unwrap();
        symlink(dir.path().join("kept"), root.join("file.md")).unwrap();
        let mut file = Incoming::begin(&root, &FileName::new("file.md").unwrap()).unwrap();
        file.write(b"new").unwrap();
        file.finish().unwrap();
        assert_eq!(std::fs::read_to_string(dir.path().join("kept")).unwrap(), "kept");
        remove(&root, &name).unwrap();
        remove(&root, &name).unwrap();
        assert!(!root.join("sub/a b.md").exists());
    }

    #[test]
    fn a_full_disk_is_reported_and_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let full = || std::fs::File::options().write(true).open("/dev/full");
        let Ok(device) = full() else { return eprintln!("skipped: there is no /dev/full") };
        let mut file = Incoming::begin(dir.path(), &FileName::new("a.md").unwrap()).unwrap();
        file.file = device;
        let fault = file.write(b"text").unwrap_err();
        assert!(fault.is_disk_full(), "{fault}");
        drop(file);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_path_that_leads_upwards_is_refused() {
        for good in
            ["a.md", "a/b/c.md", "a b.md", "; rm -rf", "$(x)", "-x", "ä/ö.md", "100%.md", "a..b"]
        {
            assert_eq!(FileName::new(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../x",
            "a/../x",
            "a/./x",
            "a//x",
            "a/",
            ".hidden",
            "a/.ragignore",
            "a\\b",
            "a\0b",
            "a\nb",
            "%2e%2e/x",
            "a%2Fb",
            "C:\\x",
            &"x".repeat(256),
            &"a/".repeat(40),
        ] {
            assert!(FileName::new(bad).is_err(), "{bad:?}");
        }
        assert!(
            is_id(&"0a".repeat(16))
                && !is_id("0a")
                && !is_id(&"0A".repeat(16))
                && !is_id(&"..".repeat(16))
        );
    }
}
