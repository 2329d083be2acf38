//! One line of waiting questions and the workers that serve it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::flight::{Flight, Listed, Listener};
use super::queue::{Pushed, Queue};
use super::{Load, Outcome, Problem, Question};
use crate::cache::Key;

/// The longest that a caller is told to stay away.
const MAX_RETRY_AFTER_S: u64 = 60;

/// Questions of one kind, and who works on them.
pub(super) struct Lane {
    state: Mutex<State>,
    /// Rings when somebody waits or the lane is closed.
    bell: Condvar,
    /// How many workers it may have.
    pub most_workers: usize,
    /// How long a caller waits for an outcome, from the moment of asking.
    pub patience: Duration,
    /// Mean time of a question, in microseconds, the last ones weighing most.
    mean_us: AtomicU64,
}

struct State {
    queue: Queue<Arc<Flight>>,
    /// Every flight that waits or runs.
    flights: HashMap<u64, Listed>,
    by_key: HashMap<Key, u64>,
    /// Sessions in which a question runs. Another question of the same session waits for its
    /// answer, and the workers go on with others.
    sessions: HashSet<String>,
    next_id: u64,
    workers: usize,
    idle: usize,
    closed: bool,
    counts: Load,
}

/// What a worker is to do.
pub(super) enum Next {
    Question(Arc<Flight>),
    /// Nobody has asked for a while.
    Nothing,
    /// There will be no more questions.
    End,
}

/// What came of a wish to ask.
pub(super) struct Entered {
    pub reader: Listener,
    /// When this caller gives up, whatever others do who share the work.
    pub until: Instant,
    /// One more worker may be of use.
    pub wants_worker: bool,
}

impl Lane {
    pub fn new(room: usize, most_workers: usize, patience: Duration) -> Self {
        let state = State {
            queue: Queue::new(room),
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
        Self { state: Mutex::new(state), bell: Condvar::new(), most_workers, patience, mean_us }
    }

    /// Waits in line, or listens to a flight that answers the same question.
    pub fn enter(&self, key: Option<Key>, question: Question) -> Result<Entered, Problem> {
        let mut state = self.lock();
        if state.closed {
            return Err(Problem::Closing);
        }
        let state = &mut *state;
        let until = Instant::now() + self.patience;
        if let Some(listed) =
            key.and_then(|key| state.by_key.get(&key)).and_then(|id| state.flights.get_mut(id))
        {
            listed.listeners += 1;
            listed.flight.deadline.extend_to(until);
            listed.place = listed.place.map(|place| state.queue.hurry(place, question.priority));
            state.counts.joined += 1;
            return Ok(Entered {
                reader: Listener::new(Arc::clone(&listed.flight)),
                until,
                wants_worker: false,
            });
        }
        let priority = question.priority;
        let flight = Arc::new(Flight::new(state.next_id, key, question, until));
        let place = match state.queue.push(priority, Arc::clone(&flight)) {
            Pushed::At(place) => place,
            Pushed::Instead { at, of } => {
                state.forget(&of);
                state.counts.refused += 1;
                of.end(Err(self.full(state)));
                at
            }
            Pushed::Full(_) => {
                state.counts.refused += 1;
                return Err(self.full(state));
            }
        };
        state.next_id += 1;
        let reader = Listener::new(Arc::clone(&flight));
        if let Some(key) = key {
            state.by_key.insert(key, flight.id);
        }
        state.flights.insert(flight.id, Listed { flight, listeners: 1, place: Some(place) });
        let wants_worker = state.idle == 0 && state.workers < self.most_workers;
        self.bell.notify_one();
        Ok(Entered { reader, until, wants_worker })
    }

    /// One listener leaves; the last one ends the work.
    pub fn leave(&self, flight: &Arc<Flight>) {
        let mut state = self.lock();
        let Some(listed) = state.flights.get_mut(&flight.id) else { return };
        listed.listeners -= 1;
        if listed.listeners > 0 {
            return;
        }
        flight.left.store(true, Ordering::Relaxed);
        if let Some(place) = listed.place.take() {
            state.queue.remove(place);
            state.counts.left += 1;
            state.forget(flight);
        } else {
            // It runs and will end soon; whoever asks the same now asks anew.
            state.unkey(flight);
        }
    }

    /// What a worker does next, once there is something to do or `patience` has passed.
    pub fn next(&self, patience: Duration) -> Next {
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
            let (woken, waited) =
                self.bell.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if waited.timed_out() && state.first().is_none() && !state.closed {
                return Next::Nothing;
            }
        }
    }

    /// More questions for a worker that has taken one: its share of those that wait, at most
    /// `most`, up to the first that is not `like` it.
    pub fn more(&self, most: usize, like: impl Fn(&Question) -> bool) -> Vec<Arc<Flight>> {
        let mut state = self.lock();
        let share = (state.queue.len() + 1).div_ceil(self.most_workers.max(1)) - 1;
        let next = |_| if like(&state.first()?.question) { state.take() } else { None };
        (0..share.min(most)).map_while(next).collect()
    }

    /// A worker has done with a flight.
    pub fn done(&self, flight: &Arc<Flight>, outcome: Outcome, took: Duration) {
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
                // The next question of the session may go now.
                self.bell.notify_one();
            }
        }
        let (took, mean) = (took.as_micros() as u64, self.mean_us.load(Ordering::Relaxed));
        self.mean_us.store((7 * mean + took) / 8, Ordering::Relaxed);
        flight.end(outcome);
    }

    /// True when another worker may begin; it is counted then.
    pub fn hire(&self) -> bool {
        let mut state = self.lock();
        let may = state.workers < self.most_workers && !state.closed;
        state.workers += usize::from(may);
        may
    }

    /// A worker that was counted did not begin.
    pub fn dismiss(&self) {
        self.lock().workers -= 1;
    }

    /// Takes no more questions; what waits is still answered.
    pub fn close(&self) {
        self.lock().closed = true;
        self.bell.notify_all();
    }

    /// Ends everything that waits or runs.
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

    /// How it is to be told that too many wait: after about so long the line will be empty.
    fn full(&self, state: &State) -> Problem {
        let us = self.mean_us.load(Ordering::Relaxed) * state.queue.len() as u64
            / self.most_workers.max(1) as u64;
        Problem::Full {
            retry_after: Duration::from_secs((us / 1_000_000 + 1).min(MAX_RETRY_AFTER_S)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whose turn it is.
    fn first(&self) -> Option<&Arc<Flight>> {
        self.queue.first(|flight| is_free(&self.sessions, flight))
    }

    /// Whose turn it is; it runs from now on.
    fn take(&mut self) -> Option<Arc<Flight>> {
        let flight = self.queue.pop_first(|flight| is_free(&self.sessions, flight))?;
        self.sessions.extend(flight.question.session().map(str::to_owned));
        if let Some(listed) = self.flights.get_mut(&flight.id) {
            listed.place = None;
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

/// Whether no other question of the same session runs.
fn is_free(sessions: &HashSet<String>, flight: &Flight) -> bool {
    flight.question.session().is_none_or(|session| !sessions.contains(session))
}
