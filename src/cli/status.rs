//! `rag status`: what is indexed, how fresh it is and what could be better, in ten lines.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::exit::Outcome;
use super::jobs::beginning;
use super::ui::{Ui, counted, pending_text, size};
use crate::config::Generator;
use crate::engine::Engine;
use crate::error::{Kind, Result};
use crate::index::{Meta, percent};
use crate::ingest::{self, Preview, Request};
use crate::jobs::{Job, State, Work};
use crate::search::Pending;

/// Show what is indexed, how fresh it is, and what could be better
///
/// Lists the folders to see which files have changed since the last ingest, without reading them.
#[derive(Debug, Args)]
pub struct StatusArgs {}

/// The state of the configured index and of its surroundings.
struct Status {
    /// `None` if there is no index of that name.
    meta: Option<Meta>,
    /// Why the index cannot be opened.
    fault: Option<String>,
    /// `None` if a folder cannot be listed.
    preview: Option<Preview>,
    pending: Option<Pending>,
    jobs: Vec<Job>,
    others: Vec<String>,
    conversations: u64,
}

pub fn run(engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let status = Status::of(engine)?;
    match ui.json {
        true => ui.json(&status.json(engine)),
        false => status.print(engine, ui),
    }
    let is_damaged = status.fault.is_some();
    Ok(if is_damaged { Outcome::Damaged } else { Outcome::Done })
}

impl Status {
    fn of(engine: &Engine) -> Result<Self> {
        let name = &engine.config.index;
        let mut others = engine.store.names()?;
        let exists = others.contains(name);
        others.retain(|other| other != name);
        let (meta, fault) = match exists.then(|| engine.store.meta(name)) {
            Some(Ok(meta)) => (Some(meta), None),
            Some(Err(fault)) if fault.kind() == Kind::Damaged => (None, Some(fault.to_string())),
            Some(Err(fault)) => return Err(fault),
            None => (None, None),
        };
        let preview = match &meta {
            Some(meta) => match ingest::preview(engine, &request_of(meta)) {
                Err(fault) if fault.kind() == Kind::Interrupted => return Err(fault),
                preview => preview.ok(),
            },
            None => None,
        };
        let jobs = engine.jobs.list(engine.now_ms()).unwrap_or_default();
        let conversations = engine
            .sessions()
            .and_then(|sessions| sessions.list(engine.now_s()))
            .map_or(0, |all| all.len());
        Ok(Self {
            pending: meta.as_ref().and_then(|meta| Pending::of(engine, name, meta)),
            jobs: jobs
                .into_iter()
                .filter(|job| {
                    let Work::Ingest(spec) = &job.spec.work;
                    spec.index == *name
                })
                .collect(),
            conversations: conversations as u64,
            meta,
            fault,
            preview,
            others,
        })
    }

    fn is_stale(&self) -> bool {
        self.preview.is_some_and(|preview| !preview.is_empty())
    }

    fn unfinished(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().filter(|job| !job.state.is_over())
    }

    /// What could be better, and how; the most useful first.
    fn advice(&self, engine: &Engine) -> Vec<String> {
        let mut advice = Vec::new();
        let mut add = |applies: bool, text: &str| {
            if applies {
                advice.push(text.to_owned());
            }
        };
        add(self.fault.is_some(), "repair the index: rag index verify --repair");
        let Some(meta) = &self.meta else {
            add(self.fault.is_none(), "index a folder: rag ingest FOLDER");
            return advice;
        };
        let is_stopped = self.pending.is_some_and(|pending| !pending.in_progress);
        let is_busy = self.unfinished().next().is_some();
        add(is_stopped && !is_busy, "finish the vectors: rag ingest");
        add(self.is_stale() && !is_stopped && !is_busy, "read what has changed: rag ingest");
        add(self.preview.is_none(), "a folder cannot be listed: rag index show");
        add(meta.counts.failed > 0, "see which files failed: rag documents list --failed");
        add(meta.counts.documents == 0, "nothing could be indexed: rag documents list --skipped");
        add(
            meta.model.name != engine.config.model,
            "the index has another model than the setting `model`: rag ingest rebuilds it",
        );
        let is_extractive = engine.config.generator == Generator::Extractive;
        add(
            is_extractive && !engine.config.llm.base_url.is_empty(),
            "have the language model write: rag config set generator llm",
        );
        advice
    }

    fn print(&self, engine: &Engine, ui: &Ui) {
        let row = |name: &str, value: &str| ui.row(name, 9, value);
        let name = &engine.config.index;
        match (&self.meta, &self.fault) {
            (Some(meta), _) => {
                let documents = counted(meta.counts.documents, "document");
                let passages = counted(meta.counts.chunks, "passage");
                let size = size(meta.bytes());
                row("index", &format!("{name}: {documents}, {passages}, {size}"));
                row("folders", &folders(meta));
                row("fresh", &self.freshness(meta, engine));
            }
            (None, Some(fault)) => row("index", &format!("{name}: {fault}")),
            (None, None) => row("index", &format!("{name}: none yet")),
        }
        row("pending", &self.pending());
        if !self.others.is_empty() {
            row("others", &self.others.join(", "));
        }
        row("model", &engine.config.model);
        row("answers", &answers(engine));
        row("data", &data_dir(engine).display().to_string());
        if self.conversations > 0 {
            row("chats", &counted(self.conversations, "conversation"));
        }
        for advice in self.advice(engine) {
            row("better", &advice);
        }
    }

    /// `2 hours ago; 3 files are new, 1 has changed since`.
    fn freshness(&self, meta: &Meta, engine: &Engine) -> String {
        let age = ago(engine.now_s().saturating_sub(meta.created));
        let Some(preview) = self.preview else { return format!("indexed {age}") };
        let Preview { new, changed, gone, .. } = preview;
        let parts: Vec<String> = [(new, "new"), (changed, "changed"), (gone, "gone")]
            .into_iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, what)| format!("{} {what}", counted(n, "file")))
            .collect();
        match parts.is_empty() {
            true => format!("indexed {age}; no file has changed since"),
            false => format!("indexed {age}; since then {}", parts.join(", ")),
        }
    }

    fn pending(&self) -> String {
        let mut parts: Vec<String> = self.pending.iter().map(pending_text).collect();
        for job in self.unfinished() {
            let share = percent(job.progress.share);
            parts.push(format!("job {} {} ({share} %)", beginning(&job.id), job.state.name()));
        }
        let failed = self.jobs.last().filter(|job| job.state == State::Failed);
        parts.extend(
            failed.map(|job| format!("job {} failed: rag jobs show {0}", beginning(&job.id))),
        );
        if parts.is_empty() { "nothing".to_owned() } else { parts.join("; ") }
    }

    fn json(&self, engine: &Engine) -> Value {
        let preview = self.preview.map(|Preview { new, changed, gone, .. }| {
            json!({ "new": new, "changed": changed, "gone": gone })
        });
        let index = self.meta.as_ref().map(|meta| {
            json!({
                "corpus_id": meta.corpus_id,
                "created": meta.created,
                "documents": meta.counts.documents,
                "chunks": meta.counts.chunks,
                "failed": meta.counts.failed,
                "skipped": meta.counts.skipped,
                "bytes": meta.bytes(),
                "model": meta.model.name,
                "folders": meta.roots.iter().map(|root| &root.given).collect::<Vec<_>>(),
            })
        });
        json!({
            "name": engine.config.index,
            "index": index,
            "error": self.fault,
            "files": preview,
            "vectors_pending": crate::wire::pending(self.pending),
            "jobs": self.unfinished().map(crate::wire::job).collect::<Vec<_>>(),
            "other_indexes": self.others,
            "model": engine.config.model,
            "generator": engine.config.generator.name(),
            "data_dir": data_dir(engine),
            "conversations": self.conversations,
            "advice": self.advice(engine),
        })
    }
}

/// The request that brings every folder up to date.
fn request_of(meta: &Meta) -> Request {
    let folders = meta.roots.iter().filter(|root| !root.is_site());
    let names = folders.clone().map(|root| (root.real.clone(), root.given.clone())).collect();
    Request {
        dirs: folders.map(|root| PathBuf::from(&root.real)).collect(),
        names,
        ..Request::default()
    }
}

fn folders(meta: &Meta) -> String {
    const MOST: usize = 4;
    let shown: Vec<&str> = meta.roots.iter().take(MOST).map(|root| root.given.as_str()).collect();
    match meta.roots.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn answers(engine: &Engine) -> String {
    let llm = &engine.config.llm;
    match engine.config.generator {
        Generator::Extractive => "quotes from the documents".to_owned(),
        Generator::Llm => format!("written by {} at {}", llm.model, llm.base_url),
    }
}

fn data_dir(engine: &Engine) -> PathBuf {
    let dir = &engine.config.data_dir;
    std::path::absolute(dir).unwrap_or_else(|_| dir.clone())
}

/// `3 minutes ago`.
fn ago(seconds: i64) -> String {
    let (n, unit) = match seconds.max(0) {
        ..60 => return "just now".to_owned(),
        seconds @ ..3600 => (seconds / 60, "minute"),
        seconds @ ..86_400 => (seconds / 3600, "hour"),
        seconds => (seconds / 86_400, "day"),
    };
    format!("{} ago", counted(n.unsigned_abs(), unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_one_unit() {
        let ages = [-5, 59, 60, 7199, 7200, 86_400 * 3].map(ago);
        let expected =
            ["just now", "just now", "1 minute ago", "1 hour ago", "2 hours ago", "3 days ago"];
        assert_eq!(ages, expected);
    }
}
