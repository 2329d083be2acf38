//! Vectors in Qdrant, by its REST interface: a collection for each space, with numbers of 8 bits in
//! memory beside the exact ones.
//!
//! The collection also has a point for each of its generations, and one for the machine that
//! writes. Qdrant has no transactions, so one machine at a time writes: it counts in its point, and
//! another takes over when the count has stood still for some seconds. That is checked before every
//! write, and a generation counts as whole only when the number of its vectors is right. Points of
//! vectors have `born` and `died`; the other points lack them, so no search finds them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::publish::{Publication, bring_up_to_date};
use super::space::{self, Generation, Key, Proposed, Rows, Space, Status};
use super::watch::Watch;
use crate::config::{NearestEngine, NearestPlace, OnFailure};
use crate::disk::{self, Blake};
use crate::error::{Fault, Result};
use crate::http::{Method, Rest, RestPlace};
use crate::telemetry;

/// A writer whose count stands still for this long has died.
const STILL: Duration = Duration::from_secs(30);
/// How often a writer counts.
const COUNT_EVERY: Duration = Duration::from_secs(5);
/// How long a machine waits to see whether another one began to write at the same moment.
const SETTLE: Duration = Duration::from_millis(500);
/// How long another machine's publication is waited for.
const PATIENCE: Duration = Duration::from_secs(600);
/// Points that are read at a time.
const PAGE: usize = 10_000;
/// Candidates by their numbers of 8 bits for each that is wanted; the exact numbers choose.
const OVERSAMPLING: f64 = 2.0;
/// Writes return when they are done, in one order on all replicas.
const WRITE: &str = "wait=true&ordering=strong";

pub struct Qdrant {
    rest: Rest,
    watch: Watch,
    /// Without key, for messages.
    url: String,
    settings: NearestPlace,
}

impl Qdrant {
    /// # Errors
    /// A usage fault for a key or certificates that cannot be used.
    pub fn open(place: &NearestPlace) -> Result<Self> {
        let url = place.url.as_ref().map_or("", |url| url.expose());
        let rest = Rest::new(&RestPlace {
            base: url,
            key: place.api_key.as_ref().map(|key| ("api-key", key.expose())),
            ca_file: place.ca_file.as_deref(),
            timeout: place.timeout,
        })?;
        let watch = Watch::new(NearestEngine::Qdrant.name());
        Ok(Self { rest, watch, url: url.to_owned(), settings: place.clone() })
    }

    pub fn on_failure(&self) -> OnFailure {
        self.settings.on_failure
    }

    pub fn number(&self, generation: &Generation) -> Result<Option<i64>> {
        let path = format!("/{}/points/{}", self.path(&generation.space), id_of(generation));
        let found = self.watch.ask(|| self.call(Method::Get, &path, None))?;
        Ok(found.and_then(|point| whole_number(&point["payload"])))
    }

    pub fn propose(
        &self,
        generation: &Generation,
        number: i64,
        query: &[f32],
        wanted: usize,
    ) -> Result<Vec<Proposed>> {
        let path = format!("/{}/points/query/batch", self.path(&generation.space));
        let quantization = json!({ "rescore": true, "oversampling": OVERSAMPLING });
        let breadth = wanted.max(usize::try_from(self.settings.breadth).unwrap_or(usize::MAX));
        let nearest = json!({
            "query": query,
            "filter": alive(number),
            "limit": wanted,
            "with_payload": ["born"],
            "params": { "hnsw_ef": breadth, "quantization": quantization },
        });
        // Whether the generation is still there: its vectors are deleted when it is retired.
        let record = json!({
            "filter": { "must": [{ "has_id": [id_of(generation)] }] },
            "limit": 1,
            "with_payload": true,
        });
        let body = json!({ "searches": [nearest, record] });
        let found = self.watch.ask(|| self.call(Method::Post, &path, Some(&body)))?;
        let found = found.unwrap_or_default();
        let points = |n: usize| found[n]["points"].as_array().cloned().unwrap_or_default();
        let is_there = |record: &Value| whole_number(&record["payload"]) == Some(number);
        if !points(1).iter().any(is_there) {
            return Ok(Vec::new());
        }
        let proposed = |point: &Value| {
            let (key, _) = key_of(point)?;
            Some(Proposed { key, cosine: point["score"].as_f64()? as f32 })
        };
        points(0).iter().map(proposed).collect::<Option<_>>().ok_or_else(wrong_point)
    }

    pub fn publish(&self, generation: &Generation, rows: &Rows<'_>) -> Result<()> {
        self.watch.write(|| self.make_collection(&generation.space))?;
        let mut writing = Writing {
            engine: self,
            path: self.path(&generation.space),
            holder: disk::random_id()?,
            counted: Instant::now(),
            count: 0,
            number: 0,
            lives: Vec::new(),
        };
        if self.number(generation)?.is_some() {
            return Ok(());
        }
        writing.take_turn(&generation.space.index, rows.stop)?;
        let written = writing.write(generation, rows);
        writing.release();
        if let Some((added, ended)) = written? {
            telemetry::info!(added, ended, "wrote vectors to Qdrant");
        }
        Ok(())
    }

    pub fn retire(&self, index: &str, kept: &[Generation]) -> Result<()> {
        self.watch.write(|| {
            let own: Vec<String> =
                kept.iter().map(|generation| self.collection(&generation.space)).collect();
            for collection in self.collections_of(index)? {
                let path = format!("collections/{collection}");
                let of_it = kept.iter().zip(&own).filter(|(_, other)| **other == collection);
                let of_it: Vec<&Generation> = of_it.map(|(generation, _)| generation).collect();
                if !of_it.is_empty() {
                    self.retire_in(&path, &of_it, own.first() == Some(&collection))?;
                } else if !self.is_being_written(&path)? {
                    self.call(Method::Delete, &format!("/{path}"), None)?;
                }
            }
            own.first().map_or(Ok(()), |current| self.name_current(index, current))
        })
    }

    fn retire_in(&self, path: &str, kept: &[&Generation], is_current: bool) -> Result<()> {
        let records = self.records(path)?;
        let current = kept.first().map(|kept| kept.sha256.as_str());
        let current = records.iter().find(|record| Some(record.sha256.as_str()) == current);
        let current = current.map_or(i64::MAX, |record| record.number);
        let is_kept = |record: &Record| {
            // Later generations are those of other machines, which are about to be current.
            kept.iter().any(|kept| kept.sha256 == record.sha256)
                || !record.is_whole
                || is_current && record.number > current
        };
        let (left, gone): (Vec<Record>, Vec<Record>) = records.into_iter().partition(is_kept);
        if !gone.is_empty() {
            let ids: Vec<&str> = gone.iter().map(|record| record.id.as_str()).collect();
            self.delete(path, &json!({ "points": ids }))?;
        }
        let needed = left.iter().map(|Record { number, .. }| {
            json!({ "must": [
                { "key": "born", "range": { "lte": number } },
                { "key": "died", "range": { "gt": number } },
            ] })
        });
        let dead = json!({ "key": "died", "range": { "gte": 0 } });
        let filter = json!({ "must": [dead], "must_not": needed.collect::<Vec<_>>() });
        self.delete(path, &json!({ "filter": filter }))
    }

    /// Points the alias of an index to the collection of its current model, for other programs.
    fn name_current(&self, index: &str, collection: &str) -> Result<()> {
        let alias = format!("{}_{index}", self.settings.prefix);
        let found = self.call(Method::Get, "/aliases", None)?.unwrap_or_default();
        let aliases = found["aliases"].as_array().cloned().unwrap_or_default();
        let held = aliases.iter().find(|other| other["alias_name"] == alias.as_str());
        if held.is_some_and(|held| held["collection_name"] == collection) {
            return Ok(());
        }
        let create = json!({ "collection_name": collection, "alias_name": alias });
        let mut actions = vec![json!({ "create_alias": create })];
        if held.is_some() {
            actions.insert(0, json!({ "delete_alias": { "alias_name": alias } }));
        }
        let body = json!({ "actions": actions });
        self.call(Method::Post, "/collections/aliases", Some(&body)).map(drop)
    }

    pub fn check(&self) -> Result<String> {
        let start = Instant::now();
        let root = self.rest.send(Method::Get, "/", None)?.1;
        let found = self.call(Method::Get, "/collections", None)?.unwrap_or_default();
        let ms = start.elapsed().as_secs_f64() * 1e3;
        let n = found["collections"].as_array().map_or(0, Vec::len);
        let version = root["version"].as_str().filter(|version| version.len() < 40);
        let version = version.unwrap_or("of an unknown version");
        Ok(format!("Qdrant {version} at {} answers in {ms:.1} ms; collections: {n}", self.url))
    }

    pub fn status(&self) -> Status {
        Status {
            engine: NearestEngine::Qdrant.name(),
            is_well: self.watch.is_well(),
            latency: self.watch.latency(),
            open: 0,
            used: 0,
            most: 0,
        }
    }

    /// `{prefix}_{index}_{model}`.
    fn collection(&self, space: &Space) -> String {
        format!("{}_{}_{}", self.settings.prefix, space.index, space.model)
    }

    fn path(&self, space: &Space) -> String {
        format!("collections/{}", self.collection(space))
    }

    /// The collections of an index, for any model.
    fn collections_of(&self, index: &str) -> Result<Vec<String>> {
        let found = self.call(Method::Get, "/collections", None)?.unwrap_or_default();
        let all = found["collections"].as_array().cloned().unwrap_or_default();
        let names = all.iter().filter_map(|one| one["name"].as_str().map(str::to_owned));
        let own = format!("{}_{index}", self.settings.prefix);
        // The model is the part after the last `_`; names of indexes may have others.
        let is_own = |name: &String| name.rsplit_once('_').is_some_and(|(start, _)| start == own);
        Ok(names.filter(is_own).collect())
    }

    fn make_collection(&self, space: &Space) -> Result<()> {
        let path = format!("/{}", self.path(space));
        if self.call(Method::Get, &path, None)?.is_some() {
            return Ok(());
        }
        let NearestPlace { shards, replicas, write_consistency, .. } = &self.settings;
        let quantization = json!({ "type": "int8", "quantile": 0.99, "always_ram": true });
        let body = json!({
            // Vectors have unit length.
            "vectors": { "size": space.dimension, "distance": "Dot", "on_disk": true },
            "quantization_config": { "scalar": quantization },
            "shard_number": shards,
            "replication_factor": replicas,
            "write_consistency_factor": write_consistency,
        });
        if let Err(fault) = self.call(Method::Put, &path, Some(&body)) {
            // Another machine may have made it meanwhile.
            return self.call(Method::Get, &path, None)?.map(drop).ok_or(fault);
        }
        for (field, kind) in [("born", "integer"), ("died", "integer"), ("kind", "keyword")] {
            let body = json!({ "field_name": field, "field_schema": kind });
            self.call(Method::Put, &format!("{path}/index?{WRITE}"), Some(&body))?;
        }
        Ok(())
    }

    /// The generations of a collection.
    fn records(&self, path: &str) -> Result<Vec<Record>> {
        let is_record = json!({ "key": "kind", "match": { "value": "generation" } });
        let body = json!({
            "filter": { "must": [is_record] }, "limit": PAGE, "with_payload": true,
        });
        let path = format!("/{path}/points/scroll");
        let found = self.call(Method::Post, &path, Some(&body))?.unwrap_or_default();
        let points = found["points"].as_array().cloned().unwrap_or_default();
        let record = |point: &Value| {
            Some(Record {
                id: point["id"].as_str()?.to_owned(),
                sha256: point["payload"]["generation"].as_str()?.to_owned(),
                number: point["payload"]["number"].as_i64()?,
                is_whole: point["payload"]["whole"].as_bool()?,
            })
        };
        points.iter().map(record).collect::<Option<_>>().ok_or_else(wrong_point)
    }

    fn put_record(
        &self,
        path: &str,
        generation: &Generation,
        number: i64,
        whole: bool,
    ) -> Result<()> {
        let sha256 = &generation.sha256;
        let payload = json!({
            "kind": "generation", "generation": sha256, "number": number, "whole": whole,
        });
        self.put(
            path,
            json!([{
                "id": id_of(generation),
                "vector": first_axis(generation.space.dimension),
                "payload": payload,
            }]),
        )
    }

    /// Who writes, and the count.
    fn writer(&self, path: &str) -> Result<Option<(String, i64)>> {
        let path = format!("/{path}/points/{}", writer_id());
        let found = self.call(Method::Get, &path, None)?;
        let writer = |point: Value| {
            let payload = &point["payload"];
            Some((payload["holder"].as_str()?.to_owned(), payload["count"].as_i64()?))
        };
        Ok(found.and_then(writer).filter(|(holder, _)| !holder.is_empty()))
    }

    fn put_writer(&self, path: &str, holder: &str, count: i64) -> Result<()> {
        let found = self.call(Method::Get, &format!("/{path}"), None)?.unwrap_or_default();
        let size = found["config"]["params"]["vectors"]["size"].as_u64().unwrap_or_default();
        let payload = json!({ "kind": "writer", "holder": holder, "count": count });
        let vector = first_axis(usize::try_from(size).unwrap_or_default());
        self.put(path, json!([{ "id": writer_id(), "vector": vector, "payload": payload }]))
    }

    fn is_being_written(&self, path: &str) -> Result<bool> {
        Ok(self.writer(path)?.is_some())
    }

    fn put(&self, path: &str, points: Value) -> Result<()> {
        let body = json!({ "points": points });
        self.call(Method::Put, &format!("/{path}/points?{WRITE}"), Some(&body)).map(drop)
    }

    fn delete(&self, path: &str, selector: &Value) -> Result<()> {
        let path = format!("/{path}/points/delete?{WRITE}");
        self.call(Method::Post, &path, Some(selector)).map(drop)
    }

    /// The result in a reply; `None` when there is no such thing.
    fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Option<Value>> {
        let (status, mut reply) = self.rest.send(method, path, body)?;
        match status {
            200..=299 => Ok(Some(reply["result"].take())),
            404 => Ok(None),
            401 | 403 => {
                Err(Fault::outside(format!("Qdrant at {} refuses the key: {status}", self.url))
                    .hint("correct `nearest.api_key`"))
            }
            _ => {
                let why = reply["status"]["error"].as_str().unwrap_or("it gives no reason");
                let why: String = why.chars().filter(|c| !c.is_control()).take(200).collect();
                Err(Fault::outside(format!("Qdrant at {} answers {status}: {why}", self.url)))
            }
        }
    }
}

/// The point of a generation.
struct Record {
    id: String,
    sha256: String,
    number: i64,
    is_whole: bool,
}

/// A publication under way.
struct Writing<'a> {
    engine: &'a Qdrant,
    path: String,
    holder: String,
    /// When the count was last raised.
    counted: Instant,
    count: i64,
    number: i64,
    /// Keys that live, sorted, and when they were born.
    lives: Vec<(Key, i64)>,
}

impl Writing<'_> {
    /// Waits until no other machine writes.
    fn take_turn(&mut self, index: &str, stop: &dyn Fn() -> bool) -> Result<()> {
        let start = Instant::now();
        let (mut last, mut since) = (None, Instant::now());
        loop {
            let engine = self.engine;
            let writer = engine.watch.write(|| engine.writer(&self.path))?;
            let is_free = writer.is_none() || (writer == last && since.elapsed() > STILL);
            if writer != last {
                (last, since) = (writer, Instant::now());
            }
            if is_free {
                engine.watch.write(|| engine.put_writer(&self.path, &self.holder, self.count))?;
                std::thread::park_timeout(SETTLE);
                let writer = engine.watch.write(|| engine.writer(&self.path))?;
                if writer.is_some_and(|(holder, _)| holder == self.holder) {
                    return Ok(());
                }
            }
            match () {
                () if stop() => return Err(Fault::interrupted()),
                () if start.elapsed() > PATIENCE => {
                    let what = format!("another machine is writing vectors of `{index}`");
                    return Err(Fault::busy(what));
                }
                () => std::thread::park_timeout(SETTLE),
            }
        }
    }

    /// Vectors added and ended; `None` when another machine has written the generation.
    fn write(
        &mut self,
        generation: &Generation,
        rows: &Rows<'_>,
    ) -> Result<Option<(usize, usize)>> {
        let engine = self.engine;
        let records = engine.watch.write(|| engine.records(&self.path))?;
        if records.iter().any(|record| record.is_whole && record.sha256 == generation.sha256) {
            return Ok(None);
        }
        let mut last = 0;
        for record in &records {
            match record.is_whole || record.sha256 == generation.sha256 {
                true => last = last.max(record.number),
                false => engine.watch.write(|| self.undo(record))?,
            }
        }
        let unfinished = records.iter().find(|record| record.sha256 == generation.sha256);
        self.number = unfinished.map_or(last + 1, |record| record.number);
        engine.watch.write(|| engine.put_record(&self.path, generation, self.number, false))?;
        let changes = bring_up_to_date(self, rows)?;
        self.keep_turn(Duration::ZERO)?;
        let n = engine.watch.write(|| self.count_alive())?;
        if n != rows.keys.len() as u64 {
            let what = format!("Qdrant has {n} of the {} vectors of a generation", rows.keys.len());
            return Err(Fault::outside(what));
        }
        engine.watch.write(|| engine.put_record(&self.path, generation, self.number, true))?;
        Ok(Some(changes))
    }

    /// Takes back what a machine that died has written.
    fn undo(&self, record: &Record) -> Result<()> {
        let is_number = json!({ "value": record.number });
        let is = |field: &str| json!({ "must": [{ "key": field, "match": is_number }] });
        self.engine.delete(&self.path, &json!({ "filter": is("born") }))?;
        let body = json!({ "keys": ["died"], "filter": is("died") });
        let path = format!("/{}/points/payload/delete?{WRITE}", self.path);
        self.engine.call(Method::Post, &path, Some(&body))?;
        self.engine.delete(&self.path, &json!({ "points": [record.id] }))
    }

    fn count_alive(&self) -> Result<u64> {
        let body = json!({ "filter": alive(self.number), "exact": true });
        let path = format!("/{}/points/count", self.path);
        let found = self.engine.call(Method::Post, &path, Some(&body))?.unwrap_or_default();
        Ok(found["count"].as_u64().unwrap_or_default())
    }

    /// Counts, if it is time, and makes sure that no other machine has taken over.
    fn keep_turn(&mut self, every: Duration) -> Result<()> {
        if self.counted.elapsed() < every {
            return Ok(());
        }
        let engine = self.engine;
        let writer = engine.watch.write(|| engine.writer(&self.path))?;
        if writer.is_none_or(|(holder, _)| holder != self.holder) {
            return Err(Fault::busy("another machine has taken over writing the vectors"));
        }
        self.count += 1;
        engine.watch.write(|| engine.put_writer(&self.path, &self.holder, self.count))?;
        self.counted = Instant::now();
        Ok(())
    }

    /// Lets another machine write at once. Where this fails, the count stands still.
    fn release(&self) {
        if self
            .engine
            .writer(&self.path)
            .is_ok_and(|writer| writer.is_some_and(|(holder, _)| holder == self.holder))
        {
            let _ = self.engine.put_writer(&self.path, "", self.count);
        }
    }

    /// All points that lived before this publication.
    fn read_lives(&self) -> Result<Vec<(Key, i64)>> {
        let number = self.number;
        let filter = json!({
            "must": [{ "key": "born", "range": { "lt": number } }],
            "must_not": [{ "key": "died", "range": { "lt": number } }],
        });
        let (path, mut lives) = (format!("/{}/points/scroll", self.path), Vec::new());
        let mut body = json!({ "filter": filter, "limit": PAGE, "with_payload": ["born"] });
        loop {
            let found = self.engine.call(Method::Post, &path, Some(&body))?.unwrap_or_default();
            let points = found["points"].as_array().cloned().unwrap_or_default();
            for point in &points {
                lives.push(key_of(point).ok_or_else(wrong_point)?);
            }
            match &found["next_page_offset"] {
                Value::Null => break,
                offset => body["offset"] = offset.clone(),
            }
        }
        lives.sort_unstable();
        Ok(lives)
    }
}

impl Publication for Writing<'_> {
    fn alive(&mut self, last: Option<Key>) -> Result<Vec<Key>> {
        if last.is_some() {
            return Ok(Vec::new());
        }
        // They come in the order of their points, which is not that of their keys.
        self.lives = self.engine.watch.write(|| self.read_lives())?;
        Ok(self.lives.iter().map(|(key, _)| *key).collect())
    }

    fn add(&mut self, rows: &[(Key, Vec<f32>)]) -> Result<()> {
        self.keep_turn(COUNT_EVERY)?;
        let point = |(key, vector): &(Key, Vec<f32>)| {
            let payload = json!({ "born": self.number });
            json!({ "id": point_id(key, self.number), "vector": vector, "payload": payload })
        };
        let points: Vec<Value> = rows.iter().map(point).collect();
        self.engine.watch.write(|| self.engine.put(&self.path, points.into()))
    }

    fn end(&mut self, keys: &[Key]) -> Result<()> {
        self.keep_turn(COUNT_EVERY)?;
        let born = |key: &Key| {
            let at = self.lives.binary_search_by(|(other, _)| other.cmp(key)).ok()?;
            self.lives.get(at).map(|(_, born)| *born)
        };
        let ids: Vec<String> =
            keys.iter().filter_map(|key| Some(point_id(key, born(key)?))).collect();
        let body = json!({ "payload": { "died": self.number }, "points": ids });
        let path = format!("/{}/points/payload?{WRITE}", self.path);
        self.engine.watch.write(|| self.engine.call(Method::Post, &path, Some(&body))).map(drop)
    }
}

/// The points of a generation.
fn alive(number: i64) -> Value {
    json!({
        "must": [{ "key": "born", "range": { "lte": number } }],
        "must_not": [{ "key": "died", "range": { "lte": number } }],
    })
}

/// The identity of a point: the key, with the number of the generation that the vector was born in
/// mixed into its end. A text that comes back while an older generation still has it gets a second
/// point, and the key can be computed from the point.
fn point_id(key: &Key, born: i64) -> String {
    uuid(&mixed(key, born))
}

fn mixed(key: &Key, born: i64) -> Key {
    let mut mixed = *key;
    let end = mixed.iter_mut().skip(8);
    end.zip(born.to_be_bytes()).for_each(|(byte, number)| *byte ^= number);
    mixed
}

/// The key of a point and the number that it was born in.
fn key_of(point: &Value) -> Option<(Key, i64)> {
    let born = point["payload"]["born"].as_i64()?;
    let id = space::key_of(point["id"].as_str()?)?;
    Some((mixed(&id, born), born))
}

fn id_of(generation: &Generation) -> String {
    uuid(&Blake::new(16).field(b"generation").field(generation.sha256.as_bytes()).finish())
}

fn writer_id() -> String {
    uuid(&Blake::new(16).field(b"writer").finish())
}

fn uuid(bytes: &Key) -> String {
    let hex = disk::hex(bytes);
    let mut uuid = String::with_capacity(36);
    for (n, c) in hex.chars().enumerate() {
        if [8, 12, 16, 20].contains(&n) {
            uuid.push('-');
        }
        uuid.push(c);
    }
    uuid
}

/// The number in the payload of a generation that is whole.
fn whole_number(payload: &Value) -> Option<i64> {
    payload["number"].as_i64().filter(|_| payload["whole"] == true)
}

/// The vector of a point that is not searched for.
fn first_axis(dimension: usize) -> Vec<f32> {
    (0..dimension).map(|n| if n == 0 { 1.0 } else { 0.0 }).collect()
}

fn wrong_point() -> Fault {
    Fault::outside("Qdrant returned a point that is not one of this program")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_computed_from_points() {
        let key: Key = std::array::from_fn(|n| (n * 17) as u8);
        for born in [1, 2, 300, i64::MAX] {
            let id = point_id(&key, born);
            assert_eq!(
                key_of(&json!({ "id": id, "payload": { "born": born } })),
                Some((key, born))
            );
        }
        assert_ne!(point_id(&key, 1), point_id(&key, 2));
        assert_eq!(key_of(&json!({ "id": 7, "payload": { "born": 1 } })), None);
        assert_eq!(key_of(&json!({ "id": uuid(&key), "payload": {} })), None);
        assert_eq!(uuid(&key), "00112233-4455-6677-8899-aabbccddeeff");
    }
}
