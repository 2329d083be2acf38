//! Purges of selected rows, as a log in Redis that every process follows.
//!
//! Each entry has a number that is larger than all before it, and the number before it. A process
//! that has followed up to some number applies the entries after it. When no entry follows that
//! number, because the log was cut or Redis was emptied, the process empties its tables instead:
//! that costs time only.

use serde::{Deserialize, Serialize};

use super::selection::{Selection, WITH_ORIGIN};
use super::table::Table;
use crate::shared::{Command, Redis, Reply, Value};

/// Entries that are kept.
const KEPT: &str = "1000";

/// Adds an entry to the list `KEYS[1]`; the last number is `KEYS[2]`. Numbers are times of the
/// server, so that they grow even after Redis was emptied.
const ADD: &str = "local t = redis.call('TIME') \
                   local before = tonumber(redis.call('GET', KEYS[2]) or '0') \
                   local n = math.max(before + 1, t[1] * 1000 + math.floor(t[2] / 1000)) \
                   local text = string.format('%.0f', n) \
                   redis.call('RPUSH', KEYS[1], text .. ' ' .. string.format('%.0f', before) \
                   .. ' ' .. ARGV[1]) \
                   redis.call('LTRIM', KEYS[1], -tonumber(ARGV[2]), -1) \
                   redis.call('SET', KEYS[2], text) return text";

/// A purge of selected rows.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct SelectedPurge {
    tables: Vec<String>,
    pub selection: Selection,
}

impl SelectedPurge {
    pub fn new(tables: &[Table], selection: &Selection) -> Self {
        let tables = tables.iter().map(|table| table.name().to_owned()).collect();
        Self { tables, selection: selection.clone() }
    }

    pub fn tables(&self) -> Vec<Table> {
        let is_named = |table: &Table| self.tables.iter().any(|name| name == table.name());
        WITH_ORIGIN.into_iter().filter(is_named).collect()
    }
}

/// What is to be done to follow the log.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Followed {
    Purges(Vec<SelectedPurge>),
    /// Some purges are unknown.
    Gap,
}

/// The key of the last number.
pub(super) fn number_key(redis: &Redis) -> String {
    redis.key(&["purged", "selected"])
}

fn log_key(redis: &Redis) -> String {
    redis.key(&["purged", "log"])
}

/// Adds a purge and returns its number.
pub(super) fn add(redis: &Redis, purge: &SelectedPurge) -> Reply<i64> {
    let text = serde_json::to_string(purge).unwrap_or_default();
    let add = Command::script(ADD, &[log_key(redis), number_key(redis)]).arg(text).arg(KEPT);
    Ok(redis.one(add)?.int().unwrap_or_default())
}

/// What follows the number `seen`.
pub(super) fn since(redis: &Redis, seen: i64) -> Reply<Followed> {
    let all = redis.one(Command::new("LRANGE").arg(log_key(redis)).arg("0").arg("-1"))?;
    let entries: Vec<String> = all.list().into_iter().filter_map(Value::text).collect();
    Ok(after(&entries, seen))
}

fn after(entries: &[String], seen: i64) -> Followed {
    let parse = |entry: &String| {
        let mut parts = entry.splitn(3, ' ');
        let (n, before) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some((n, before, serde_json::from_str(parts.next()?).ok()?))
    };
    let parsed: Option<Vec<(i64, i64, SelectedPurge)>> = entries.iter().map(parse).collect();
    let Some(entries) = parsed else { return Followed::Gap };
    match entries.iter().position(|(_, before, _)| *before == seen) {
        Some(first) => {
            Followed::Purges(entries.into_iter().skip(first).map(|(_, _, purge)| purge).collect())
        }
        None => Followed::Gap,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purge(tag: &str) -> SelectedPurge {
        SelectedPurge::new(&WITH_ORIGIN, &Selection::new(&[tag.to_owned()], &[]).unwrap())
    }

    fn entry(n: i64, before: i64, tag: &str) -> String {
        format!("{n} {before} {}", serde_json::to_string(&purge(tag)).unwrap())
    }

    #[test]
    fn the_entries_after_a_number_are_followed() {
        let log = [entry(5, 0, "a b"), entry(9, 5, "c"), entry(12, 9, "d")];
        let expect = |seen, tags: &[&str]| {
            let purges = tags.iter().map(|tag| purge(tag)).collect();
            assert_eq!(after(&log, seen), Followed::Purges(purges), "{seen}");
        };
        expect(0, &["a b", "c", "d"]);
        expect(5, &["c", "d"]);
        expect(9, &["d"]);
    }

    #[test]
    fn a_log_that_was_cut_or_cannot_be_read_is_a_gap() {
        let log = [entry(9, 5, "c"), entry(12, 9, "d")];
        for seen in [0, 4, 12] {
            assert_eq!(after(&log, seen), Followed::Gap, "{seen}");
        }
        // Redis was emptied, and purged again.
        assert_eq!(after(&[entry(20, 0, "e")], 12), Followed::Gap);
        assert_eq!(after(&["nonsense".to_owned()], 0), Followed::Gap);
        assert_eq!(after(&[], 3), Followed::Gap);
    }
}
