//! Decisions about the jobs of a log: which one runs next, which can never run, which are
//! deletable.

use super::job::{Job, Reason, State, Table};
use crate::error::Kind;

/// What a worker finds.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<T> {
    Ready(T),
    /// Jobs wait: for so many milliseconds, or for other jobs. Or a running job may be tried again.
    Later(Option<u64>),
    /// No job is left, and no running job would be tried again.
    Nothing,
}

impl<T> Next<T> {
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Next<U> {
        match self {
            Self::Ready(ready) => Next::Ready(change(ready)),
            Self::Later(ms) => Next::Later(ms),
            Self::Nothing => Next::Nothing,
        }
    }
}

/// The id of the job to run now, unless `most` jobs are running: the highest priority first, then
/// the oldest.
pub fn next(jobs: &Table, now_ms: u64, most: usize) -> Next<String> {
    let running = || jobs.values().filter(|job| job.state == State::Running);
    let mut queued: Vec<&Job> = jobs.values().filter(|job| job.state == State::Queued).collect();
    if queued.is_empty() {
        // A worker that is being killed holds its job for some milliseconds more; then others can
        // take it.
        let may_return = running().any(Job::may_return);
        return if may_return { Next::Later(None) } else { Next::Nothing };
    }
    if running().count() >= most {
        return Next::Later(None);
    }
    let has_succeeded = |id: &String| jobs.get(id).is_none_or(|job| job.state == State::Succeeded);
    queued.retain(|job| job.spec.after.iter().all(has_succeeded));
    queued.sort_by_key(|job| (job.spec.priority, job.order));
    match queued.iter().find(|job| job.ready_ms <= now_ms) {
        Some(job) => Next::Ready(job.id.clone()),
        None => Next::Later(queued.iter().map(|job| job.ready_ms - now_ms).min()),
    }
}

/// Queued jobs that wait for one that did not succeed, and why they fail.
pub fn hopeless(jobs: &Table) -> Vec<(String, Reason)> {
    let mut hopeless = Vec::new();
    for job in jobs.values().filter(|job| job.state == State::Queued) {
        let mut before = job.spec.after.iter().filter_map(|id| jobs.get(id));
        let bad = before.find(|job| job.state.is_over() && job.state != State::Succeeded);
        if let Some(bad) = bad {
            let why = format!("the job `{}`, which it waits for, has {}", bad.id, past(bad.state));
            hopeless.push((job.id.clone(), Reason::new(Kind::Failed, why)));
        }
    }
    hopeless
}

/// Jobs that ended before a time, and that no other job waits for.
pub fn ended_before(jobs: &Table, before_ms: u64) -> Vec<String> {
    let unfinished = jobs.values().filter(|job| !job.state.is_over());
    let needed: Vec<&String> = unfinished.flat_map(|job| &job.spec.after).collect();
    let is_old =
        |job: &Job| job.state.is_over() && job.ended_ms.is_some_and(|ended| ended < before_ms);
    let old = jobs.values().filter(|job| is_old(job) && !needed.contains(&&job.id));
    old.map(|job| job.id.clone()).collect()
}

/// `has failed`, `has been cancelled`.
pub fn past(state: State) -> &'static str {
    match state {
        State::Cancelled => "been cancelled",
        other => other.name(),
    }
}
