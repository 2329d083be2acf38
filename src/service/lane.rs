//! One queue of questions and the workers that serve it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::flight::{Flight, Listed, Listener};
use super::question::{Outcome, Problem, Question};
use super::queue::{Pushed, Queue};
use crate::cache::Key;
use crate::error::locked;

/// The longest `retry_after`.
const MAX_RETRY_AFTER_S: u64 = 60;

/// Load of a lane, and totals since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    pub workers: usize,
    pub waiting: usize,
    pub running: usize,
    pub answered: u64,
    /// Questions that shared the result of an identical one.
    pub joined: u64,
    /// Questions refused because the queue was full.
    pub refused: u64,
    /// Questions cancelled because all callers had left.
    pub left: u64,
}

impl std::iter::Sum for Load {
    fn sum<I: Iterator<Item = Self>>(loads: I) -> Self {
        loads.fold(Self::default(), |a, b| Self {
            workers: a.workers + b.workers,
            waiting: a.waiting + b.waiting,
            running: a.running + b.running,
            answered: a.answered + b.answered,
            joined: a.joined + b.joined,
            refused: a.refused + b.refused,
            left: a.left + b.left,
        })
    }
}

/// A queue of questions and its workers.
pub(super) struct Lane {
    state: Mutex<State>,
    /// Notified when a question is queued or the lane is closed.
    changed: Condvar,
    pub max_workers: usize,
    /// How long a caller waits for an outcome.
    pub time_limit: Duration,
    /// Moving average of the time of a question, in microseconds.
    mean_us: AtomicU64,
}

struct State {
    queue: Queue<Arc<Flight>>,
    /// Every flight that is queued or running.
    flights: HashMap<u64, Listed>,
    by_key: HashMap<Key, u64>,
    /// Sessions with a running question. Further questions of a session wait for its answer, while
    /// workers take other questions.
    sessions: HashSet<String>,
    next_id: u64,
    workers: usize,
    idle: usize,
    closed: bool,
    counts: Load,
}

/// What a worker does next.
pub(super) enum Next {
    Question(Arc<Flight>),
    /// No question has arrived for a while.
    Idle,
    /// The lane is closed and empty.
    End,
}

/// The result of [`Lane::enter`].
pub(super) struct Entered {
    pub listener: Listener,
    /// The deadline of this caller.
    pub until: Instant,
    /// All workers are busy, and the lane may have one more.
    pub needs_worker: bool,
}

impl Lane {
    pub fn new(capacity: usize, max_workers: usize, time_limit: Duration) -> Self {
        let state = State {
            queue: Queue::new(capacity),
            flights: HashMap::new(),
            by_key: HashMap::new(),
            sessions: HashSet::new(),
            next_id: 0,
            workers: 0,
            idle: 0,
            closed: false,
            counts: Load::default(),
        };
        let mean_us = AtomicU64::new(5_000);
        Self { state: Mutex::new(state), changed: Condvar::new(), max_workers, time_limit, mean_us }
    }

    /// Queues a question, or joins a flight with the same key.
    ///
    /// # Errors
    /// When the queue is full or the lane is closed.
    pub fn enter(&self, key: Option<Key>, question: Question) -> Result<Entered, Problem> {
        let mut state = self.lock();
        if state.closed {
            return Err(Problem::Closing);
        }
        let state = &mut *state;
        let until = Instant::now() + self.time_limit;
        if let Some(listed) =
            key.and_then(|key| state.by_key.get(&key)).and_then(|id| state.flights.get_mut(id))
        {
            listed.listeners += 1;
            listed.flight.deadline.extend_to(until);
            listed.queue_key =
                listed.queue_key.map(|key| state.queue.raise(key, question.priority));
            state.counts.joined += 1;
            let listener = Listener::new(Arc::clone(&listed.flight));
            return Ok(Entered { listener, until, needs_worker: false });
        }
        let priority = question.priority;
        let flight = Arc::new(Flight::new(state.next_id, key, question, until));
        let queue_key = match state.queue.push(priority, Arc::clone(&flight)) {
            Pushed::At(key) => key,
            Pushed::Evicted { at, item } => {
                state.forget(&item);
                state.counts.refused += 1;
                item.end(Err(self.full(state)));
                at
            }
            Pushed::Full(_) => {
                state.counts.refused += 1;
                return Err(self.full(state));
            }
        };
        state.next_id += 1;
        let listener = Listener::new(Arc::clone(&flight));
        if let Some(key) = key {
            state.by_key.insert(key, flight.id);
        }
        let listed = Listed { flight, listeners: 1, queue_key: Some(queue_key) };
        state.flights.insert(listed.flight.id, listed);
        let needs_worker = state.idle == 0 && state.workers < self.max_workers;
        self.changed.notify_one();
        Ok(Entered { listener, until, needs_worker })
    }

    /// Removes one listener; without listeners, the question is cancelled.
    pub fn leave(&self, flight: &Arc<Flight>) {
        let mut state = self.lock();
        let Some(listed) = state.flights.get_mut(&flight.id) else { return };
        listed.listeners -= 1;
        if listed.listeners > 0 {
            return;
        }
        flight.left.store(true, Ordering::Relaxed);
        if let Some(key) = listed.queue_key.take() {
            state.queue.remove(key);
            state.counts.left += 1;
            state.forget(flight);
        } else {
            // The worker is about to stop, so a new identical question must not join it.
            state.unkey(flight);
        }
    }

    /// Waits for a question, at most `idle_after`.
    pub fn next(&self, idle_after: Duration) -> Next {
        let mut state = self.lock();
        loop {
            if let Some(flight) = state.take() {
                return Next::Question(flight);
            }
            if state.closed {
                state.workers -= 1;
                return Next::End;
            }
            state.idle += 1;
            let (woken, waited) = self
                .changed
                .wait_timeout(state, idle_after)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if waited.timed_out() && state.first().is_none() && !state.closed {
                return Next::Idle;
            }
        }
    }

    /// Further questions for a worker that has taken one: its share of the queue, at most `max`, up
    /// to the first question for which `fits` is false.
    pub fn more(&self, max: usize, fits: impl Fn(&Question) -> bool) -> Vec<Arc<Flight>> {
        let mut state = self.lock();
        let share = (state.queue.len() + 1).div_ceil(self.max_workers.max(1)) - 1;
        let next = |_| if fits(&state.first()?.question) { state.take() } else { None };
        (0..share.min(max)).map_while(next).collect()
    }

    /// Ends a flight.
    pub fn finish(&self, flight: &Arc<Flight>, outcome: Outcome, took: Duration) {
        {
            let mut state = self.lock();
            state.counts.running -= 1;
            match flight.left.load(Ordering::Relaxed) {
                true => state.counts.left += 1,
                false => state.counts.answered += 1,
            }
            state.forget(flight);
            if let Some(session) = flight.question.session()
                && state.sessions.remove(session)
            {
                // The next question of the session may run now.
                self.changed.notify_one();
            }
        }
        let (took, mean) = (took.as_micros() as u64, self.mean_us.load(Ordering::Relaxed));
        self.mean_us.store((7 * mean + took) / 8, Ordering::Relaxed);
        flight.end(outcome);
    }

    /// Counts a new worker, if the lane may have one more.
    pub fn reserve_worker(&self) -> bool {
        let mut state = self.lock();
        let may = state.workers < self.max_workers && !state.closed;
        state.workers += usize::from(may);
        may
    }

    /// Takes back [`Lane::reserve_worker`].
    pub fn release_worker(&self) {
        self.lock().workers -= 1;
    }

    /// Accepts no more questions; the queue is still processed.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Cancels all questions.
    pub fn stop(&self) {
        let mut state = self.lock();
        while let Some(flight) = state.queue.pop() {
            state.forget(&flight);
            flight.end(Err(Problem::Closing));
        }
        state.flights.values().for_each(|listed| listed.flight.left.store(true, Ordering::Relaxed));
    }

    pub fn load(&self) -> Load {
        let state = self.lock();
        Load { waiting: state.queue.len(), workers: state.workers, ..state.counts }
    }

    /// The error of a full queue; `retry_after` estimates when the queue will be empty.
    fn full(&self, state: &State) -> Problem {
        let us = self.mean_us.load(Ordering::Relaxed) * state.queue.len() as u64
            / self.max_workers.max(1) as u64;
        Problem::Full {
            retry_after: Duration::from_secs((us / 1_000_000 + 1).min(MAX_RETRY_AFTER_S)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }
}

impl State {
    /// The next question to run.
    fn first(&self) -> Option<&Arc<Flight>> {
        self.queue.first(|flight| is_free(&self.sessions, flight))
    }

    /// Takes the next question, which counts as running from now on.
    fn take(&mut self) -> Option<Arc<Flight>> {
        let flight = self.queue.pop_first(|flight| is_free(&self.sessions, flight))?;
        self.sessions.extend(flight.question.session().map(str::to_owned));
        if let Some(listed) = self.flights.get_mut(&flight.id) {
            listed.queue_key = None;
        }
        self.counts.running += 1;
        Some(flight)
    }

    fn forget(&mut self, flight: &Flight) {
        self.unkey(flight);
        self.flights.remove(&flight.id);
    }

    fn unkey(&mut self, flight: &Flight) {
        if let Some(key) = flight.key.filter(|key| self.by_key.get(key) == Some(&flight.id)) {
            self.by_key.remove(&key);
        }
    }
}

/// Whether no other question of its session runs.
fn is_free(sessions: &HashSet<String>, flight: &Flight) -> bool {
    flight.question.session().is_none_or(|session| !sessions.contains(session))
}
