//! An index as one file: a `.tar.zst` with a manifest, `meta.json`, and every file that `meta.json`
//! lists, in order.
//!
//! Loading trusts nothing in the archive but the list in `meta.json`: an entry that is not listed,
//! is not a regular file, is repeated or is larger than listed ends the load, and nothing becomes
//! visible before every checksum has matched. The seal at the end is a checksum of all bytes before
//! it, which distinguishes damage from manipulation.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::consistency::parts_problem;
use super::documents::Record;
use super::generation::{META, Meta, damaged};
use super::names::Store;
use super::pointer::{Before, Pointer, Publication, Target};
use super::rewrite::rewrite;
use super::snapshot::Snapshot;
use super::summary::Summary;
use crate::config::is_name;
use crate::disk::{self, Existing, FileVersion};
use crate::error::{Context as _, Fault, Result};

const MANIFEST: &str = "manifest.json";
const KIND: &str = "rag-index";
const VERSION: u32 = 2;

/// Upper limit of a manifest and of `meta.json`, which at this size would describe an index of
/// 100 TB.
const SMALL_FILE_BYTES: u64 = 64 << 20;

/// zstd's default: vectors hardly compress at any level, text compresses well at this one.
const LEVEL: i32 = 3;

#[derive(Debug, Deserialize, Serialize)]
struct Manifest {
    kind: String,
    version: u32,
    /// Name of the index when it was saved.
    name: String,
    meta_sha256: String,
    files: usize,
    bytes: u64,
}

/// What `save` wrote.
#[derive(Clone, Debug)]
pub struct Saved {
    pub files: usize,
    /// Bytes before compression.
    pub bytes: u64,
    pub bundle_bytes: u64,
}

/// Writes the current generation of `name` to `target`, which appears complete or not at all. The
/// same files, model and chunking give the same bytes, whatever the history of the index. It ends
/// when `stop` returns true.
///
/// # Errors
/// When the index is damaged, or the bundle cannot be written.
pub fn save(
    store: &Store,
    name: &str,
    target: &Path,
    existing: Existing,
    stop: &dyn Fn() -> bool,
) -> Result<Saved> {
    let file_name = target
        .file_name()
        .ok_or_else(|| Fault::usage(format!("{} is not a file name", target.display())))?;
    // Checked before everything is read, which may take long.
    store.require(name)?;
    if target.is_dir() {
        return Err(Fault::failed(cannot_write(target)).hint("it is a folder; name a file"));
    }
    disk::refuse_existing(target, existing)?;
    // Maps all that is read later, so that no writer can remove it meanwhile.
    let (snapshot, records) = store.follow(name, |pointer| {
        let snapshot = store.open_target(&pointer.current)?;
        snapshot.meta().require_vectors()?;
        snapshot.check()?;
        let records = snapshot.documents()?;
        Ok((snapshot, records))
    })?;
    let beside = format!(".{}.{}.tmp", file_name.to_string_lossy(), std::process::id());
    let temp = target.with_file_name(&beside);
    let scratch = target.with_file_name(format!("{beside}.d"));
    let clear = || {
        let _ = (std::fs::remove_file(&temp), disk::remove_dir(&scratch));
    };
    clear();
    // Without its parents: a missing parent is a mistake of the user.
    std::fs::create_dir(&scratch).or_failed(|| cannot_write(target))?;
    let saved = canonical(&scratch, name, &snapshot, records, stop).and_then(|source| {
        let saved = source.write(name, &temp)?;
        disk::put_in_place(&temp, target, existing)?;
        Ok(saved)
    });
    clear();
    saved
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

/// The index in the form of a bundle, below `scratch`: written again, without the times of its
/// creation and of its files.
fn canonical(
    scratch: &Path,
    name: &str,
    snapshot: &Snapshot,
    records: Vec<Record>,
    stop: &dyn Fn() -> bool,
) -> Result<Source> {
    let store = Store::new(scratch);
    let _lock = store.lock(Duration::ZERO, &|| false)?;
    // Times and inodes mean nothing on another machine: the next ingest there reads every file.
    let elsewhere =
        |record: Record| Record { mtime_ns: 0, version: FileVersion::default(), ..record };
    let records: Vec<Record> = records.into_iter().map(elsewhere).collect();
    let same: Vec<usize> = (0..snapshot.meta().roots.len()).collect();
    let (builder, vectors) = rewrite(&store, snapshot, &records, &same, stop)?;
    let (pointer, meta) =
        builder.commit(vectors, &Summary::like(snapshot.meta(), name, &records, 0))?;
    let dir = store.generation_dir(&pointer.current.generation);
    Ok(Source { dir, meta, meta_sha256: pointer.current.meta_sha256 })
}

/// A generation to save.
struct Source {
    dir: PathBuf,
    meta: Meta,
    meta_sha256: String,
}

impl Source {
    fn write(&self, name: &str, target: &Path) -> Result<Saved> {
        let what = || cannot_write(target);
        let manifest = Manifest {
            kind: KIND.to_owned(),
            version: VERSION,
            name: name.to_owned(),
            meta_sha256: self.meta_sha256.clone(),
            files: self.meta.files.len(),
            bytes: self.meta.files.values().map(|entry| entry.bytes).sum(),
        };
        let out = Sealing { inner: BufWriter::new(disk::create_file(target)?), sha: Sha256::new() };
        let mut archive = tar::Builder::new(zstd::Encoder::new(out, LEVEL).or_failed(what)?);
        let manifest_bytes = serde_json::to_vec_pretty(&manifest).or_failed(what)?;
        append(&mut archive, MANIFEST, &manifest_bytes[..], manifest_bytes.len() as u64)
            .or_failed(what)?;
        let meta_bytes = self.meta.to_bytes()?;
        append(&mut archive, META, &meta_bytes[..], meta_bytes.len() as u64).or_failed(what)?;
        for (name, entry) in &self.meta.files {
            let path = self.dir.join(name);
            let file = File::open(&path).or_cannot("read", &path)?;
            let mut summed = Summed { inner: file, sha: Sha256::new() };
            append(&mut archive, name, &mut summed, entry.bytes).or_failed(what)?;
            if disk::hex(&summed.sha.finalize()) != entry.sha256 {
                return Err(damaged(&path, "its SHA-256 is not the recorded one"));
            }
        }
        let out = archive.into_inner().and_then(zstd::Encoder::finish).or_failed(what)?;
        let bundle_bytes = out.finish().or_failed(what)?;
        Ok(Saved { files: manifest.files, bytes: manifest.bytes, bundle_bytes })
    }
}

/// Start of the seal at the end of a bundle: a zstd skippable frame with room for a SHA-256.
const SEAL: [u8; 8] = *b"\x5A\x2A\x4D\x18\x20\0\0\0";

/// Size of the seal.
const SEAL_BYTES: u64 = SEAL.len() as u64 + 32;

/// Computes the SHA-256 of what is written through it, and appends it as the seal.
struct Sealing<W> {
    inner: W,
    sha: Sha256,
}

impl Sealing<BufWriter<File>> {
    /// Writes the seal and syncs; returns the size of the file.
    fn finish(mut self) -> std::io::Result<u64> {
        self.write_all(&SEAL)?;
        self.inner.write_all(&self.sha.finalize())?;
        self.inner.flush()?;
        self.inner.get_ref().sync_all()?;
        Ok(self.inner.get_ref().metadata()?.len())
    }
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.sha.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

/// Checks that every byte of the bundle is as it was written.
fn check_seal(bundle: &Path) -> Result<()> {
    let mut file = File::open(bundle).or_cannot("read", bundle)?;
    let sealed = file.metadata().or_cannot("read", bundle)?.len().saturating_sub(SEAL_BYTES)
        + SEAL.len() as u64;
    let (mut sha, mut last) = (Sha256::new(), Vec::new());
    let mut left = sealed;
    let mut buffer = vec![0; disk::BLOCK_BYTES];
    while left > 0 {
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let n = file.read(&mut buffer[..most]).or_cannot("read", bundle)?;
        if n == 0 {
            break;
        }
        sha.update(&buffer[..n]);
        last.extend_from_slice(&buffer[..n]);
        last.drain(..last.len().saturating_sub(SEAL.len()));
        left -= n as u64;
    }
    let mut sum = Vec::new();
    file.take(33).read_to_end(&mut sum).or_cannot("read", bundle)?;
    match () {
        () if last != SEAL => Err(invalid(
            bundle,
            "it does not end with a seal: it is damaged, truncated, or another kind of file",
        )),
        () if sum != sha.finalize()[..] => {
            Err(invalid(bundle, "it is damaged: its SHA-256 differs from the one in its seal"))
        }
        () => Ok(()),
    }
}

/// Computes the SHA-256 of what is read through it.
struct Summed {
    inner: File,
    sha: Sha256,
}

impl Read for Summed {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.sha.update(&buffer[..n]);
        Ok(n)
    }
}

/// Headers differ only in name and size, so that equal content gives equal bundles.
fn append<W: Write>(
    archive: &mut tar::Builder<W>,
    name: &str,
    data: impl Read,
    bytes: u64,
) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(bytes);
    header.set_mode(0o600);
    header.set_mtime(0);
    archive.append_data(&mut header, name, data)
}

/// Reads a bundle and publishes its index as `name`, or under the name it was saved with; `created`
/// is its time of creation in Unix seconds. The caller holds the lock.
///
/// # Errors
/// [`Kind::Damaged`](crate::error::Kind::Damaged) naming the invalid entry; nothing is left behind
/// then.
pub fn load(
    store: &Store,
    bundle: &Path,
    name: Option<&str>,
    replace: bool,
    created: i64,
) -> Result<(Pointer, Meta)> {
    if let Some(name) = name.filter(|name| !is_name(name)) {
        return Err(Fault::usage(format!("invalid index name {name:?}"))
            .hint("letters, digits, `.`, `_` and `-`, not `.` or `-` first"));
    }
    let dir = store.new_building_dir("")?;
    let loaded = load_into(&dir, bundle).and_then(|(manifest, meta)| {
        let name = name.unwrap_or(&manifest.name);
        if !is_name(name) {
            return Err(invalid(bundle, &format!("it names its index {name:?}")));
        }
        if !replace && !matches!(store.pointer(name), Ok(None)) {
            return Err(Fault::usage(format!("there is already an index named `{name}`"))
                .hint("give another name with `--as NAME`, or `--replace`"));
        }
        let meta = Meta { created, ..meta };
        let pointer = store.publish(name, &dir, &meta, Publication::Whole, Before::Keep)?;
        Ok((pointer, meta))
    });
    if loaded.is_err() {
        let _ = disk::remove_dir(&dir);
    }
    loaded
}

/// Unpacks a bundle into `dir` and checks it.
fn load_into(dir: &Path, bundle: &Path) -> Result<(Manifest, Meta)> {
    check_seal(bundle)?;
    let (manifest, meta) = unpack(bundle, dir)?;
    check_parts(bundle, dir, &manifest)?;
    Ok((manifest, meta))
}

/// Checks that the files are a valid index. Matching checksums do not show that: the author of the
/// bundle wrote them too.
fn check_parts(bundle: &Path, dir: &Path, manifest: &Manifest) -> Result<()> {
    let target = Target { generation: String::new(), meta_sha256: manifest.meta_sha256.clone() };
    parts_problem(dir, &target).map_or(Ok(()), |why| Err(invalid(bundle, &why)))
}

fn unpack(bundle: &Path, dir: &Path) -> Result<(Manifest, Meta)> {
    let file = File::open(bundle).or_cannot("read", bundle)?;
    let decoder = zstd::Decoder::new(BufReader::new(file)).or_cannot("read", bundle)?;
    let mut archive = tar::Archive::new(decoder);
    let unreadable = |e: std::io::Error| invalid(bundle, &e.to_string());
    // Raw: entries for long names and sparse files are refused before they take memory.
    let mut entries = archive.entries().map_err(unreadable)?.raw(true);
    let mut next = || -> Result<Option<Entry<'_, _>>> {
        match entries.next() {
            None => Ok(None),
            Some(entry) => Entry::new(bundle, entry.map_err(unreadable)?).map(Some),
        }
    };

    let manifest = match next()? {
        Some(entry) if entry.name == MANIFEST => parse_manifest(bundle, &entry.small(bundle)?)?,
        _ => return Err(invalid(bundle, "it does not begin with a manifest")),
    };
    let meta_bytes = match next()? {
        Some(entry) if entry.name == META => entry.small(bundle)?,
        _ => return Err(invalid(bundle, "its second entry is not meta.json")),
    };
    let meta = parse_meta(bundle, &meta_bytes, &manifest)?;
    disk::create_dir(&dir.join("bm25"))?;
    let mut missing: BTreeSet<&str> = meta.files.keys().map(String::as_str).collect();
    while let Some(mut entry) = next()? {
        let Some(announced) =
            meta.files.get(&entry.name).filter(|_| missing.remove(entry.name.as_str()))
        else {
            let why = format!("the entry {:?} is repeated or not in meta.json", entry.name);
            return Err(invalid(bundle, &why));
        };
        entry.write(bundle, &dir.join(entry.name.clone()), announced.bytes, &announced.sha256)?;
    }
    if let Some(name) = missing.first() {
        return Err(invalid(bundle, &format!("{name} is missing")));
    }
    disk::replace(&dir.join(META), &meta_bytes)?;
    Ok((manifest, meta))
}

fn parse_manifest(bundle: &Path, bytes: &[u8]) -> Result<Manifest> {
    let manifest: Manifest =
        serde_json::from_slice(bytes).map_err(|e| invalid(bundle, &e.to_string()))?;
    if manifest.kind != KIND || manifest.version != VERSION {
        let why = format!("it is a {} of version {}", manifest.kind, manifest.version);
        return Err(invalid(bundle, &why));
    }
    Ok(manifest)
}

fn parse_meta(bundle: &Path, bytes: &[u8], manifest: &Manifest) -> Result<Meta> {
    if disk::sha256_hex(bytes) != manifest.meta_sha256 {
        return Err(invalid(bundle, "meta.json has the wrong SHA-256"));
    }
    let meta = Meta::parse(bytes, &bundle.join(META))?;
    if !meta.has_plain_names() {
        return Err(invalid(bundle, "meta.json names files that an index does not have"));
    }
    Ok(meta)
}

struct Entry<'a, R: Read> {
    name: String,
    entry: tar::Entry<'a, R>,
}

impl<'a, R: Read> Entry<'a, R> {
    fn new(bundle: &Path, entry: tar::Entry<'a, R>) -> Result<Self> {
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        match entry.header().entry_type() {
            tar::EntryType::Regular => Ok(Self { name, entry }),
            other => Err(invalid(
                bundle,
                &format!("the entry {name:?} is a {other:?}, not a regular file"),
            )),
        }
    }

    fn small(self, bundle: &Path) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match self.entry.take(SMALL_FILE_BYTES + 1).read_to_end(&mut bytes) {
            Err(e) => Err(invalid(bundle, &e.to_string())),
            Ok(_) if bytes.len() as u64 > SMALL_FILE_BYTES => {
                Err(invalid(bundle, &format!("{} is too large", self.name)))
            }
            Ok(_) => Ok(bytes),
        }
    }

    /// Writes the entry to a file, which must have exactly this size and SHA-256.
    fn write(&mut self, bundle: &Path, target: &Path, bytes: u64, sha256: &str) -> Result<()> {
        let what = || format!("cannot write {}", target.display());
        let mut out = disk::create_file(target)?;
        let (mut sha, mut written) = (Sha256::new(), 0);
        let mut buffer = vec![0; disk::BLOCK_BYTES];
        loop {
            let n = self
                .entry
                .read(&mut buffer)
                .map_err(|e| invalid(bundle, &format!("{}: {e}", self.name)))?;
            written += n as u64;
            if n == 0 || written > bytes {
                break;
            }
            sha.update(&buffer[..n]);
            out.write_all(&buffer[..n]).or_failed(what)?;
        }
        if written != bytes || disk::hex(&sha.finalize()) != sha256 {
            return Err(invalid(bundle, &format!("{} is not what meta.json announces", self.name)));
        }
        out.sync_all().or_failed(what)
    }
}

fn invalid(bundle: &Path, why: &str) -> Fault {
    Fault::damaged(format!("{} is not a usable bundle: {why}", bundle.display()))
}
