//! Sessions in Redis: a list of turns for each, which expires; a sorted set of ids by last use; a
//! lease while one is in use; ids that were issued.

use super::stored::{Appended, LEASE_S, Listed, Row};
use crate::error::{Fault, Reason, Result};
use crate::shared::{self, Command, Lost, Redis, Reply, Value};

/// Adds a turn, unless another server holds the session or it has other turns. Storing the same
/// turn again changes nothing.
const APPEND: &str = "
local holder = redis.call('GET', KEYS[3])
if holder and holder ~= ARGV[1] then return -1 end
local n = redis.call('LLEN', KEYS[1])
if n == tonumber(ARGV[2]) and redis.call('LINDEX', KEYS[1], -1) == ARGV[3] then return 1 end
if n ~= tonumber(ARGV[2]) - 1 then return -2 end
redis.call('RPUSH', KEYS[1], ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[6])
return 1";
const RELEASE: &str = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end \
                       return redis.call('DEL', KEYS[1])";

pub(super) struct InRedis<'a>(pub &'a Redis);

impl InRedis<'_> {
    pub fn lease(&self, id: &str, token: &str) -> Result<bool> {
        let take = Command::new("SET").arg(self.lease_key(id)).arg(token).arg("NX").arg("EX");
        let reply = asked(self.0.one(take.arg(LEASE_S.to_string())))?;
        Ok(reply != Value::Nil)
    }

    pub fn release(&self, id: &str, token: &str) -> Result<()> {
        let release = Command::script(RELEASE, &[self.lease_key(id)]).arg(token);
        asked(self.0.one(release)).map(drop)
    }

    /// `None` when a row is damaged.
    pub fn rows(&self, id: &str) -> Result<Option<Vec<Row>>> {
        let range = Command::new("LRANGE").arg(self.key(id)).arg("0").arg("-1");
        let values = asked(self.0.one(range))?.list();
        Ok(values.into_iter().zip(1..).map(|(value, n)| unpacked(id, n, value)).collect())
    }

    pub fn append(&self, id: &str, token: &str, row: &Row, ttl_s: i64) -> Result<Appended> {
        let keys = [self.key(id), self.all_key(), self.lease_key(id)];
        let append = Command::script(APPEND, &keys).arg(token).arg(row.n.to_string());
        let append = append.arg(packed(id, row)).arg(row.at.to_string());
        let append = append.arg(ttl_s.to_string()).arg(id);
        Ok(match asked(self.0.one(append))?.int() {
            Some(1) => Appended::Stored,
            Some(-1) => Appended::InUse,
            _ => Appended::Changed,
        })
    }

    /// Removes the `n`-th turn, the last one. `before` is the time of the turn before.
    pub fn remove_last(&self, id: &str, n: u64, before: Option<i64>) -> Result<()> {
        let Some(at) = before else { return self.remove(id) };
        let commands = [
            Command::new("LTRIM").arg(self.key(id)).arg("0").arg((n - 2).to_string()),
            Command::new("ZADD").arg(self.all_key()).arg(at.to_string()).arg(id),
        ];
        asked(self.0.run(&commands)).map(drop)
    }

    pub fn rename(&self, id: &str, title: Option<&str>) -> Result<()> {
        let command = match title {
            Some(title) => Command::new("HSET").arg(self.titles_key()).arg(id).arg(title),
            None => Command::new("HDEL").arg(self.titles_key()).arg(id),
        };
        asked(self.0.one(command)).map(drop)
    }

    /// The most recently used first. Ids of sessions that have expired are dropped.
    pub fn all(&self) -> Result<Vec<Listed>> {
        let range = Command::new("ZREVRANGE").arg(self.all_key()).arg("0").arg("-1");
        let pairs = asked(self.0.one(range.arg("WITHSCORES")))?.list();
        let mut listed = Vec::new();
        for pair in pairs.chunks(2) {
            let [id, used] = pair else { continue };
            let (Some(id), Some(used)) = (id.clone().text(), used.int()) else { continue };
            let commands = [
                Command::new("LLEN").arg(self.key(&id)),
                Command::new("LINDEX").arg(self.key(&id)).arg("0"),
                Command::new("HGET").arg(self.titles_key()).arg(&id),
            ];
            let mut replies = asked(self.0.run(&commands))?.into_iter();
            let turns = replies.next().and_then(|n| n.int()).unwrap_or_default().unsigned_abs();
            let first = replies.next().unwrap_or(Value::Nil);
            if first == Value::Nil {
                self.remove(&id)?;
                continue;
            }
            let title = replies.next().and_then(Value::text);
            let first = unpacked(&id, 1, first);
            listed.push(Listed { id, turns, first, title, used });
        }
        Ok(listed)
    }

    pub fn ids(&self) -> Result<Vec<String>> {
        let range = Command::new("ZRANGE").arg(self.all_key()).arg("0").arg("-1");
        let ids = asked(self.0.one(range))?.list();
        Ok(ids.into_iter().filter_map(Value::text).collect())
    }

    /// Removes a session and its lease.
    pub fn remove(&self, id: &str) -> Result<()> {
        let commands = [
            Command::new("UNLINK").arg(self.key(id)).arg(self.lease_key(id)),
            Command::new("ZREM").arg(self.all_key()).arg(id),
            Command::new("HDEL").arg(self.titles_key()).arg(id),
        ];
        asked(self.0.run(&commands)).map(drop)
    }

    pub fn replace(&self, id: &str, row: &Row) -> Result<()> {
        let at = (row.n - 1).to_string();
        let set = Command::new("LSET").arg(self.key(id)).arg(at).arg(packed(id, row));
        asked(self.0.one(set)).map(drop)
    }

    pub fn issue(&self, id: &str, ttl_s: i64) -> Result<()> {
        let set = Command::new("SET").arg(self.issued_key(id)).arg("1").arg("EX");
        asked(self.0.one(set.arg(ttl_s.to_string()))).map(drop)
    }

    pub fn is_issued(&self, id: &str) -> Result<bool> {
        let exists = Command::new("EXISTS").arg(self.issued_key(id));
        Ok(asked(self.0.one(exists))?.int() == Some(1))
    }

    pub fn forget_issued(&self, id: &str) -> Result<bool> {
        let forget = Command::new("DEL").arg(self.issued_key(id));
        Ok(asked(self.0.one(forget))?.int() == Some(1))
    }

    fn key(&self, id: &str) -> String {
        self.0.key(&["session", id])
    }

    fn lease_key(&self, id: &str) -> String {
        self.0.key(&["session-lease", id])
    }

    fn issued_key(&self, id: &str) -> String {
        self.0.key(&["session-issued", id])
    }

    fn titles_key(&self) -> String {
        self.0.key(&["session-titles"])
    }

    fn all_key(&self) -> String {
        self.0.key(&["sessions"])
    }
}

fn asked<T>(reply: Reply<T>) -> Result<T> {
    reply.map_err(|lost: Lost| {
        Fault::outside(format!("conversations are in Redis, which gives no answer: {lost}"))
            .reason(Reason::Engine)
            .hint("ask without a session, or again when Redis answers")
    })
}

fn packed(id: &str, row: &Row) -> Vec<u8> {
    shared::pack(row.body.as_bytes(), row.at, &[id.as_bytes(), &row.n.to_le_bytes()])
}

fn unpacked(id: &str, n: u64, value: Value) -> Option<Row> {
    let found = shared::unpack(&value.bytes()?, &[id.as_bytes(), &n.to_le_bytes()])?;
    Some(Row { n, at: found.created, body: String::from_utf8(found.value).ok()? })
}
