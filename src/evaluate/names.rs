//! The documents of an index by the names that questions and runs use.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use super::corpus::file_stem;
use super::questions::{Gold, Place, Question, QuestionSet};
use crate::document::Hit;
use crate::error::{Fault, Result};
use crate::index::{Snapshot, State};
use crate::naming;
use crate::strings::percent_decoded;

/// The number of a document in [`Documents`].
pub type DocumentId = usize;

pub struct Documents {
    /// Root as given, and path below it.
    all: Vec<(String, String)>,
    by_place: HashMap<(String, String), DocumentId>,
    /// By every name that a question may use; `None` for one that several documents have.
    by_name: BTreeMap<String, Option<DocumentId>>,
    /// Files that failed or were skipped.
    unindexed: BTreeSet<String>,
    is_beir: bool,
    index: String,
}

/// What is relevant to a question.
#[derive(Debug)]
pub enum Relevant {
    /// Documents with grades. What is not listed has grade 0.
    Documents(HashMap<DocumentId, u32>),
    /// Places of the answer; one is enough.
    Places(Vec<(DocumentId, Place)>),
}

impl Relevant {
    /// The grades of everything relevant.
    pub fn ideal(&self) -> Vec<u32> {
        match self {
            Self::Documents(grades) => grades.values().copied().collect(),
            Self::Places(places) => vec![1; places.len().min(1)],
        }
    }
}

impl Documents {
    pub fn of(snapshot: &Snapshot, index: &str, is_beir: bool) -> Result<Self> {
        let roots = &snapshot.meta().roots;
        let mut documents = Self {
            all: Vec::new(),
            by_place: HashMap::new(),
            by_name: BTreeMap::new(),
            unindexed: BTreeSet::new(),
            is_beir,
            index: index.to_owned(),
        };
        for record in snapshot.documents()? {
            if record.state != State::Indexed {
                documents.unindexed.insert(record.path);
                continue;
            }
            let root = roots.get(record.root).map_or("", |root| &root.given);
            documents.add(root, record.path);
        }
        Ok(documents)
    }

    fn add(&mut self, root: &str, path: String) {
        let id = self.all.len();
        let mut names = vec![naming::name(root, &path), path.clone()];
        if self.is_beir
            && let Some(stem) = Path::new(&path).file_stem()
        {
            names.push(stem.to_string_lossy().into_owned());
        }
        names.dedup();
        for name in names {
            let entry = self.by_name.entry(naming::composed(&name).into_owned());
            entry.and_modify(|known| *known = None).or_insert(Some(id));
        }
        self.by_place.insert((root.to_owned(), path.clone()), id);
        self.all.push((root.to_owned(), path));
    }

    /// The document of a hit.
    pub fn of_hit(&self, hit: &Hit) -> Option<DocumentId> {
        self.by_place.get(&(hit.root.to_string(), hit.path.to_string())).copied()
    }

    /// Root as given, and path below it.
    pub fn place(&self, id: DocumentId) -> Option<(&str, &str)> {
        self.all.get(id).map(|(root, path)| (root.as_str(), path.as_str()))
    }

    /// The name of a document in a run: the id of a BEIR corpus, or its path.
    pub fn name(&self, id: DocumentId) -> String {
        let Some((root, path)) = self.all.get(id) else { return String::new() };
        if self.is_beir {
            let stem = Path::new(path).file_stem().unwrap_or_default().to_string_lossy();
            return percent_decoded(&stem);
        }
        match self.by_name.get(&*naming::composed(path)) {
            Some(Some(_)) => path.clone(),
            _ => naming::name(root, path),
        }
    }

    /// [`Documents::name`] of the document at a path.
    pub fn name_at(&self, root: &str, path: &str) -> String {
        let id = self.by_place.get(&(root.to_owned(), path.to_owned()));
        id.map_or_else(|| path.to_owned(), |id| self.name(*id))
    }

    /// The only document with this name.
    pub fn find(&self, name: &str) -> Option<DocumentId> {
        let known = |name: &str| self.by_name.get(&*naming::composed(name)).copied().flatten();
        let id = known(name);
        id.or_else(|| if self.is_beir { known(&file_stem(name)) } else { None })
    }

    /// What is relevant to each question of a set.
    ///
    /// # Errors
    /// A usage fault for a relevant document that is not in the index: it could never be found.
    pub fn resolve(&self, set: &QuestionSet) -> Result<Vec<Relevant>> {
        set.questions.iter().map(|question| self.relevant(question, set)).collect()
    }

    fn relevant(&self, question: &Question, set: &QuestionSet) -> Result<Relevant> {
        let missing = |path: &str| {
            let (place, line, index) = (set.file.display(), question.line, &self.index);
            let is_ambiguous = self.by_name.contains_key(&*naming::composed(path));
            let what = if is_ambiguous { "several documents" } else { "no document" };
            let message = match self.is_beir {
                true => format!(
                    "{place}: question `{}`: {what} `{path}` in the index `{index}`",
                    question.id
                ),
                false => format!("{place}:{line}: {what} `{path}` in the index `{index}`"),
            };
            Fault::usage(message).hint(self.hint_for(path, is_ambiguous))
        };
        match &question.gold {
            Gold::Documents(grades) => {
                let mut relevant = HashMap::new();
                for (path, grade) in grades {
                    match self.find(path) {
                        Some(id) => drop(relevant.insert(id, *grade)),
                        // An irrelevant document may be missing.
                        None if *grade == 0 => {}
                        None => return Err(missing(path)),
                    }
                }
                Ok(Relevant::Documents(relevant))
            }
            Gold::Answer(gold) => {
                let place = |place: &Place| {
                    let id = self.find(&place.path).ok_or_else(|| missing(&place.path))?;
                    Ok((id, place.clone()))
                };
                gold.places.iter().map(place).collect::<Result<_>>().map(Relevant::Places)
            }
        }
    }

    /// What to do about a path that is not in the index.
    fn hint_for(&self, path: &str, is_ambiguous: bool) -> String {
        if is_ambiguous {
            return "name the folder too, as in FOLDER/PATH".to_owned();
        }
        if self.is_beir {
            return "add `--dir` with the same folder to measure an index of its corpus".to_owned();
        }
        if self.unindexed.contains(path) {
            return "the file was not indexed; `rag documents list --failed` and `--skipped` say why"
                .to_owned();
        }
        let file_name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let wanted = file_name(path);
        let is_similar =
            |(_, known): &&(String, String)| !wanted.is_empty() && file_name(known) == wanted;
        match self.all.iter().find(is_similar) {
            Some((_, similar)) => {
                format!("did you mean `{similar}`? Paths are relative to the indexed folder")
            }
            None => {
                "list documents with `rag documents list`; re-ingest the folder if the file is \
                     new, or give the folder with `--dir`"
                    .to_owned()
            }
        }
    }
}
