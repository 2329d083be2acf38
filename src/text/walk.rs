//! Walks a folder and lists its files, in an order that does not depend on the file system.
//!
//! Files are sorted by the bytes of their path components. Hidden files, and those that
//! `.gitignore` and `.ragignore` name, are left out silently. A `.gitignore` applies outside a
//! repository too; inside one, those of the parent folders up to the repository's top apply as
//! well. The user's global excludes and `.git/info/exclude` do not apply, so that the same folder
//! gives the same index on another machine. Symbolic links are not followed, except for the root
//! itself and for the links of a mounted Kubernetes `ConfigMap`: [`mounted`].
//!
//! The walk has a stack of listed directories and at most one open directory, so it is limited
//! neither by depth nor by the number of open files. Each file costs one `stat`.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use unicode_normalization::UnicodeNormalization as _;

use crate::error::{Context, Fault, Result};
use crate::strings::StrExt as _;

/// Which files of a folder to list.
#[derive(Clone, Debug, Default)]
pub struct WalkOptions {
    /// Globs as in `.gitignore`, relative to the root. If there are any, only matching files are
    /// listed. They do not include hidden or ignored files.
    pub include: Vec<String>,
    /// Globs as in `.gitignore`, relative to the root, of files to leave out.
    pub exclude: Vec<String>,
    /// Absolute paths of folders that are never entered, such as the data directory.
    pub skip: Vec<PathBuf>,
}

/// An entry of the walk. Ignored and hidden files are not reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The real path of a folder that is listed next. Watching it from now on misses no change.
    Folder(PathBuf),
    File(WalkedFile),
    Skipped {
        path: String,
        reason: SkipReason,
    },
    /// A directory or file that cannot be read. What is below an unreadable directory is unknown,
    /// not deleted.
    Failed {
        path: String,
        reason: String,
    },
}

/// A regular file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkedFile {
    /// Relative to the root, with `/`. Bytes that are not UTF-8 are written as `\xHH`, and a
    /// backslash that looks like the start of such an escape as `\x5C`, so no two files have the
    /// same path.
    pub path: String,
    /// Size in bytes at the time of the walk.
    pub size: u64,
    /// Nanoseconds since 1970, negative before.
    pub mtime_ns: i64,
    pub inode: u64,
    /// Time of the last change of content, name or rights, which cannot be set.
    pub ctime_ns: i64,
}

impl WalkedFile {
    /// A file with a path of its own, such as the address of a page.
    ///
    /// # Errors
    /// When the file cannot be examined.
    pub fn named(path: &str, file: &Path) -> std::io::Result<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = file.metadata()?;
        let ctime_ns =
            metadata.ctime().saturating_mul(1_000_000_000).saturating_add(metadata.ctime_nsec());
        let (size, inode) = (metadata.len(), metadata.ino());
        Ok(Self { path: path.to_owned(), size, mtime_ns: mtime_ns(&metadata), inode, ctime_ns })
    }
}

/// Why an entry is not a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    Symlink,
    /// FIFO, socket or device.
    Special,
}

impl SkipReason {
    pub fn text(self) -> &'static str {
        match self {
            Self::Symlink => "symbolic link",
            Self::Special => "not a regular file",
        }
    }
}

/// Calls `on_entry` for every entry below `root`, in order.
///
/// # Errors
/// When the root cannot be read, a glob is malformed, or `on_entry` returns a fault. Failures below
/// the root are reported as [`Entry::Failed`].
pub fn walk(
    root: &Path,
    options: &WalkOptions,
    on_entry: &mut dyn FnMut(Entry) -> Result<()>,
) -> Result<()> {
    let canonical = open_root(root)?;
    let mut walk = Walk::begin(root, &canonical, options)?;
    on_entry(Entry::Folder(canonical.clone()))?;
    let mut first = Folder { absolute: canonical, ..Folder::default() };
    walk.list(&mut first).or_failed(|| format!("cannot read the folder `{}`", root.display()))?;
    first.failures.drain(..).try_for_each(&mut *on_entry)?;

    let mut stack = vec![first];
    while let Some(folder) = stack.last_mut() {
        let Some(child) = folder.children.next() else {
            walk.git.truncate(folder.n_git);
            walk.rag.truncate(folder.n_rag);
            stack.pop();
            continue;
        };
        let path = folder.path_of(&child.name);
        match child.kind {
            ChildKind::File { size, mtime_ns, inode, ctime_ns } => {
                on_entry(Entry::File(WalkedFile { path, size, mtime_ns, inode, ctime_ns }))?;
            }
            ChildKind::Skipped(reason) => on_entry(Entry::Skipped { path, reason })?,
            ChildKind::Failed(reason) => on_entry(Entry::Failed { path, reason })?,
            ChildKind::Folder { included } => {
                let absolute = folder.absolute.join(&child.name);
                on_entry(Entry::Folder(absolute.clone()))?;
                let mut below = Folder { absolute, path, included, ..Folder::default() };
                match walk.list(&mut below) {
                    Ok(()) => {
                        below.failures.drain(..).try_for_each(&mut *on_entry)?;
                        stack.push(below);
                    }
                    // Deleted since its parent was listed.
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                    Err(e) => on_entry(Entry::Failed { path: below.path, reason: e.to_string() })?,
                }
            }
        }
    }
    Ok(())
}

/// Whether a change of `path` can change what [`walk`] lists: it would list the path, or the path
/// is an ignore file. The path may no longer exist. `root` and `path` are real paths.
pub fn is_relevant(root: &Path, options: &WalkOptions, path: &Path) -> bool {
    // The root itself, or something above it.
    let Ok(below) = path.strip_prefix(root) else { return true };
    // The walk reports the fault.
    let Ok(mut walk) = Walk::begin(root, root, options) else { return true };
    let (mut folder, mut included) = (root.to_owned(), walk.include.is_empty());
    let mut names = below.iter().peekable();
    while let Some(name) = names.next() {
        let is_last = names.peek().is_none();
        if name.as_encoded_bytes().starts_with(b".") {
            return is_last
                && (name == MOUNTED || IGNORE_FILES.iter().any(|ignore| name == *ignore));
        }
        walk.push_ignore_files(&folder, |name| is_regular_file(&folder.join(name)));
        folder.push(name);
        let is_dir = !is_last
            || fs::symlink_metadata(&folder).is_ok_and(|metadata| metadata.is_dir())
            || mounted(&folder).is_some_and(|(_, metadata)| metadata.is_dir());
        if walk.skip.contains(&folder) || walk.is_ignored(&folder, is_dir) {
            return false;
        }
        included = included || walk.include.matched(&folder, is_dir).is_ignore();
        // A folder may contain included files.
        if is_last && !is_dir && !included {
            return false;
        }
    }
    true
}

/// The link to the current files of a `ConfigMap`, Secret or projected volume that Kubernetes
/// mounts.
const MOUNTED: &str = "..data";

/// The target and metadata of a link of a mounted `ConfigMap`; `None` for every other link.
///
/// Such a mount has a hidden folder with the files, a link `..data` to it, and a link `NAME` to
/// `..data/NAME` for each file. An update creates another hidden folder and replaces `..data`. Only
/// this form is followed: the target is below the folder of the link, and neither it nor its folder
/// is a link.
pub fn mounted(link: &Path) -> Option<(PathBuf, fs::Metadata)> {
    let (folder, name) = (link.parent()?, link.file_name()?);
    if fs::read_link(link).ok()? != Path::new(MOUNTED).join(name) {
        return None;
    }
    let current = fs::read_link(folder.join(MOUNTED)).ok()?;
    let is_hidden_sibling =
        matches!(current.components().collect::<Vec<_>>()[..], [Component::Normal(_)])
            && current.as_os_str().as_encoded_bytes().starts_with(b"..");
    let current = folder.join(current);
    if !is_hidden_sibling || !fs::symlink_metadata(&current).ok()?.is_dir() {
        return None;
    }
    let target = current.join(name);
    let metadata = fs::symlink_metadata(&target).ok()?;
    (metadata.is_file() || metadata.is_dir()).then_some((target, metadata))
}

/// Ignore files, in order of increasing precedence.
const IGNORE_FILES: [&str; 2] = [".gitignore", ".ragignore"];

/// A directory of the walk: its remaining children, sorted.
#[derive(Default)]
struct Folder {
    absolute: PathBuf,
    /// As in [`WalkedFile::path`]; empty for the root.
    path: String,
    /// Whether an include glob matched this folder or one above.
    included: bool,
    children: std::vec::IntoIter<Child>,
    failures: Vec<Entry>,
    /// Lengths of the walk's stacks of ignore files, without this folder's.
    n_git: usize,
    n_rag: usize,
}

impl Folder {
    fn path_of(&self, name: &OsStr) -> String {
        let mut path = String::with_capacity(self.path.len() + 1 + name.len());
        path.push_str(&self.path);
        if !path.is_empty() {
            path.push('/');
        }
        push_escaped(&mut path, name.as_encoded_bytes());
        path
    }
}

struct Child {
    name: OsString,
    kind: ChildKind,
}

enum ChildKind {
    Folder { included: bool },
    File { size: u64, mtime_ns: i64, inode: u64, ctime_ns: i64 },
    Skipped(SkipReason),
    Failed(String),
}

struct Walk {
    include: Gitignore,
    exclude: Gitignore,
    skip: HashSet<PathBuf>,
    /// Ignore files that apply, outermost first. Separate, because any `.ragignore` takes
    /// precedence over every `.gitignore`.
    git: Vec<Gitignore>,
    rag: Vec<Gitignore>,
}

impl Walk {
    /// `canonical` is the real path of `root`. The ignore files above it apply.
    fn begin(root: &Path, canonical: &Path, options: &WalkOptions) -> Result<Self> {
        let mut walk = Self {
            include: globs(canonical, &options.include, "include")?,
            exclude: globs(canonical, &options.exclude, "exclude")?,
            skip: skipped_folders(root, canonical, &options.skip)?,
            git: Vec::new(),
            rag: Vec::new(),
        };
        for folder in folders_above(canonical) {
            walk.push_ignore_files(&folder, |name| is_regular_file(&folder.join(name)));
        }
        Ok(walk)
    }

    /// Reads a directory; keeps the children to visit, sorted.
    fn list(&mut self, folder: &mut Folder) -> io::Result<()> {
        (folder.n_git, folder.n_rag) = (self.git.len(), self.rag.len());
        let mut entries = Vec::new();
        let mut ignore_files = Vec::new();
        for entry in fs::read_dir(&folder.absolute)? {
            let entry = entry?;
            let name = entry.file_name();
            if !name.as_encoded_bytes().starts_with(b".") {
                entries.push((name, entry));
            } else if IGNORE_FILES.iter().any(|ignore| name == *ignore) {
                // Neither through a symbolic link, like git, nor from a FIFO, which would block.
                ignore_files
                    .extend(entry.file_type().is_ok_and(|kind| kind.is_file()).then_some(name));
            }
        }
        for (name, reason) in
            self.push_ignore_files(&folder.absolute, |name| ignore_files.iter().any(|n| n == name))
        {
            folder.failures.push(Entry::Failed { path: folder.path_of(name.as_ref()), reason });
        }
        let mut children: Vec<Child> = entries
            .into_iter()
            .filter_map(|(name, entry)| self.child(folder, name, &entry))
            .collect();
        children.sort_unstable_by(|a, b| a.name.as_encoded_bytes().cmp(b.name.as_encoded_bytes()));
        folder.children = children.into_iter();
        Ok(())
    }

    fn child(&self, folder: &Folder, name: OsString, entry: &fs::DirEntry) -> Option<Child> {
        let kind = match entry.file_type() {
            Ok(kind) => kind,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return None,
            Err(e) => return Some(Child { name, kind: ChildKind::Failed(e.to_string()) }),
        };
        let absolute = folder.absolute.join(&name);
        let target =
            if kind.is_symlink() { mounted(&absolute).map(|(_, metadata)| metadata) } else { None };
        let kind = target.as_ref().map_or(kind, fs::Metadata::file_type);
        if self.is_ignored(&absolute, kind.is_dir()) {
            return None;
        }
        let included = folder.included
            || self.include.is_empty()
            || self.include.matched(&absolute, kind.is_dir()).is_ignore();
        let kind = if kind.is_dir() {
            if self.skip.contains(&absolute) {
                return None;
            }
            ChildKind::Folder { included }
        } else if !included {
            return None;
        } else if kind.is_symlink() {
            ChildKind::Skipped(SkipReason::Symlink)
        } else if !kind.is_file() {
            ChildKind::Skipped(SkipReason::Special)
        } else {
            match target.map_or_else(|| entry.metadata(), Ok) {
                Ok(metadata) => ChildKind::File {
                    size: metadata.len(),
                    mtime_ns: mtime_ns(&metadata),
                    inode: metadata.ino(),
                    ctime_ns: metadata
                        .ctime()
                        .saturating_mul(1_000_000_000)
                        .saturating_add(metadata.ctime_nsec()),
                },
                Err(e) if e.kind() == io::ErrorKind::NotFound => return None,
                Err(e) => ChildKind::Failed(e.to_string()),
            }
        };
        Some(Child { name, kind })
    }

    fn is_ignored(&self, absolute: &Path, is_dir: bool) -> bool {
        if self.exclude.matched(absolute, is_dir).is_ignore() {
            return true;
        }
        self.rag
            .iter()
            .rev()
            .chain(self.git.iter().rev())
            .map(|file| file.matched(absolute, is_dir))
            .find(|found| !found.is_none())
            .is_some_and(|found| found.is_ignore())
    }

    /// Adds the ignore files of one folder; returns those that cannot be read.
    fn push_ignore_files(
        &mut self,
        folder: &Path,
        has: impl Fn(&str) -> bool,
    ) -> Vec<(&'static str, String)> {
        let mut failures = Vec::new();
        for (name, files) in IGNORE_FILES.into_iter().zip([&mut self.git, &mut self.rag]) {
            if !has(name) {
                continue;
            }
            match ignore_file(folder, name) {
                Ok(file) if file.is_empty() => {}
                Ok(file) => files.push(file),
                Err(e) => failures.push((name, e.to_string())),
            }
        }
        failures
    }
}

/// Ignore files are read whole; no file written by hand is longer.
const MAX_IGNORE_FILE_BYTES: u64 = 1 << 20;

/// Reads an ignore file. Malformed patterns are ignored, as git does.
fn ignore_file(folder: &Path, name: &str) -> io::Result<Gitignore> {
    let path = folder.join(name);
    let size = fs::symlink_metadata(&path)?.len();
    if size > MAX_IGNORE_FILE_BYTES {
        return Err(io::Error::other(format!("an ignore file of {size} bytes is too long")));
    }
    let bytes = fs::read(&path)?;
    let content = String::from_utf8_lossy(&bytes);
    let mut builder = GitignoreBuilder::new(folder);
    for line in content.trim_start_matches('\u{feff}').lines() {
        let _ = builder.add_line(None, line);
    }
    Ok(builder.build().unwrap_or_else(|_| Gitignore::empty()))
}

fn globs(root: &Path, globs: &[String], what: &str) -> Result<Gitignore> {
    let mut builder = GitignoreBuilder::new(root);
    for glob in globs {
        // A comment in an ignore file, but a file name in an option.
        let line = if glob.starts_with('#') { format!("\\{glob}") } else { glob.clone() };
        // Names on disk may be composed or decomposed.
        let mut forms = vec![line.nfc().collect(), line.nfd().collect(), line];
        forms.dedup();
        for form in forms {
            builder.add_line(None, &form).map_err(|e| bad_glob(what, glob, e))?;
        }
    }
    builder.build().map_err(|e| bad_glob(what, &globs.join(" "), e))
}

fn bad_glob(what: &str, glob: &str, cause: ignore::Error) -> Fault {
    Fault::usage(format!("the {what} glob `{glob}` is malformed"))
        .hint("globs are written as in .gitignore: `*.md`, `docs/`, `**/draft-*`")
        .because(cause)
}

fn open_root(root: &Path) -> Result<PathBuf> {
    let metadata = match fs::metadata(root) {
        Ok(metadata) => metadata,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Err(Fault::usage(format!("no such folder: `{}`", root.display())));
        }
        Err(e) => {
            return Err(
                Fault::failed(format!("cannot read the folder `{}`", root.display())).because(e)
            );
        }
    };
    if !metadata.is_dir() {
        return Err(Fault::usage(format!("`{}` is not a folder", root.display()))
            .hint("name the folder of the file, and select the file with an include glob"));
    }
    fs::canonicalize(root).or_failed(|| format!("cannot read the folder `{}`", root.display()))
}

fn skipped_folders(root: &Path, canonical: &Path, skip: &[PathBuf]) -> Result<HashSet<PathBuf>> {
    let mut folders = HashSet::new();
    for folder in skip {
        // A folder that does not exist cannot be entered.
        let Ok(folder) = fs::canonicalize(folder) else { continue };
        if canonical.starts_with(&folder) {
            return Err(Fault::usage(format!(
                "the folder `{}` is inside `{}`, which is never indexed",
                root.display(),
                folder.display()
            )));
        }
        folders.insert(folder);
    }
    Ok(folders)
}

/// The folders above `root` whose ignore files apply to it, outermost first: those inside its
/// repository.
fn folders_above(root: &Path) -> Vec<PathBuf> {
    let Some(top) = root.ancestors().find(|folder| folder.join(".git").exists()) else {
        return Vec::new();
    };
    let mut above: Vec<PathBuf> = root
        .ancestors()
        .skip(1)
        .take_while(|folder| folder.starts_with(top))
        .map(Path::to_owned)
        .collect();
    above.reverse();
    above
}

/// Regular files are read without blocking, unlike a FIFO.
fn is_regular_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|m| m.is_file())
}

fn mtime_ns(metadata: &fs::Metadata) -> i64 {
    let Ok(mtime) = metadata.modified() else { return 0 };
    let nanos = match mtime.duration_since(UNIX_EPOCH) {
        Ok(after) => i128::try_from(after.as_nanos()).unwrap_or(i128::MAX),
        Err(before) => -i128::try_from(before.duration().as_nanos()).unwrap_or(i128::MAX),
    };
    nanos.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// The file below `root` that [`WalkedFile::path`] names.
pub fn file_below(root: &Path, path: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    let mut name = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = rest
            .get(2..4)
            .filter(|_| looks_escaped(rest))
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                name.push(byte);
                rest = &rest[4..];
            }
            None => {
                name.push(*first);
                rest = after;
            }
        }
    }
    root.join(OsString::from_vec(name))
}

fn push_escaped(path: &mut String, name: &[u8]) {
    for piece in name.utf8_chunks() {
        let mut rest = piece.valid();
        while let Some(at) = rest.find('\\') {
            path.push_str(rest.slice(..at));
            path.push_str(if looks_escaped(&rest.as_bytes()[at..]) { "\\x5C" } else { "\\" });
            rest = rest.slice(at + 1..);
        }
        path.push_str(rest);
        for byte in piece.invalid() {
            path.push_str(&format!("\\x{byte:02X}"));
        }
    }
}

fn looks_escaped(bytes: &[u8]) -> bool {
    matches!(bytes, [b'\\', b'x', a, b, ..] if is_upper_hex(*a) && is_upper_hex(*b))
}

fn is_upper_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte)
}

#[cfg(test)]
mod tests;
