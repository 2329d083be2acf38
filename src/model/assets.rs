//! Finds models and the ONNX Runtime library, and decides which of them may be opened.
//!
//! A folder may have been downloaded, and a library in it can do anything. From a [`Place`] that is
//! not trusted, only files that `scripts/setup` creates, known by SHA-256, and models that the user
//! added, recorded in [`State`], are opened. What is ignored is reported with the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::files::ModelFiles;
use super::known;
use super::manifest::{Manifest, parse_manifest, read_manifest};
use super::runtime::{LIBRARY_NAMES, Library};
use crate::config::{Config, Place, is_name};
use crate::disk;
use crate::error::{Context as _, Fault, Result, locked};
use crate::state::{Record, State};
use crate::strings;
use crate::telemetry;

/// The places in search order, and what was ignored in them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Assets {
    places: Vec<Place>,
    /// The library that the user names.
    library: Option<PathBuf>,
    /// The user's data directory.
    user_dir: Option<PathBuf>,
    pub state: State,
    ignored: Arc<Mutex<BTreeSet<String>>>,
}

/// A model's folder in a listing.
#[derive(Clone, Debug)]
pub struct Listed {
    pub name: String,
    pub dir: PathBuf,
    /// Why it is ignored; `None` when it may be used.
    pub ignored: Option<String>,
}

/// Something usable, or the reason why it is ignored.
type Verdict<T> = Result<T, String>;

impl Assets {
    pub fn new(config: &Config, state: State) -> Self {
        Self {
            places: config.places.clone(),
            library: config.runtime_library.clone(),
            user_dir: config.user_dir.clone(),
            state,
            ignored: Arc::default(),
        }
    }

    /// Everything ignored so far, as sentences with path and reason.
    pub fn ignored(&self) -> Vec<String> {
        locked(&self.ignored).iter().cloned().collect()
    }

    /// Records that a path is ignored; returns the sentence that says so.
    fn ignore(&self, path: &Path, why: &str) -> String {
        let sentence = format!("ignored {}: {why}", path.display());
        let mut ignored = locked(&self.ignored);
        if ignored.insert(sentence.clone()) {
            // The path is left out: its name may be an attacker's choice.
            telemetry::warn!(
                "ignored a model or library that may have come with the data directory; see \
                 `rag doctor`"
            );
        }
        sentence
    }

    /// The model `name` of the first place that has a usable one.
    ///
    /// # Errors
    /// When there is none; the hint lists what was ignored and the command to run.
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) when a file does not match its manifest.
    pub fn model(&self, name: &str) -> Result<ModelFiles> {
        let mut ignored = Vec::new();
        for place in &self.places {
            let dir = place.dir.join("models").join(name);
            if !dir.join("manifest.json").exists() {
                continue;
            }
            if place.is_trusted {
                return ModelFiles::open(&dir, name);
            }
            match self.judge(&dir)? {
                Ok(manifest) => {
                    return ModelFiles::from_manifest(manifest, &dir, name)?.verified(&self.state);
                }
                Err(why) => ignored.push(self.ignore(&dir, &why)),
            }
        }
        let usable = self.list().into_iter().filter(|listed| listed.ignored.is_none());
        let names: Vec<String> = usable.map(|listed| listed.name).collect();
        let meant = strings::similar(name, names.iter().map(String::as_str))
            .map(|meant| format!("did you mean `{meant}`? Otherwise "))
            .unwrap_or_default();
        let hint = format!(
            "{meant}run `scripts/setup` in the project's folder, or `rag model pull {name}`; \
             looked in {}",
            self.shown("models")
        );
        Err(Fault::failed(format!("no model named `{name}` on this machine"))
            .hint(full_hint(&ignored, &hint)))
    }

    /// Decides whether a model of an untrusted folder may be used: its manifest, or the reason to
    /// ignore it.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) for a model that the user added and that has
    /// changed since.
    fn judge(&self, dir: &Path) -> Result<Verdict<Manifest>> {
        let path = dir.join("manifest.json");
        let parsed = disk::read_small(&path).map_err(|e| e.to_string());
        let parsed = parsed.and_then(|bytes| {
            let manifest = parse_manifest(&path, &bytes).map_err(|fault| fault.to_string());
            Ok((disk::sha256_hex(&bytes), manifest?))
        });
        if let Ok((_, manifest)) = &parsed
            && known::is_model(manifest)
        {
            return Ok(Ok(manifest.clone()));
        }
        let sum = parsed.as_ref().map(|(sum, _)| sum.as_str()).unwrap_or_default();
        match (self.state.record_of(dir, sum), parsed) {
            (Record::Same, Ok((_, manifest))) => Ok(Ok(manifest)),
            // The user added it, and it has changed since.
            (Record::Changed | Record::Same, Err(why)) => Err(Fault::damaged(why)),
            (Record::Changed, Ok(_)) => Err(Fault::damaged(format!(
                "{} is damaged: it has changed since the model was added",
                path.display()
            ))
            .hint(format!("remove {} and run `rag model add` again", dir.display()))),
            (Record::Unknown, Err(why)) => Ok(Err(why)),
            (Record::Unknown, Ok(_)) => Ok(Err(self.untrusted_model())),
        }
    }

    fn untrusted_model(&self) -> String {
        let user_dir = self.user_dir.as_ref().map(|dir| dir.join("models").display().to_string());
        format!(
            "it may have come with the folder; `scripts/setup` does not create it, and you did not \
             add it with `rag model add` or `rag model pull`. If you trust it, move it to {}",
            user_dir.unwrap_or_else(|| "models/ in the folder that RAG_ASSETS_DIR names".into())
        )
    }

    /// The ONNX Runtime library: the one that the user names, else the first that may be opened.
    ///
    /// # Errors
    /// When there is none; the hint lists what was ignored and the command to run.
    pub fn library(&self) -> Result<Library> {
        if let Some(path) = &self.library {
            return self.named_library(path);
        }
        let mut ignored = Vec::new();
        for place in &self.places {
            for path in LIBRARY_NAMES.map(|name| place.dir.join("runtime").join(name)) {
                if !path.is_file() {
                    continue;
                }
                match self.judge_library(&path, place.is_trusted) {
                    Ok(library) => return Ok(library),
                    Err(why) => ignored.push(self.ignore(&path, &why)),
                }
            }
        }
        let hint = format!(
            "run `scripts/setup` in the project's folder, or set ORT_DYLIB_PATH; looked in {}",
            self.shown("runtime")
        );
        Err(Fault::failed("the ONNX Runtime library is not on this machine")
            .hint(full_hint(&ignored, &hint)))
    }

    fn named_library(&self, path: &Path) -> Result<Library> {
        if !path.is_file() {
            return Err(Fault::failed(format!("no ONNX Runtime library at {}", path.display())).hint(
                "run `scripts/setup` in the project's folder, and set neither ORT_DYLIB_PATH nor \
                 runtime_library",
            ));
        }
        if path.is_absolute() {
            // Trusted; a manifest beside it, if any, detects damage.
            let expected = listed_sum(path).ok();
            return Ok(Library::new(path, expected, true, self.state.clone()));
        }
        // A relative path may lead into a downloaded folder.
        self.judge_library(path, false).map_err(|why| {
            Fault::failed(format!(
                "will not open the ONNX Runtime library {}: {why}",
                path.display()
            ))
            .hint("name it by its absolute path in ORT_DYLIB_PATH or runtime_library")
        })
    }

    fn judge_library(&self, path: &Path, is_trusted: bool) -> Verdict<Library> {
        let expected = listed_sum(path)?;
        if !is_trusted && !known::is_library(&expected.sha256) {
            return Err(
                "it may have come with the folder; it is not the library that `scripts/setup` \
                 downloads"
                    .into(),
            );
        }
        Ok(Library::new(path, Some(expected), is_trusted, self.state.clone()))
    }

    /// Every model by name: the usable one of the first place that has it, and those ignored.
    pub fn list(&self) -> Vec<Listed> {
        let mut found: BTreeMap<String, PathBuf> = BTreeMap::new();
        let mut listed = Vec::new();
        for place in &self.places {
            let Ok(entries) = std::fs::read_dir(place.dir.join("models")) else { continue };
            for entry in entries.flatten() {
                let (name, dir) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
                if !is_name(&name) || !dir.join("manifest.json").exists() {
                    continue;
                }
                // A damaged model is listed: only models of the user are reported as damaged.
                let verdict = if place.is_trusted { None } else { self.judge(&dir).ok() };
                match verdict {
                    Some(Err(why)) => listed.push(Listed { name, dir, ignored: Some(why) }),
                    _ => drop(found.entry(name).or_insert(dir)),
                }
            }
        }
        listed.extend(found.into_iter().map(|(name, dir)| Listed { name, dir, ignored: None }));
        listed.sort_by(|a, b| {
            (&a.name, a.ignored.is_some(), &a.dir).cmp(&(&b.name, b.ignored.is_some(), &b.dir))
        });
        listed
    }

    /// Records that the user added the model that will be in `dir`, with this manifest. A model in
    /// an untrusted place is used only if it is recorded.
    ///
    /// # Errors
    /// When it cannot be recorded and its place is not trusted.
    pub fn record(&self, dir: &Path, manifest: &[u8]) -> Result<()> {
        let recorded = self.state.record_model(dir, disk::sha256_hex(manifest));
        let mut trusted = self.places.iter().filter(|place| place.is_trusted);
        if recorded.is_err() && trusted.any(|place| dir.starts_with(place.dir.join("models"))) {
            return Ok(());
        }
        recorded.or_failed(|| format!("cannot record that you added {}", dir.display())).map_err(
            |fault| {
                fault.hint(
                    "it would be ignored there: set RAG_ASSETS_DIR to the data directory, then add \
                     it again",
                )
            },
        )
    }

    /// The folders searched, for a message.
    fn shown(&self, below: &str) -> String {
        let dirs: Vec<String> =
            self.places.iter().map(|place| place.dir.join(below).display().to_string()).collect();
        dirs.join(", ")
    }
}

/// Size and SHA-256 of a library, from the manifest beside it.
fn listed_sum(path: &Path) -> Verdict<disk::FileSum> {
    let dir = path.parent().unwrap_or(Path::new("."));
    if !dir.join("manifest.json").exists() {
        return Err("there is no manifest.json beside it with its SHA-256".into());
    }
    let manifest = read_manifest(dir).map_err(|fault| fault.to_string())?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    manifest
        .files
        .get(name.as_ref())
        .cloned()
        .ok_or_else(|| "the manifest.json beside it does not list it".into())
}

/// What was ignored, then the hint.
fn full_hint(ignored: &[String], hint: &str) -> String {
    ignored.iter().map(|sentence| format!("{sentence}; ")).collect::<String>() + hint
}
