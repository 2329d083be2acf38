//! An index as one file: a `.tar.zst` with a manifest, `meta.json`, and every file that `meta.json` lists, in order.
//!
//! Loading trusts nothing in the archive but what `meta.json` announces: an entry that is not announced, is no plain
//! file, comes twice or is larger than announced ends the load, and nothing becomes visible before every checksum
//! has matched.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::build::Before;
use super::generation::{META, Meta, damaged};
use super::names::{Pointer, Publication, Store, Target};
use super::snapshot::Snapshot;
use super::verify::disagreements;
use crate::config::is_name;
use crate::disk;
use crate::error::{Context as _, Fault, Result};

const MANIFEST: &str = "manifest.json";
const KIND: &str = "rag-index";
const VERSION: u32 = 1;

/// No manifest or `meta.json` is larger; a meta of this size would describe an index of 100 TB.
const SMALL_FILE_BYTES: u64 = 64 << 20;

/// zstd's own default: vectors hardly compress at any level, text does well at this one.
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

/// Writes the current generation of `name` to `target`, which appears whole or not at all.
///
/// # Errors
/// When the index is damaged, or the bundle cannot be written.
pub fn save(store: &Store, name: &str, target: &Path) -> Result<Saved> {
    // All files are open before the first is read, so that no writer can take one away meanwhile.
    let Source { snapshot, meta, files } = store.follow(name, |pointer| Source::open(store, pointer))?;
    let what = || format!("cannot write {}", target.display());
    let file_name = target.file_name().ok_or_else(|| Fault::usage(format!("{} is no file name", target.display())))?;
    let temp = target.with_file_name(format!(".{}.{}.tmp", file_name.to_string_lossy(), std::process::id()));
    let manifest = Manifest {
        kind: KIND.to_owned(),
        version: VERSION,
        name: name.to_owned(),
        meta_sha256: snapshot.meta_sha256().to_owned(),
        files: snapshot.meta().files.len(),
        bytes: snapshot.meta().files.values().map(|entry| entry.bytes).sum(),
    };
    let written = (|| {
        let _ = std::fs::remove_file(&temp);
        let encoder = zstd::Encoder::new(BufWriter::new(disk::create_file(&temp)?), LEVEL).or_failed(what)?;
        let mut archive = tar::Builder::new(encoder);
        let manifest_bytes = serde_json::to_vec_pretty(&manifest).or_failed(what)?;
        append(&mut archive, MANIFEST, &manifest_bytes[..], manifest_bytes.len() as u64).or_failed(what)?;
        append(&mut archive, META, &meta[..], meta.len() as u64).or_failed(what)?;
        for ((name, entry), file) in snapshot.meta().files.iter().zip(files) {
            let mut summed = Summed { inner: file, sha: Sha256::new() };
            append(&mut archive, name, &mut summed, entry.bytes).or_failed(what)?;
            if disk::hex(&summed.sha.finalize()) != entry.sha256 {
                return Err(damaged(&snapshot.dir().join(name), "its SHA-256 is not the recorded one"));
            }
        }
        let mut out = archive.into_inner().and_then(zstd::Encoder::finish).or_failed(what)?;
        out.flush().or_failed(what)?;
        out.get_ref().sync_all().or_failed(what)?;
        std::fs::rename(&temp, target).or_failed(what)?;
        std::fs::metadata(target).or_failed(what)
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&temp);
    }
    Ok(Saved { files: manifest.files, bytes: manifest.bytes, bundle_bytes: written?.len() })
}

/// An open generation to save.
struct Source {
    snapshot: Snapshot,
    meta: Vec<u8>,
    /// In the order of `meta.json`.
    files: Vec<File>,
}

impl Source {
    fn open(store: &Store, pointer: &Pointer) -> Result<Self> {
        let dir = store.generation_dir(&pointer.current.generation);
        let snapshot = Snapshot::open(&dir, &pointer.current)?;
        let path = dir.join(META);
        let meta = std::fs::read(&path).or_failed(|| format!("cannot read {}", path.display()))?;
        if disk::sha256_hex(&meta) != pointer.current.meta_sha256 {
            return Err(damaged(&path, "its SHA-256 is not the recorded one"));
        }
        let open = |name: &String| {
            let path = dir.join(name);
            File::open(&path).or_failed(|| format!("cannot read {}", path.display()))
        };
        let files = snapshot.meta().files.keys().map(open).collect::<Result<_>>()?;
        Ok(Self { snapshot, meta, files })
    }
}

/// Sums what is read through it.
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

/// Every header the same but for name and size, so that equal content gives equal bundles.
fn append<W: Write>(archive: &mut tar::Builder<W>, name: &str, data: impl Read, bytes: u64) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(bytes);
    header.set_mode(0o600);
    header.set_mtime(0);
    archive.append_data(&mut header, name, data)
}

/// Reads a bundle and makes its index visible as `name`, or as the name it was saved under. The caller holds the lock.
///
/// # Errors
/// [`Kind::Damaged`](crate::error::Kind::Damaged) saying which entry is wrong; nothing is left behind then.
pub fn load(store: &Store, bundle: &Path, name: Option<&str>, replace: bool) -> Result<(Pointer, Meta)> {
    if let Some(name) = name.filter(|name| !is_name(name)) {
        return Err(Fault::usage(format!("{name:?} cannot be the name of an index"))
            .hint("letters, digits, `.`, `_` and `-`, not `.` or `-` first"));
    }
    let dir = store.new_building_dir()?;
    let loaded = unpack(bundle, &dir).and_then(|(manifest, meta)| {
        check_parts(bundle, &dir, &manifest)?;
        let name = name.unwrap_or(&manifest.name);
        if !is_name(name) {
            return Err(bad(bundle, &format!("it names its index {name:?}")));
        }
        if !replace && !matches!(store.pointer(name), Ok(None)) {
            return Err(Fault::usage(format!("there is already an index named `{name}`"))
                .hint("give another name with `--as NAME`, or `--replace`"));
        }
        let sum = &manifest.meta_sha256;
        let pointer = store.publish(name, &dir, &meta.corpus_id, sum, Publication::Whole, Before::Keep)?;
        Ok((pointer, meta))
    });
    if loaded.is_err() {
        let _ = disk::remove_dir(&dir);
    }
    loaded
}

/// The files are those that `meta.json` announces; whether they make an index is another question. Whoever made the
/// bundle made the checksums too.
fn check_parts(bundle: &Path, dir: &Path, manifest: &Manifest) -> Result<()> {
    let target = Target { generation: String::new(), meta_sha256: manifest.meta_sha256.clone() };
    /// Embedding models have at most some thousand.
    const MOST_DIMENSIONS: usize = 1 << 16;
    let check = || {
        let snapshot = Snapshot::open(dir, &target)?;
        if snapshot.meta().model.dimension > MOST_DIMENSIONS {
            return Err(Fault::damaged("no model has so many dimensions"));
        }
        snapshot.dense_scores(&vec![0.0; snapshot.meta().model.dimension])?;
        disagreements(&snapshot)
    };
    match check() {
        Ok(reasons) if reasons.is_empty() => Ok(()),
        Ok(reasons) => Err(bad(bundle, &reasons.join("; "))),
        Err(fault) => Err(bad(bundle, &fault.to_string())),
    }
}

fn unpack(bundle: &Path, dir: &Path) -> Result<(Manifest, Meta)> {
    let file = File::open(bundle).or_failed(|| format!("cannot read {}", bundle.display()))?;
    let decoder = zstd::Decoder::new(BufReader::new(file)).or_failed(|| format!("cannot read {}", bundle.display()))?;
    let mut archive = tar::Archive::new(decoder);
    let unreadable = |e: std::io::Error| bad(bundle, &e.to_string());
    // Raw: extensions with long names or sparse files are refused as what they are, before they cost memory.
    let mut entries = archive.entries().map_err(unreadable)?.raw(true);
    let mut next = || -> Result<Option<Entry<'_, _>>> {
        match entries.next() {
            None => Ok(None),
            Some(entry) => Entry::new(bundle, entry.map_err(unreadable)?).map(Some),
        }
    };

    let manifest: Manifest = match next()? {
        Some(mut entry) if entry.name == MANIFEST => {
            serde_json::from_slice(&entry.small(bundle)?).map_err(|e| bad(bundle, &e.to_string()))?
        }
        _ => return Err(bad(bundle, "it does not begin with a manifest")),
    };
    if manifest.kind != KIND || manifest.version != VERSION {
        return Err(bad(bundle, &format!("it is a {} of version {}", manifest.kind, manifest.version)));
    }
    let meta_bytes = match next()? {
        Some(mut entry) if entry.name == META => entry.small(bundle)?,
        _ => return Err(bad(bundle, "its second entry is not meta.json")),
    };
    if disk::sha256_hex(&meta_bytes) != manifest.meta_sha256 {
        return Err(bad(bundle, "meta.json has the wrong SHA-256"));
    }
    let meta = Meta::parse(&meta_bytes, &bundle.join(META))?;
    if meta.corpus_id.is_empty() || !is_name(&meta.corpus_id) || !meta.files.keys().all(|name| is_file_of_index(name)) {
        return Err(bad(bundle, "meta.json names files that no index has"));
    }

    disk::create_dir(&dir.join("bm25"))?;
    let mut missing: BTreeSet<&str> = meta.files.keys().map(String::as_str).collect();
    while let Some(mut entry) = next()? {
        let Some(announced) = meta.files.get(&entry.name).filter(|_| missing.remove(entry.name.as_str())) else {
            return Err(bad(bundle, &format!("the entry {:?} is not announced, or comes twice", entry.name)));
        };
        entry.write(bundle, &dir.join(entry.name.clone()), announced.bytes, &announced.sha256)?;
    }
    if let Some(name) = missing.first() {
        return Err(bad(bundle, &format!("{name} is missing")));
    }
    disk::replace(&dir.join(META), &meta_bytes)?;
    disk::sync_dir(&dir.join("bm25"))?;
    Ok((manifest, meta))
}

/// A name that `Builder` can have written: one plain component, or one below `bm25/`.
fn is_file_of_index(name: &str) -> bool {
    let below = name.strip_prefix("bm25/").unwrap_or(name);
    let plain = below.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    plain && !below.is_empty() && !matches!(below, "." | "..") && !matches!(name, META | "bm25")
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
            other => Err(bad(bundle, &format!("the entry {name:?} is a {other:?}, not a plain file"))),
        }
    }

    fn small(&mut self, bundle: &Path) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = (&mut self.entry).take(SMALL_FILE_BYTES + 1).read_to_end(&mut bytes);
        match read {
            Err(e) => Err(bad(bundle, &e.to_string())),
            Ok(_) if bytes.len() as u64 > SMALL_FILE_BYTES => Err(bad(bundle, &format!("{} is too large", self.name))),
            Ok(_) => Ok(bytes),
        }
    }

    /// Writes the entry's bytes, refusing more than `bytes` and any other sum than `sha256`.
    fn write(&mut self, bundle: &Path, target: &Path, bytes: u64, sha256: &str) -> Result<()> {
        let what = || format!("cannot write {}", target.display());
        let mut out = disk::create_file(target)?;
        let (mut sha, mut written) = (Sha256::new(), 0);
        let mut buffer = vec![0; disk::BLOCK_BYTES];
        loop {
            let n = self.entry.read(&mut buffer).map_err(|e| bad(bundle, &format!("{}: {e}", self.name)))?;
            written += n as u64;
            if n == 0 || written > bytes {
                break;
            }
            sha.update(&buffer[..n]);
            out.write_all(&buffer[..n]).or_failed(what)?;
        }
        if written != bytes || disk::hex(&sha.finalize()) != sha256 {
            return Err(bad(bundle, &format!("{} is not what meta.json announces", self.name)));
        }
        out.sync_all().or_failed(what)
    }
}

fn bad(bundle: &Path, why: &str) -> Fault {
    Fault::damaged(format!("{} is no usable bundle: {why}", bundle.display()))
}
