//! Where library and models may come from, and which of those found there may be opened.
//!
//! A folder can come from anybody, and a library in it can do anything. So nothing of a [`Place`]
//! that is not the user's own is opened but what `scripts/setup` makes, known by its SHA-256, and
//! models that this user added, which the [`State`] remembers. What is passed over is kept with its
//! reason, for whoever tells the user.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::files::{Manifest, ModelFiles, parse_manifest, read_manifest};
use super::known;
use super::runtime::{LIBRARY_NAMES, Library};
use crate::config::{Config, Place, is_name};
use crate::disk;
use crate::error::{Context as _, Fault, Result};
use crate::state::{Record, State};
use crate::telemetry;

/// The places, in order, and what was passed over in them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Assets {
    places: Vec<Place>,
    /// Library that the user names.
    library: Option<PathBuf>,
    /// Where the user's own models belong.
    user_dir: Option<PathBuf>,
    pub state: State,
    ignored: Arc<Mutex<BTreeSet<String>>>,
}

/// A model's folder, as it is listed.
#[derive(Clone, Debug)]
pub struct Listed {
    pub name: String,
    pub dir: PathBuf,
    /// Why it is passed over, when it is.
    pub ignored: Option<String>,
}

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

    /// Everything that was passed over so far: what it is and why.
    pub fn ignored(&self) -> Vec<String> {
        self.ignored.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Notes that something is passed over, and yields that as a sentence.
    fn ignore(&self, path: &Path, why: &str) -> String {
        let sentence = format!("ignored {}: {why}", path.display());
        let mut ignored = self.ignored.lock().unwrap_or_else(PoisonError::into_inner);
        if ignored.insert(sentence.clone()) {
            // Without its name, which a stranger may have chosen.
            telemetry::warn!(
                "something of the data directory was ignored, as it may have come with the folder; \
                 see `rag doctor`"
            );
        }
        sentence
    }

    /// The model called `name` in the first place that has one which may be used.
    ///
    /// # Errors
    /// Says what was passed over, and exactly what to run when there is none;
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) when a file is not what its manifest says.
    pub fn model(&self, name: &str) -> Result<ModelFiles> {
        let mut ignored = Vec::new();
        for place in &self.places {
            let dir = place.dir.join("models").join(name);
            if !dir.join("manifest.json").exists() {
                continue;
            }
            if place.is_own {
                return ModelFiles::open(&dir, name);
            }
            match self.judge(&dir)? {
                Ok(manifest) => return ModelFiles::of(manifest, &dir, name)?.checked(&self.state),
                Err(why) => ignored.push(self.ignore(&dir, &why)),
            }
        }
        let hint = format!(
            "run `scripts/setup` in the project's folder, or `rag model pull {name}`; looked in {}",
            self.shown("models")
        );
        Err(Fault::failed(format!("no model named `{name}` on this machine"))
            .hint(with(&ignored, &hint)))
    }

    /// The manifest of a model in a folder that anybody may have made, or why the model is passed
    /// over.
    fn judge(&self, dir: &Path) -> Result<std::result::Result<Manifest, String>> {
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
            // The user's own model: not a stranger's, but no longer what it was.
            (Record::Changed | Record::Same, Err(why)) => Err(Fault::damaged(why)),
            (Record::Changed, Ok(_)) => Err(Fault::damaged(format!(
                "{} is damaged: it is not the one that was recorded",
                path.display()
            ))
            .hint(format!("remove {} and run `rag model add` again", dir.display()))),
            (Record::Unknown, Err(why)) => Ok(Err(why)),
            (Record::Unknown, Ok(_)) => Ok(Err(self.of_a_stranger())),
        }
    }

    fn of_a_stranger(&self) -> String {
        let own = self.user_dir.as_ref().map(|dir| dir.join("models").display().to_string());
        format!(
            "it may have come with the folder; it is neither a model that `scripts/setup` makes \
             nor one that you added \
             with `rag model add` or `rag model pull`. If you trust it, move it to {}",
            own.unwrap_or_else(|| "models/ in the folder that RAG_ASSETS_DIR names".into())
        )
    }

    /// The ONNX Runtime library: the one the user names, else the first that may be opened.
    ///
    /// # Errors
    /// Says what was passed over, and exactly what to run when there is none.
    pub fn library(&self) -> Result<Library> {
        if let Some(path) = &self.library {
            return self.named(path);
        }
        let mut ignored = Vec::new();
        for place in &self.places {
            for path in LIBRARY_NAMES.map(|name| place.dir.join("runtime").join(name)) {
                if !path.is_file() {
                    continue;
                }
                match self.judge_library(&path, place.is_own) {
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
            .hint(with(&ignored, &hint)))
    }

    fn named(&self, path: &Path) -> Result<Library> {
        if !path.is_file() {
            return Err(Fault::failed(format!("no ONNX Runtime library at {}", path.display())).hint(
                "run `scripts/setup` in the project's folder, and set neither ORT_DYLIB_PATH nor \
                 runtime_library",
            ));
        }
        if path.is_absolute() {
            // The user's word; a manifest beside it tells whether it is whole.
            let expected = beside(path).ok();
            return Ok(Library::new(path, expected, true, self.state.clone()));
        }
        // Another file in every folder that the command is run in.
        self.judge_library(path, false).map_err(|why| {
            Fault::failed(format!(
                "will not open the ONNX Runtime library {}: {why}",
                path.display()
            ))
            .hint("name it by its absolute path in ORT_DYLIB_PATH or runtime_library")
        })
    }

    fn judge_library(&self, path: &Path, is_own: bool) -> std::result::Result<Library, String> {
        let expected = beside(path)?;
        if !is_own && !known::is_library(&expected.sha256) {
            return Err(
                "it may have come with the folder, and it is not the library that `scripts/setup` \
                 fetches"
                    .into(),
            );
        }
        Ok(Library::new(path, Some(expected), is_own, self.state.clone()))
    }

    /// Every model that can be found, nearest place first, each name once, and those that are
    /// passed over.
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
                // What is damaged is the user's own.
                let why = if place.is_own {
                    None
                } else {
                    self.judge(&dir).ok().and_then(std::result::Result::err)
                };
                match why {
                    None => drop(found.entry(name).or_insert(dir)),
                    why => listed.push(Listed { name, dir, ignored: why }),
                }
            }
        }
        listed.extend(found.into_iter().map(|(name, dir)| Listed { name, dir, ignored: None }));
        listed.sort_by(|a, b| {
            (&a.name, a.ignored.is_some(), &a.dir).cmp(&(&b.name, b.ignored.is_some(), &b.dir))
        });
        listed
    }

    /// Remembers that this user added the model that will be in `dir`, with this manifest: only so
    /// it is used from a folder that is not the user's own.
    ///
    /// # Errors
    /// When it cannot be remembered and would not be used.
    pub fn record(&self, dir: &Path, manifest: &[u8]) -> Result<()> {
        let recorded = self.state.record_model(dir, disk::sha256_hex(manifest));
        let is_within = |place: &Place| place.is_own && dir.starts_with(place.dir.join("models"));
        match recorded {
            Err(_) if self.places.iter().any(is_within) => Ok(()),
            recorded => recorded
                .or_failed(|| format!("cannot remember that {} is a model of yours", dir.display()))
                .map_err(|fault| {
                    fault.hint(
                        "it would be ignored there: set RAG_ASSETS_DIR to the data \
                         directory, then add it again",
                    )
                }),
        }
    }

    /// The folders searched, for a message.
    fn shown(&self, below: &str) -> String {
        let dirs: Vec<String> =
            self.places.iter().map(|place| place.dir.join(below).display().to_string()).collect();
        dirs.join(", ")
    }
}

/// What the manifest beside a library says of it.
fn beside(path: &Path) -> std::result::Result<disk::FileSum, String> {
    let dir = path.parent().unwrap_or(Path::new("."));
    if !dir.join("manifest.json").exists() {
        return Err("there is no manifest.json beside it that holds its SHA-256".into());
    }
    let manifest = read_manifest(dir).map_err(|fault| fault.to_string())?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    manifest
        .files
        .get(name.as_ref())
        .cloned()
        .ok_or_else(|| "the manifest.json beside it does not list it".into())
}

/// A hint, and before it what was passed over.
fn with(ignored: &[String], hint: &str) -> String {
    ignored.iter().map(|sentence| format!("{sentence}; ")).collect::<String>() + hint
}
