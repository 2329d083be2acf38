//! Large indexes around the passages of a small one, and searches of them in both comparisons.

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;
use std::time::{Instant, SystemTime};

use rag::cache::Caching;
use rag::config::{Config, Mode};
use rag::disk::FileVersion;
use rag::document::{Chunk, Hit, Lines, Span, context_line, embedded_text};
use rag::engine::{Engine, Stop};
use rag::error::{Fault, Result};
use rag::index::{
    Before, Builder, ChunkEntry, Comparison, Record, Snapshot, State, Store, Summary,
};
use rag::search::{Request, Searcher};
use serde_json::json;

/// Passages of a document.
const OF_DOCUMENT: usize = 50;

/// Hits that are compared.
const K: usize = 10;

/// Hits whose scores are closer than this are a tie: the mean and the deviation of the cosines come
/// from the codes, which changes the fifth digit of a score.
const TIE: f64 = 1e-5;

/// A passage to vary.
struct Seed {
    title: Option<String>,
    words: Vec<String>,
    vector: Vec<f32>,
}

/// Builds the index `to` of `n` passages. Each is one of `from` with a quarter of its words
/// replaced and some names added, and a vector between those of two passages, with noise. Returns
/// the time from the first passage to the commit: that of an ingest without reading and embedding.
pub fn grow(config: &Config, from: &str, to: &str, n: usize) -> Result<String> {
    let store = Store::new(&config.data_dir);
    let base = store.open(from)?;
    let seeds = seeds(&base)?;
    if seeds.is_empty() {
        return Err(Fault::failed(format!("the index `{from}` is empty")));
    }
    let _lock = store.lock(std::time::Duration::ZERO, &|| false)?;
    let start = Instant::now();
    let mut random = fastrand::Rng::with_seed(n as u64);
    let mut builder = Builder::begin(&store, None)?;
    let mut records = Vec::new();
    // By row: the two passages between which the vector lies.
    let mut between = Vec::new();
    for first in (0..n).step_by(OF_DOCUMENT) {
        let path = format!("{:03}/part-{first:07}.md", first / 10_000);
        let mut record = record(&path);
        for passage in first..n.min(first + OF_DOCUMENT) {
            let pair = [random.usize(..seeds.len()), random.usize(..seeds.len())];
            let (seed, text) = (&seeds[pair[0]], text(&seeds, pair[0], passage, &mut random));
            let chunk = Chunk {
                heading: Vec::new(),
                bytes: Span::new(record.size as usize, record.size as usize + text.len()),
                lines: Lines { first: passage - first + 1, last: passage - first + 1 },
                text,
                place: None,
                units: Vec::new(),
                table_header: String::new(),
            };
            let title = seed.title.as_deref();
            let embedded = embedded_text(&context_line(title, &[]), &chunk.text);
            let entry = ChunkEntry {
                root: 0,
                path: &path,
                title,
                language: Some("en"),
                chunk: &chunk,
                row: 0,
            };
            let terms = builder.add(entry, &embedded)?;
            record.terms.iter_mut().zip(terms).for_each(|(sum, n)| *sum += n);
            record.size += chunk.text.len() as u64 + 1;
            record.chunks += 1;
            if builder.new_rows() > between.len() {
                between.push(pair);
            }
        }
        records.push(record);
    }
    builder.seal(&records)?;
    let vectors = builder.vectors(base.meta().model.dimension)?;
    if let Some(vectors) = &vectors {
        for (row, [near, far]) in between.iter().enumerate() {
            let share = 0.5 * random.f32();
            let noise = || random.f32() + random.f32() + random.f32() - 1.5;
            vectors.put(row, &vector(&seeds[*near], &seeds[*far], share, noise))?;
        }
    }
    let summary = Summary {
        name: to,
        records: &records,
        before: Before::Forget,
        ..Summary::like(base.meta(), to, &records, 0)
    };
    let (_, meta) = builder.commit(vectors, &summary)?;
    let seconds = start.elapsed().as_secs_f64();
    Ok(json!({
        "passages": meta.counts.chunks,
        "rows": meta.counts.rows,
        "seconds": seconds,
        "bytes": meta.bytes(),
    })
    .to_string())
}

fn seeds(base: &Snapshot) -> Result<Vec<Seed>> {
    let mut found = Vec::new();
    base.for_each(&mut |stored, row| found.push((stored, row)))?;
    let seed = |(stored, row): (rag::index::Stored, u64)| {
        let words = stored.chunk.text.split_whitespace().map(str::to_owned).collect();
        Ok(Seed { title: stored.title, words, vector: base.vector(row)? })
    };
    found.into_iter().map(seed).collect()
}

/// The text of a passage, which no other passage has.
fn text(seeds: &[Seed], seed: usize, passage: usize, random: &mut fastrand::Rng) -> String {
    let mut words: Vec<String> = seeds[seed].words.clone();
    for word in &mut words {
        if random.usize(..4) == 0 {
            let other = &seeds[random.usize(..seeds.len())].words;
            if let Some(other) = random.choice(other) {
                other.clone_into(word);
            }
        }
    }
    // Names of a large vocabulary, most of them rare.
    for _ in 0..4 {
        let rank = (1.0 / (random.f64() + 1e-6)) as usize;
        let at = random.usize(..=words.len());
        words.insert(at, name(rank * 31 + random.usize(..97)));
    }
    words.push(format!("No {passage}."));
    words.join(" ")
}

fn name(mut number: usize) -> String {
    const SYLLABLES: [&str; 16] = [
        "ba", "do", "fe", "gri", "ha", "ko", "lu", "mi", "nor", "pe", "qua", "ros", "sti", "tu",
        "vel", "zan",
    ];
    let mut name = String::from("X");
    while number > 0 {
        name += SYLLABLES[number % 16];
        number /= 16;
    }
    name
}

fn vector(near: &Seed, far: &Seed, share: f32, mut noise: impl FnMut() -> f32) -> Vec<f32> {
    // The three lie a deviation of 0.5 apart, so the noise is about half as long as the vector.
    let scale = 1.0 / (near.vector.len() as f32).sqrt();
    let between = near.vector.iter().zip(&far.vector);
    let raw: Vec<f32> = between.map(|(x, y)| x + share * y + scale * noise()).collect();
    let length = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
    raw.iter().map(|x| x / length).collect()
}

fn record(path: &str) -> Record {
    Record {
        root: 0,
        path: path.to_owned(),
        size: 0,
        mtime_ns: 0,
        version: FileVersion::default(),
        hash: path.to_owned(),
        state: State::Indexed,
        reason: None,
        advice: None,
        format: Some("markdown".into()),
        language: Some("en".into()),
        chunks: 0,
        terms: [0; 3],
        modified_s: 0,
        meta: std::collections::BTreeMap::new(),
        failure: None,
    }
}

/// Searches for each line of a file, with the codes and with all vectors: times, and how often the
/// fused hits are the same or ties, and the nearest passages the same.
pub fn compare(config: &Config, index: &str, questions: &str) -> Result<String> {
    let (engine, mut searcher) = open(config, index)?;
    let (mut times, mut same, mut found, mut all) = ([Vec::new(), Vec::new()], 0, 0, 0);
    let questions = lines(questions)?;
    for (n, question) in questions.iter().enumerate() {
        let mut hits = [Vec::new(), Vec::new()];
        let mut dense = [Vec::new(), Vec::new()];
        for side in [n % 2, 1 - n % 2] {
            searcher.comparison = [Comparison::Codes, Comparison::Rows][side];
            let (ms, fused) = search(&engine, &mut searcher, question, Mode::Hybrid)?;
            times[side].push(ms);
            hits[side] = fused;
            dense[side] = search(&engine, &mut searcher, question, Mode::Dense)?.1;
        }
        let [by_codes, by_rows] = hits;
        same += usize::from(are_same_or_ties(&by_codes, &by_rows));
        let [by_codes, by_rows] = dense;
        let by_codes: HashSet<_> = by_codes.into_iter().map(|(place, _)| place).collect();
        found += by_rows.iter().filter(|(place, _)| by_codes.contains(place)).count();
        all += by_rows.len();
    }
    let [codes, rows] = times.map(percentiles);
    Ok(json!({
        "questions": questions.len(),
        "same": same,
        "recall": found as f64 / all.max(1) as f64,
        "codes": codes,
        "rows": rows,
    })
    .to_string())
}

/// Searches for each line of a file: times and the memory of the process.
pub fn warm(config: &Config, index: &str, questions: &str) -> Result<String> {
    let (engine, mut searcher) = open(config, index)?;
    let mut times = Vec::new();
    for question in lines(questions)? {
        times.push(search(&engine, &mut searcher, &question, Mode::Hybrid)?.0);
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
    };
    Ok(json!({
        "hybrid": percentiles(times),
        "resident_kb": kilobytes("VmRSS:"),
        "anonymous_kb": kilobytes("RssAnon:"),
    })
    .to_string())
}

fn open(config: &Config, index: &str) -> Result<(Engine, Searcher)> {
    static INTERRUPTED: AtomicBool = AtomicBool::new(false);
    let config = Config { index: index.to_owned(), ..config.clone() };
    let engine = Engine::new(config, || SystemTime::UNIX_EPOCH, &INTERRUPTED);
    let mut searcher = Searcher::open(&engine)?;
    searcher.warm(&engine)?;
    // The first searches check the blocks that they read.
    for question in ["What is known of this?", "Who wrote it?"] {
        search(&engine, &mut searcher, question, Mode::Hybrid)?;
    }
    Ok((engine, searcher))
}

/// Whether each rank has the same passage in both, or one of the same score.
fn are_same_or_ties(a: &[(Place, f64)], b: &[(Place, f64)]) -> bool {
    let is_same = |((place, score), (other, level)): (&(Place, f64), &(Place, f64))| {
        place == other || (score - level).abs() < TIE
    };
    a.len() == b.len() && a.iter().zip(b).all(is_same)
}

/// The path and the first byte of a passage.
type Place = (String, usize);

/// The time of a search, and its hits with their scores.
fn search(
    engine: &Engine,
    searcher: &mut Searcher,
    question: &str,
    mode: Mode,
) -> Result<(f64, Vec<(Place, f64)>)> {
    let request = Request {
        query: question.to_owned(),
        mode,
        k: K,
        rerank: 0,
        caching: Caching::Off,
        filter: None,
        stop: Stop::default(),
    };
    let start = Instant::now();
    let hits = searcher.search(engine, &request)?.hits;
    let ms = start.elapsed().as_secs_f64() * 1e3;
    let scored = |hit: Hit| ((hit.path.to_string(), hit.chunk.bytes.start), hit.score);
    Ok((ms, hits.into_iter().map(scored).collect()))
}

fn percentiles(mut times: Vec<f64>) -> serde_json::Value {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get((share * (times.len() as f64 - 1.0)) as usize);
    json!({ "p50_ms": at(0.5), "p99_ms": at(0.99) })
}

fn lines(file: &str) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(file)
        .map_err(|e| Fault::failed("cannot read the questions").because(e))?;
    Ok(text.lines().map(str::to_owned).collect())
}
