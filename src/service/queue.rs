//! Who waits, and who goes first. Pure.

use std::collections::BTreeMap;

use crate::jobs::Priority;

/// A bounded line: the most urgent go first, and of equals those who came first.
#[derive(Debug)]
pub struct Queue<T> {
    waiting: BTreeMap<QueueKey, T>,
    /// How many may wait.
    room: usize,
    next: u64,
}

/// Where somebody stands: urgency, then the order in which they came.
pub type QueueKey = (Priority, u64);

/// What came of the wish to wait.
#[derive(Debug, PartialEq, Eq)]
pub enum Pushed<T> {
    At(QueueKey),
    /// The line was full, and somebody less urgent, who came last, had to leave it.
    Instead {
        at: QueueKey,
        of: T,
    },
    /// The line is full of others who are as urgent.
    Full(T),
}

impl<T> Queue<T> {
    pub fn new(room: usize) -> Self {
        Self { waiting: BTreeMap::new(), room: room.max(1), next: 0 }
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn push(&mut self, priority: Priority, item: T) -> Pushed<T> {
        let mut left = None;
        if self.waiting.len() >= self.room {
            match self.waiting.last_entry() {
                Some(last) if last.key().0 > priority => left = Some(last.remove()),
                _ => return Pushed::Full(item),
            }
        }
        let at = (priority, self.next);
        self.next += 1;
        self.waiting.insert(at, item);
        match left {
            Some(of) => Pushed::Instead { at, of },
            None => Pushed::At(at),
        }
    }

    /// The first that `may` go.
    pub fn first(&self, may: impl Fn(&T) -> bool) -> Option<&T> {
        self.waiting.values().find(|item| may(item))
    }

    /// Takes the first that `may` go. Those before it keep their places.
    pub fn pop_first(&mut self, may: impl Fn(&T) -> bool) -> Option<T> {
        let place = *self.waiting.iter().find(|(_, item)| may(item))?.0;
        self.waiting.remove(&place)
    }

    pub fn pop(&mut self) -> Option<T> {
        self.waiting.pop_first().map(|(_, item)| item)
    }

    /// Takes somebody out of the line.
    pub fn remove(&mut self, place: QueueKey) -> Option<T> {
        self.waiting.remove(&place)
    }

    /// Somebody's matter became more urgent; yields where they stand now.
    pub fn hurry(&mut self, place: QueueKey, priority: Priority) -> QueueKey {
        let to = (priority.min(place.0), place.1);
        if let Some(item) = self.waiting.remove(&place) {
            self.waiting.insert(to, item);
        }
        to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_urgent_goes_first_and_of_equals_who_came_first() {
        let mut queue = Queue::new(9);
        for (priority, name) in [
            (Priority::Normal, "a"),
            (Priority::Background, "b"),
            (Priority::Critical, "c"),
            (Priority::Normal, "d"),
            (Priority::High, "e"),
        ] {
            assert!(matches!(queue.push(priority, name), Pushed::At(_)));
        }
        let order: Vec<&str> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, ["c", "e", "a", "d", "b"]);
    }

    #[test]
    fn a_full_line_refuses_equals_and_sends_the_least_urgent_away() {
        let mut queue = Queue::new(2);
        queue.push(Priority::Low, "first");
        queue.push(Priority::Low, "second");
        assert_eq!(queue.push(Priority::Low, "third"), Pushed::Full("third"));
        assert_eq!(queue.push(Priority::Background, "fourth"), Pushed::Full("fourth"));
        assert!(matches!(
            queue.push(Priority::Normal, "fifth"),
            Pushed::Instead { of: "second", .. }
        ));
        assert_eq!([queue.pop(), queue.pop(), queue.pop()], [Some("fifth"), Some("first"), None]);
    }

    #[test]
    fn who_may_not_go_yet_keeps_their_place() {
        let mut queue = Queue::new(9);
        for name in ["a1", "b", "a2"] {
            queue.push(Priority::Normal, name);
        }
        let not_a = |name: &&str| !name.starts_with('a');
        assert_eq!(queue.first(not_a), Some(&"b"));
        assert_eq!([queue.pop_first(not_a), queue.pop_first(not_a)], [Some("b"), None]);
        assert_eq!([queue.pop(), queue.pop()], [Some("a1"), Some("a2")]);
    }

    #[test]
    fn who_hurries_keeps_the_order_of_coming() {
        let mut queue = Queue::new(9);
        let Pushed::At(first) = queue.push(Priority::Low, "first") else { panic!("there is room") };
        queue.push(Priority::High, "second");
        let place = queue.hurry(first, Priority::High);
        assert_eq!(queue.hurry(place, Priority::Background), place, "nobody slows down");
        assert_eq!(queue.pop(), Some("first"));
        assert_eq!(queue.remove(place), None);
        assert_eq!(queue.len(), 1);
    }
}
