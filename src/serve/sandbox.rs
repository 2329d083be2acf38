//! Names that clients give to what lies on this machine. Whether a name may be followed is decided
//! here and nowhere else.
//!
//! A folder is opened part by part beneath a handle of the folder that was allowed, through no link
//! and never upwards, so that what was checked is what is opened.

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
const MAX_PART_BYTES: usize = 255;
const MAX_PARTS: usize = 32;

/// Hexadecimal digits of the names that this program gives to jobs and conversations: 128 random
/// bits.
const ID_DIGITS: usize = 32;

/// A folder that may be ingested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Where it really is.
    pub real: String,
    /// What clients call it.
    pub name: String,
}

/// The folders beneath which clients may have ingested, each with a name that says no more of this
/// machine than it must.
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
    /// Those of the configured folders that are there.
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

    /// Their names, in the configured order.
    pub fn labels(&self) -> Vec<&str> {
        self.0.iter().map(|root| root.label.as_str()).collect()
    }

    /// Where they really are, in the same order.
    pub fn places(&self) -> Vec<&Path> {
        self.0.iter().map(|root| root.real.as_path()).collect()
    }

    /// The folder that a client means: a name, perhaps with a path behind it, or a path that begins
    /// with a folder that is allowed.
    ///
    /// # Errors
    /// The same for a folder that is elsewhere and for one that is not there: nobody learns what
    /// there is.
    pub fn folder(&self, asked: &str) -> Result<Folder> {
        let asked = asked.strip_prefix("./").unwrap_or(asked);
        let asked = if asked.len() > 1 { asked.strip_suffix('/').unwrap_or(asked) } else { asked };
        self.0.iter().find_map(|root| root.folder(asked)).ok_or_else(|| {
            let error = Error::forbidden("that is no folder beneath those that may be ingested");
            match self.labels().join(", ") {
                labels if labels.is_empty() => {
                    error.hint("the setting `serve.roots` lists the folders that may be")
                }
                labels => error.hint(format!("a folder begins with one of: {labels}")),
            }
        })
    }
}

impl Root {
    fn folder(&self, asked: &str) -> Option<Folder> {
        let starts = [self.label.as_str(), self.real.to_str()?, self.given.to_str()?];
        let rests = starts.into_iter().filter_map(|start| below(asked, start));
        rests
            .filter_map(|rest| if rest.is_empty() { Some(Vec::new()) } else { parts(rest) })
            .find_map(|parts| {
                open(&self.real, &parts, false).ok()?;
                let real = parts.iter().fold(self.real.clone(), |path, part| path.join(part));
                let name =
                    [self.label.as_str()].into_iter().chain(parts).collect::<Vec<_>>().join("/");
                Some(Folder { real: real.to_str()?.to_owned(), name })
            })
    }
}

/// What of a path stands behind a folder.
fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(folder)?;
    if rest.is_empty() || folder.ends_with('/') {
        return Some(rest);
    }
    rest.strip_prefix('/').filter(|rest| !rest.is_empty())
}

/// The end of a path, as long as it takes to tell it from the ends of the others.
fn label(path: &Path, all: &[PathBuf]) -> String {
    let parts = |path: &Path| -> Vec<String> {
        let names =
            path.components().skip(1).map(|part| part.as_os_str().to_string_lossy().into_owned());
        names.collect()
    };
    let own = parts(path);
    let end = |parts: &[String], n: usize| parts[parts.len().saturating_sub(n)..].join("/");
    let is_alone =
        |n: &usize| all.iter().filter(|other| end(&parts(other), *n) == end(&own, *n)).count() < 2;
    let n = (1..=own.len()).find(is_alone).unwrap_or(own.len());
    if own.is_empty() { "/".to_owned() } else { end(&own, n) }
}

/// The parts of a relative path that can only lead downwards; `None` for any other.
fn parts(name: &str) -> Option<Vec<&str>> {
    let parts: Vec<&str> = name.split('/').collect();
    let is_fine = |part: &&str| {
        !matches!(*part, "" | "." | "..")
            && part.len() <= MAX_PART_BYTES
            && !part.chars().any(|c| c.is_control() || c == '\\')
            && !is_encoded(part)
    };
    (name.len() <= MAX_NAME_BYTES && parts.len() <= MAX_PARTS && parts.iter().all(is_fine))
        .then_some(parts)
}

/// Whether something is still written as `%2e` after it was decoded once: somebody might decode it
/// again.
fn is_encoded(part: &str) -> bool {
    let bytes = part.as_bytes();
    bytes.windows(3).any(|w| w[0] == b'%' && w[1].is_ascii_hexdigit() && w[2].is_ascii_hexdigit())
}

/// Opens a folder beneath `root`, and makes it when `makes` says so.
fn open(root: &Path, parts: &[&str], makes: bool) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
    let mut folder = openat(CWD, root, flags, Mode::empty())?;
    for part in parts {
        if makes {
            match mkdirat(&folder, *part, Mode::RWXU) {
                Err(error) if error != Errno::EXIST => return Err(error),
                _ => {}
            }
        }
        folder = openat(&folder, *part, flags | OFlags::NOFOLLOW, Mode::empty())?;
    }
    Ok(folder)
}

/// The name of an index that is to be made or changed.
///
/// # Errors
/// When it cannot be one.
pub fn index_name<'a>(given: Option<&'a str>, default: &'a str) -> Result<&'a str> {
    match given.unwrap_or(default) {
        name if config::is_name(name) => Ok(name),
        _ => Err(Error::usage("that cannot be the name of an index").hint(
            "a name has letters, digits, `.`, `_` and `-`, and begins with a letter or digit",
        )),
    }
}

/// The name of an index that there is.
///
/// # Errors
/// When there is none of that name.
pub fn known_index<'a>(given: Option<&'a str>, default: &'a str) -> Result<&'a str> {
    let name = given.unwrap_or(default);
    let none = || {
        Error::not_found("there is no index of that name").hint("GET /indexes lists what there is")
    };
    if config::is_name(name) { Ok(name) } else { Err(none()) }
}

/// Whether a name is one that this program gives to jobs and conversations.
pub fn is_id(name: &str) -> bool {
    name.len() == ID_DIGITS && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// A file that is on its way in. Until it is complete nobody sees it; one that does not become so
/// leaves nothing.
pub struct Incoming {
    folder: OwnedFd,
    name: String,
    temporary: String,
    file: std::fs::File,
    is_done: bool,
}

/// Where a file will be, by the name that a client gave it.
#[derive(Clone, Debug)]
pub struct FileName(String);

impl FileName {
    /// # Errors
    /// When the name leads anywhere but downwards, or would be passed over like other hidden files.
    pub fn new(name: &str) -> Result<Self> {
        match parts(name) {
            Some(parts) if parts.iter().all(|part| !part.starts_with('.')) => {
                Ok(Self(name.to_owned()))
            }
            _ => Err(Error::usage("that cannot be the path of a document")
                .hint("a path is relative, has no `..` in it, and no part that begins with a dot")),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Incoming {
    /// Begins a file beneath `root`, whose folders are made.
    ///
    /// # Errors
    /// When something else than folders stands on the way, or nothing can be written there.
    pub fn begin(root: &Path, name: &FileName) -> Outcome<Self> {
        let what = || format!("cannot write beneath {}", root.display());
        disk::create_dir(root)?;
        let mut parts = parts(&name.0).unwrap_or_default();
        let own = parts.pop().unwrap_or_default().to_owned();
        let folder = open(root, &parts, true).map_err(|error| match error {
            Errno::NOTDIR | Errno::LOOP => {
                Fault::usage("something else than a folder stands on the way to that path")
            }
            error => Fault::failed(what()).because(std::io::Error::from(error)),
        })?;
        // The walk passes over what begins with a dot.
        let temporary = format!(".{}.tmp", disk::random_id()?);
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = openat(&folder, &*temporary, flags, Mode::RUSR | Mode::WUSR);
        let file = file.map_err(std::io::Error::from).or_failed(what)?;
        Ok(Self { folder, name: own, temporary, file: file.into(), is_done: false })
    }

    pub fn write(&mut self, bytes: &[u8]) -> Outcome<()> {
        self.file.write_all(bytes).or_failed(|| "cannot write an upload".into())
    }

    /// Puts it in its place, on disk before this returns.
    ///
    /// # Errors
    /// When a folder stands there, or the disk is full.
    pub fn finish(mut self) -> Outcome<()> {
        let what = || "cannot write an upload".to_owned();
        self.file.sync_all().or_failed(what)?;
        renameat(&self.folder, &*self.temporary, &self.folder, &*self.name).map_err(|error| {
            match error {
                Errno::ISDIR => Fault::usage("a folder stands at that path"),
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

/// Bytes of all files beneath a folder of uploads; 0 where there is none.
pub fn bytes(folder: &Path) -> Outcome<u64> {
    let cannot = || "cannot look through the uploads".to_owned();
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        entries => entries.or_failed(cannot)?,
    };
    let mut sum = 0;
    for entry in entries {
        let entry = entry.or_failed(cannot)?;
        sum += match entry.metadata() {
            Ok(found) if found.is_dir() => bytes(&entry.path())?,
            Ok(found) => found.len(),
            // Removed meanwhile.
            Err(_) => 0,
        };
    }
    Ok(sum)
}

/// Removes a file beneath `root`; one that is not there is gone already.
///
/// # Errors
/// When it cannot be removed.
pub fn remove(root: &Path, name: &FileName) -> Outcome<()> {
    let mut parts = parts(&name.0).unwrap_or_default();
    let own = parts.pop().unwrap_or_default();
    match open(root, &parts, false).and_then(|folder| unlinkat(&folder, own, AtFlags::empty())) {
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

    #[test]
    fn a_folder_is_one_beneath_those_that_are_allowed() {
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

        let check = |asked: &str, below: &str, name: &str| {
            let expected = Folder {
                real: real.join(below).to_str().unwrap().to_owned(),
                name: name.to_owned(),
            };
            assert_eq!(roots.folder(asked).unwrap(), expected, "{asked}");
        };
        check("notes", "notes", "notes");
        check("./notes/", "notes", "notes");
        check("a/docs/deep/er", "a/docs/deep/er", "a/docs/deep/er");
        check(real.join("b/docs").to_str().unwrap(), "b/docs", "b/docs");
        check(real.join("a/docs/deep").to_str().unwrap(), "a/docs/deep", "a/docs/deep");

        let absolute = |below: &str| real.join(below).to_str().unwrap().to_owned();
        for bad in [
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
            &absolute("outside"),
            &absolute("notes/../outside"),
            &absolute("notes/out"),
            &absolute(""),
            &"notes/".repeat(500),
        ] {
            assert_eq!(roots.folder(bad).unwrap_err().code(), "forbidden", "{bad:?}");
        }
        assert_eq!(Roots::new(&[]).folder("notes").unwrap_err().code(), "forbidden");
    }

    #[test]
    fn an_upload_is_there_whole_or_not_at_all() {
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

        // A link that somebody put there is not followed, in no place.
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
    fn a_full_disk_is_recognised_and_leaves_nothing() {
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
    fn a_name_leads_downwards_or_is_refused() {
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
