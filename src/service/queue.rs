//! A bounded priority queue. Pure.

use std::collections::BTreeMap;

use crate::jobs::Priority;

/// A bounded queue: higher priorities first, and first in, first out among equals.
#[derive(Debug)]
pub struct Queue<T> {
    waiting: BTreeMap<QueueKey, T>,
    capacity: usize,
    next: u64,
}

/// The position of an item: its priority, then its sequence number.
pub type QueueKey = (Priority, u64);

/// The result of [`Queue::push`].
#[derive(Debug, PartialEq, Eq)]
pub enum Pushed<T> {
    At(QueueKey),
    /// The queue was full, and the last item of a lower priority was evicted.
    Evicted {
        at: QueueKey,
        item: T,
    },
    /// The queue is full of items with the same or a higher priority.
    Full(T),
}

impl<T> Queue<T> {
    pub fn new(capacity: usize) -> Self {
        Self { waiting: BTreeMap::new(), capacity: capacity.max(1), next: 0 }
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn push(&mut self, priority: Priority, item: T) -> Pushed<T> {
        let mut evicted = None;
        if self.waiting.len() >= self.capacity {
            match self.waiting.last_entry() {
                Some(last) if last.key().0 > priority => evicted = Some(last.remove()),
                _ => return Pushed::Full(item),
            }
        }
        let at = (priority, self.next);
        self.next += 1;
        self.waiting.insert(at, item);
        match evicted {
            Some(item) => Pushed::Evicted { at, item },
            None => Pushed::At(at),
        }
    }

    /// The first item that is `eligible`.
    pub fn first(&self, eligible: impl Fn(&T) -> bool) -> Option<&T> {
        self.waiting.values().find(|item| eligible(item))
    }

    /// Removes the first item that is `eligible`.
    pub fn pop_first(&mut self, eligible: impl Fn(&T) -> bool) -> Option<T> {
        let key = *self.waiting.iter().find(|(_, item)| eligible(item))?.0;
        self.waiting.remove(&key)
    }

    pub fn pop(&mut self) -> Option<T> {
        self.waiting.pop_first().map(|(_, item)| item)
    }

    pub fn remove(&mut self, key: QueueKey) -> Option<T> {
        self.waiting.remove(&key)
    }

    /// Raises an item to `priority`, if that is higher, and returns its new key.
    pub fn raise(&mut self, key: QueueKey, priority: Priority) -> QueueKey {
        let raised = (priority.min(key.0), key.1);
        if let Some(item) = self.waiting.remove(&key) {
            self.waiting.insert(raised, item);
        }
        raised
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_ordered_by_priority_then_arrival() {
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
    fn a_full_queue_refuses_equals_and_evicts_a_lower_priority() {
        let mut queue = Queue::new(2);
        queue.push(Priority::Low, "first");
        queue.push(Priority::Low, "second");
        assert_eq!(queue.push(Priority::Low, "third"), Pushed::Full("third"));
        assert_eq!(queue.push(Priority::Background, "fourth"), Pushed::Full("fourth"));
        assert!(matches!(
            queue.push(Priority::Normal, "fifth"),
            Pushed::Evicted { item: "second", .. }
        ));
        assert_eq!([queue.pop(), queue.pop(), queue.pop()], [Some("fifth"), Some("first"), None]);
    }

    #[test]
    fn ineligible_items_keep_their_position() {
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
    fn a_raised_item_keeps_its_order_of_arrival() {
        let mut queue = Queue::new(9);
        let Pushed::At(first) = queue.push(Priority::Low, "first") else { panic!("there is room") };
        queue.push(Priority::High, "second");
        let key = queue.raise(first, Priority::High);
        assert_eq!(queue.raise(key, Priority::Background), key, "a priority is never lowered");
        assert_eq!(queue.pop(), Some("first"));
        assert_eq!(queue.remove(key), None);
        assert_eq!(queue.len(), 1);
    }
}
