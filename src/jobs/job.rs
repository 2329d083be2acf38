//! Jobs, and how each event of the log changes them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{self, Fault, Kind};

/// After this many deaths of a process that was reading it, a file is left out.
pub const FILE_TRIES: u32 = 3;

/// Longest wait before the next try, in milliseconds.
const MOST_BACKOFF_MS: u64 = 60_000;

/// For so long a job waits for a database or a store that does not answer, in milliseconds. Then
/// its tries count again.
pub(super) const MOST_AWAY_MS: u64 = 24 * 3_600_000;

/// Longest wait before the next try of such a job: it begins soon after the store is back. A try
/// that finds nothing costs a process and a request.
pub(super) const AWAY_BACKOFF_MS: u64 = 5_000;

/// What to do, and with which priority.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    pub work: Work,
    pub priority: Priority,
    /// Jobs that must succeed first.
    pub after: Vec<String>,
    /// Number of tries.
    pub max_attempts: u32,
    /// Wait before the second try; doubled for each further one, up to a minute.
    pub backoff_ms: u64,
    /// The data directory that has the files of the job, as [`Jobs::place`](super::Jobs::place)
    /// names it; `None` when every worker has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

impl Spec {
    /// A job of normal priority with three tries, at least a second apart.
    pub fn new(work: Work) -> Self {
        Self {
            work,
            priority: Priority::Normal,
            after: Vec::new(),
            max_attempts: 3,
            backoff_ms: 1000,
            place: None,
        }
    }
}

/// The kinds of work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Work {
    Ingest(IngestSpec),
}

/// The parameters of an ingest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IngestSpec {
    /// Name of the index.
    pub index: String,
    pub model: String,
    /// Base of relative folders.
    pub cwd: String,
    /// Folders, as typed; with no address either, those of the index when the job is submitted.
    pub dirs: Vec<String>,
    /// Addresses of web pages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// The pages that sitemaps list below the addresses, instead of the pages there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sitemap: bool,
    /// The index has no other folders afterwards.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only: bool,
    /// Names of the folders, by real path. It is empty or names all of them; then each must still
    /// be at its path when the job runs: not moved, not replaced by a link.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, String>,
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    pub no_cache: bool,
    /// Read failed files again, although neither they nor their reader have changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retry_failed: bool,
    /// Seconds to wait for another writer.
    pub wait_s: u64,
    /// Number of threads; `None` uses the worker's setting.
    pub threads: Option<usize>,
}

impl IngestSpec {
    /// The folders by their names, and the addresses.
    pub fn shown_dirs(&self) -> impl Iterator<Item = &str> {
        let dirs = self.dirs.iter().map(|dir| self.names.get(dir).unwrap_or(dir).as_str());
        dirs.chain(self.urls.iter().map(String::as_str))
    }
}

/// Which of two queued jobs runs first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    Critical,
    High,
    Normal,
    Low,
    Background,
}

impl Priority {
    pub const ALL: [Self; 5] =
        [Self::Critical, Self::High, Self::Normal, Self::Low, Self::Background];

    pub fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
            Self::Background => "background",
        }
    }
}

/// The state of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Queued,
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    pub fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// The progress of a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    pub stage: String,
    /// Of the whole job, in 0..=1.
    pub share: f64,
    /// Units of the stage.
    pub done: u64,
    /// 0 while unknown.
    pub total: u64,
    pub message: String,
    /// Seconds left in this stage, once there is an estimate.
    pub eta_s: Option<u64>,
}

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// [`Kind`] by name.
    kind: String,
    pub message: String,
    pub hint: Option<String>,
    /// A database or a store that several servers share does not answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_away: bool,
}

/// The kinds of failures; an interruption is not one.
const KINDS: [(Kind, &str); 5] = [
    (Kind::Failed, "failed"),
    (Kind::Usage, "usage"),
    (Kind::Damaged, "damaged"),
    (Kind::Busy, "busy"),
    (Kind::Outside, "outside"),
];

impl Reason {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        let name =
            KINDS.iter().find(|(known, _)| *known == kind).map_or("failed", |(_, name)| name);
        Self { kind: name.to_owned(), message: message.into(), hint: None, is_away: false }
    }

    /// Why a job failed with `fault`.
    pub fn of(fault: &Fault) -> Self {
        let is_away = fault.reason_given() == Some(error::Reason::Engine);
        let hint = fault.hint_text().map(str::to_owned);
        Self { hint, is_away, ..Self::new(fault.kind(), fault.to_string()) }
    }

    pub fn kind(&self) -> Kind {
        KINDS.iter().find(|(_, name)| *name == self.kind).map_or(Kind::Failed, |(kind, _)| *kind)
    }
}

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "as", rename_all = "snake_case")]
pub enum End {
    /// `result` is reported to users and scripts.
    Succeeded {
        result: Value,
    },
    /// `is_final` when another try cannot help.
    Failed {
        reason: Reason,
        is_final: bool,
    },
    Cancelled,
    /// The worker was stopped; the try does not count.
    PutBack,
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Event {
    Submitted {
        spec: Box<Spec>,
    },
    Started {
        pid: u32,
    },
    Progress {
        progress: Progress,
    },
    CancelAsked,
    /// The process died, while it was reading `file` if that is known.
    Died {
        file: Option<String>,
    },
    Ended {
        end: End,
    },
    Retried,
    /// The state of a job when the log was rewritten.
    Kept {
        job: Box<Job>,
    },
}

/// A job, as it follows from the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    pub id: String,
    /// Position in the order of submission.
    pub order: u64,
    pub spec: Spec,
    pub state: State,
    /// Unix milliseconds, like all times here.
    pub created_ms: u64,
    pub started_ms: Option<u64>,
    pub ended_ms: Option<u64>,
    /// Earliest time of the next try.
    pub ready_ms: u64,
    /// Process of the last try.
    pub pid: Option<u32>,
    /// Number of starts.
    pub attempts: u32,
    /// Tries that count against [`Spec::max_attempts`]. Those do not that fail because a database
    /// or a store does not answer.
    pub tries: u32,
    pub cancel_asked: bool,
    /// A process died while it ran the job: from now on, files are read one by one, each named
    /// first.
    pub careful: bool,
    /// Files that were being read when a process died, with the number of deaths.
    pub files: BTreeMap<String, u32>,
    pub progress: Progress,
    pub reason: Option<Reason>,
    /// Since when its tries have failed because a database or a store does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away_since_ms: Option<u64>,
    pub result: Option<Value>,
}

impl Job {
    fn new(id: &str, order: u64, spec: Spec, at: u64) -> Self {
        Self {
            id: id.to_owned(),
            order,
            spec,
            state: State::Queued,
            created_ms: at,
            started_ms: None,
            ended_ms: None,
            ready_ms: at,
            pid: None,
            attempts: 0,
            tries: 0,
            cancel_asked: false,
            careful: false,
            files: BTreeMap::new(),
            progress: Progress::default(),
            reason: None,
            away_since_ms: None,
            result: None,
        }
    }

    /// Files that further tries leave out.
    pub fn set_aside(&self) -> impl Iterator<Item = &str> {
        self.files.iter().filter(|(_, n)| **n >= FILE_TRIES).map(|(file, _)| file.as_str())
    }

    /// Whether the job is tried again if its process dies.
    pub fn may_return(&self) -> bool {
        !self.cancel_asked && (self.careful || self.tries + 1 < self.spec.max_attempts)
    }

    /// Milliseconds until the next try: 1, 2, 4, ... times [`Spec::backoff_ms`], up to a limit.
    fn backoff_ms(&self) -> u64 {
        let doublings = self.attempts.saturating_sub(1).min(16);
        let most = if self.away_since_ms.is_some() { AWAY_BACKOFF_MS } else { MOST_BACKOFF_MS };
        self.spec.backoff_ms.saturating_mul(1 << doublings).min(most)
    }

    fn end(&mut self, state: State, at: u64) {
        (self.state, self.ended_ms) = (state, Some(at));
    }

    /// Queues the job for another try, unless this was the last one.
    fn try_again(&mut self, reason: Reason, is_final: bool, at: u64) {
        self.reason = Some(reason);
        if self.cancel_asked {
            self.end(State::Cancelled, at);
        } else if is_final || self.tries >= self.spec.max_attempts {
            self.end(State::Failed, at);
        } else {
            (self.state, self.ready_ms) = (State::Queued, at.saturating_add(self.backoff_ms()));
        }
    }

    fn died(&mut self, file: Option<String>, at: u64) {
        self.careful = true;
        let reason = match file {
            Some(file) => {
                *self.files.entry(file.clone()).or_default() += 1;
                format!("the process ended while reading {file}")
            }
            None => {
                self.tries += 1;
                "the process ended without an error message".to_owned()
            }
        };
        self.try_again(Reason::new(Kind::Failed, reason), false, at);
    }

    /// Whether a try does not count: the job is sound, and what it needs does not answer. A job
    /// with a single try ends.
    fn waits(&mut self, reason: &Reason, at: u64) -> bool {
        if !reason.is_away || self.spec.max_attempts == 1 {
            self.away_since_ms = None;
            return false;
        }
        let since = *self.away_since_ms.get_or_insert(at);
        at.saturating_sub(since) < MOST_AWAY_MS
    }

    fn ended(&mut self, end: End, at: u64) {
        match end {
            End::Succeeded { result } => {
                (self.result, self.reason, self.away_since_ms) = (Some(result), None, None);
                (self.progress.share, self.progress.eta_s) = (1.0, None);
                self.end(State::Succeeded, at);
            }
            End::Failed { reason, is_final } => {
                self.tries += u32::from(!self.waits(&reason, at));
                self.try_again(reason, is_final, at);
            }
            End::Cancelled => self.end(State::Cancelled, at),
            End::PutBack => self.state = State::Queued,
        }
    }
}

/// All jobs by id.
pub type Table = BTreeMap<String, Job>;

/// Applies an event to the jobs. False for an event that is invalid in their state.
pub fn apply(jobs: &mut Table, id: &str, at: u64, event: Event) -> bool {
    let job = match event {
        Event::Submitted { spec } => {
            let order = jobs.values().map(|job| job.order + 1).max().unwrap_or_default();
            let job = Job::new(id, order, *spec, at);
            return jobs.insert(id.to_owned(), job).is_none();
        }
        Event::Kept { job } => return job.id == id && jobs.insert(id.to_owned(), *job).is_none(),
        _ => match jobs.get_mut(id) {
            Some(job) => job,
            None => return false,
        },
    };
    match event {
        Event::Started { pid } => {
            (job.state, job.pid) = (State::Running, Some(pid));
            (job.started_ms, job.ended_ms) = (Some(at), None);
            (job.attempts, job.progress) = (job.attempts + 1, Progress::default());
        }
        Event::Progress { progress } => job.progress = progress,
        Event::CancelAsked if job.state == State::Queued => job.end(State::Cancelled, at),
        Event::CancelAsked => job.cancel_asked = true,
        Event::Died { file } => job.died(file, at),
        Event::Ended { end } => job.ended(end, at),
        Event::Retried => {
            (job.state, job.ended_ms, job.ready_ms) = (State::Queued, None, at);
            (job.tries, job.cancel_asked, job.reason) = (0, false, None);
            job.away_since_ms = None;
        }
        Event::Submitted { .. } | Event::Kept { .. } => return false,
    }
    true
}
