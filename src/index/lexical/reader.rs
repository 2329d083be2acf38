//! Reading a committed generation: scores of all its chunks for a query, and the chunks themselves.
//!
//! Chunks are numbered across all segments, deleted ones included. Such an ordinal is valid only
//! within one [`LexicalReader`].

use std::sync::OnceLock;

use tantivy::postings::Postings;
use tantivy::schema::document::Value as _;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::store::StoreReader;
use tantivy::{DocId, DocSet as _, Index, SegmentReader, TERMINATED, TantivyDocument, Term};

use super::super::listed::{Listed, greatest};
use super::directory::VerifiedDirectory;
use super::phrase;
use super::schema::{Fields, schema};
use super::units;
use super::writer::{document_key, split_document_key};
use crate::analysis::{PhraseTerm, Query, QueryTerm, Titled, mistakes};
use crate::document::{Chunk, Lines, Span};

/// BM25's saturation: the value of the published BEIR baselines (Anserini), which suits passages of
/// similar length better than the 1.2 for longer documents.
const K1: f32 = 0.9;

/// Length normalization and weight of body, context (title and headings) and name (path), after
/// BM25F (Robertson, Zaragoza and Taylor 2004): frequencies are normalized per field, weighted and
/// added before they saturate.
///
/// Measured on 809 claims over 5,183 abstracts, nDCG@10 lexical / hybrid: titles weighted 1 give
/// 0.693 / 0.734, weighted 2 with this b 0.693 / 0.738, weighted 3 0.689 / 0.740; k1 from 0.9 to
/// 1.5 and the b of the body from 0.2 to 0.6 move either by less than 0.003.
const FIELD_B: [f32; 3] = [0.5, 0.8, 0.4];
const FIELD_WEIGHT: [f32; 3] = [1.0, 2.0, 0.3];

/// The open BM25 index of a generation.
pub struct LexicalReader {
    segments: Vec<Segment>,
    fields: Fields,
    /// Average number of terms per chunk in each searched field.
    average_terms: [f32; 3],
    live: u32,
    /// The vector row of each ordinal, or [`NO_ROW`]. Read by the first query, used by all.
    rows: OnceLock<Vec<u64>>,
}

/// The row of a deleted chunk.
pub const NO_ROW: u64 = u64::MAX;

/// Blocks of chunks, of about 16 KiB each, that are cached uncompressed for all segments together.
/// A question fetches some forty chunks, which take longer to decompress than to rank.
const CACHED_BLOCKS: usize = 512;

struct Segment {
    reader: SegmentReader,
    store: OnceLock<StoreReader>,
    /// Ordinal of its first chunk.
    base: u32,
}

/// BM25F scores of one query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LexicalScores {
    /// By ordinal; 0 where nothing matches.
    by_ordinal: Vec<f32>,
    best: f32,
    known: f32,
    /// By ordinal, in units of the best score: how well the name of the document fits the query.
    /// Empty where no name does.
    named: Vec<f32>,
    /// By term of the query: whether it occurs.
    pub occurs: Vec<bool>,
    /// Quoted phrases that occur nowhere.
    pub missing: Vec<String>,
    /// Only passages with the quoted phrases match.
    pub is_quotation: bool,
}

impl LexicalScores {
    /// The score of a passage; 0 where it does not match.
    pub fn of(&self, ordinal: u32) -> f32 {
        let score = self.by_ordinal.get(ordinal as usize).copied().unwrap_or_default();
        let named = self.named.get(ordinal as usize).copied().unwrap_or_default();
        if score > 0.0 { score + named * self.best } else { 0.0 }
    }

    /// The best score, without the gain of a name.
    pub fn best(&self) -> f32 {
        self.best
    }

    /// Share of the query's terms that occur in the index, by their weight and rarity.
    pub fn known(&self) -> f32 {
        self.known
    }

    /// The best `wanted` passages that match.
    pub fn listed(&self, wanted: usize) -> Listed {
        if self.named.is_empty() {
            return Listed::best_positive(&self.by_ordinal, wanted);
        }
        let all = 0..self.by_ordinal.len() as u32;
        let scores = all.map(|ordinal| (ordinal, self.of(ordinal)));
        Listed::best_of(scores.filter(|(_, score)| *score > 0.0), wanted)
    }

    /// Whether each passage matches, by ordinal.
    pub fn matching(&self) -> Vec<bool> {
        self.by_ordinal.iter().map(|score| *score > 0.0).collect()
    }
}

/// A document whose name, number or title the query has comes first: its passages score as much
/// above the others as the best passage above none.
const NAMED: f32 = 2.0;

/// Gain of a document whose path has at least two terms of the query, in units of the best score,
/// for the path with the rarest of them, times their share of the query: a path with all of it
/// names the document, one with *get* and *first* of a question about a paycheck does not. Others
/// gain by the square of their share: a yearly report of the right company and another year also
/// has the year before in its text.
///
/// Gold place first among the hits without the share, with it, and with no gain at all: the Rust
/// book 55, 60, 60 %; git's manual 69, 76, 74; Caddy's 68, 75, 75; a staff handbook 76, 83, 83.
/// Among ten without a gain: the Rust book 95 % for 97.
const FITTING_NAME: f32 = 1.0;

/// Passages by the terms of the query in the paths of their documents.
struct Names {
    /// By ordinal: number of the terms, and the sum of their rarity. Empty until there is one.
    found: Vec<(u8, f32)>,
    ordinals: usize,
}

impl Names {
    fn add(&mut self, ordinals: &[u32], rarity: f32) {
        if self.found.is_empty() && !ordinals.is_empty() {
            self.found = vec![(0, 0.0); self.ordinals];
        }
        for ordinal in ordinals {
            let (n, sum) = &mut self.found[*ordinal as usize];
            (*n, *sum) = (n.saturating_add(1), *sum + rarity);
        }
    }

    /// The gain of each passage; empty where none gains. `rarity` is that of the whole query.
    fn gains(self, rarity: f32) -> Vec<f32> {
        let fits = |(n, sum): &(u8, f32)| if *n > 1 { *sum } else { 0.0 };
        let most = self.found.iter().map(fits).fold(0.0, f32::max);
        if most <= 0.0 {
            return Vec::new();
        }
        let share = (most / rarity).min(1.0);
        self.found.iter().map(|found| FITTING_NAME * share * (fits(found) / most).powi(2)).collect()
    }
}

/// A chunk as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub root: usize,
    pub path: String,
    pub title: Option<String>,
    pub chunk: Chunk,
}

impl LexicalReader {
    /// `total_terms` are the numbers of terms of all live chunks in each searched field.
    pub fn open(directory: VerifiedDirectory, total_terms: [u64; 3]) -> tantivy::Result<Self> {
        let (expected, fields) = schema();
        let index = Index::open(directory)?;
        if index.schema() != expected {
            return Err(tantivy::TantivyError::SchemaError(
                "the fields are not those of this version".into(),
            ));
        }
        let mut segments = Vec::new();
        let mut base = 0;
        for segment in index.searchable_segments()? {
            let reader = SegmentReader::open(&segment)?;
            let max_doc = reader.max_doc();
            segments.push(Segment { reader, store: OnceLock::new(), base });
            base += max_doc;
        }
        let live: u32 = segments.iter().map(|s| s.reader.num_docs()).sum();
        let average_terms = total_terms.map(|n| (n as f32 / live.max(1) as f32).max(1.0));
        Ok(Self { segments, fields, average_terms, live, rows: OnceLock::new() })
    }

    /// Number of live chunks.
    pub fn live(&self) -> usize {
        self.live as usize
    }

    /// One more than the largest ordinal.
    pub fn ordinals(&self) -> usize {
        self.segments.iter().map(|s| s.reader.max_doc() as usize).sum()
    }

    /// BM25F scores of the passages that are `allowed` by ordinal; 0 where no term occurs, where a
    /// required phrase is missing, or where the chunk is deleted.
    pub fn scores(
        &self,
        query: &Query,
        allowed: Option<&[bool]>,
    ) -> tantivy::Result<LexicalScores> {
        let mut scores = vec![0.0f32; self.ordinals()];
        let mut names = Names { found: Vec::new(), ordinals: scores.len() };
        let mut found = Occurrences::default();
        let (mut occurs, mut knows, mut rarities) = (Vec::new(), Vec::new(), Vec::new());
        for term in &query.terms {
            self.collect(&term.variants, &mut found)?;
            let rarity = term.weight * self.idf(found.passages.len());
            for (ordinal, frequency) in &found.passages {
                scores[*ordinal as usize] += rarity * frequency * (K1 + 1.0) / (K1 + frequency);
            }
            names.add(&found.in_name, rarity.min(term.weight * self.idf(found.in_name.len())));
            occurs.push(!found.passages.is_empty());
            knows.push(!found.passages.is_empty() || !found.in_name.is_empty());
            rarities.push(rarity);
        }
        let known = rarities.iter().zip(&knows).filter(|(_, knows)| **knows);
        let named = names.gains(known.map(|(rarity, _)| rarity).sum());
        let mut result = LexicalScores { named, occurs, ..LexicalScores::default() };
        self.add_named(query, &mut scores, &mut result.named)?;
        self.add_titled(query, &mut scores, &mut result.named)?;
        self.weigh_phrases(query, allowed, &mut scores, &mut result)?;
        if let Some(allowed) = allowed {
            drop_others(&mut scores, allowed);
        }
        result.best = greatest(&scores);
        // Of `pep572` no passage has a word, and its document is known nevertheless.
        let known = known_share(&query.terms, &rarities, &knows);
        result.known = match known {
            Some(share) if share > 0.0 || result.named.is_empty() => share,
            _ => 1.0,
        };
        result.by_ordinal = scores;
        Ok(result)
    }

    /// Adds the documents whose name or number the query has: to the scores as a term, which the
    /// text need not have, and to the gains.
    fn add_named(
        &self,
        query: &Query,
        scores: &mut [f32],
        gains: &mut Vec<f32>,
    ) -> tantivy::Result<()> {
        for name in &query.names {
            let found = self.with_phrase(&[self.fields.name], name)?;
            self.gain(&found, scores, gains);
        }
        Ok(())
    }

    /// As [`LexicalReader::add_named`], for documents whose title the query has. A title within
    /// another that a document has counts nothing.
    fn add_titled(
        &self,
        query: &Query,
        scores: &mut [f32],
        gains: &mut Vec<f32>,
    ) -> tantivy::Result<()> {
        let mut taken: Vec<&Titled> = Vec::new();
        for titled in &query.titles {
            let is_within = |other: &&Titled| {
                other.words.start <= titled.words.start && titled.words.end <= other.words.end
            };
            if taken.iter().any(is_within) {
                continue;
            }
            let mut found = Vec::new();
            for segment in &self.segments {
                let mut add = |doc: DocId, _: u32| found.push(segment.base + doc);
                for_each_posting(&segment.reader, self.fields.called, &titled.key, &mut add)?;
            }
            if self.gain(&found, scores, gains) {
                taken.push(titled);
            }
        }
        Ok(())
    }

    /// Adds the passages `found` by a name of their documents. Returns whether it names any: a name
    /// that most passages have names none.
    fn gain(&self, found: &[u32], scores: &mut [f32], gains: &mut Vec<f32>) -> bool {
        if found.is_empty() || found.len() * 2 > self.live() {
            return false;
        }
        gains.resize(self.ordinals(), 0.0);
        let idf = self.idf(found.len());
        for ordinal in found {
            scores[*ordinal as usize] += idf;
            let gain = &mut gains[*ordinal as usize];
            *gain = gain.max(NAMED);
        }
        true
    }

    /// The live chunks with a phrase in one of the fields, in order.
    fn with_phrase(&self, fields: &[Field], words: &[PhraseTerm]) -> tantivy::Result<Vec<u32>> {
        let mut found = Vec::new();
        for segment in &self.segments {
            for field in fields {
                let docs = phrase::matches(&segment.reader, *field, words)?;
                found.extend(docs.into_iter().map(|doc| segment.base + doc));
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Adds the quoted phrases to the scores. Where the query is little more than its phrases,
    /// passages that lack one get 0. In a longer query, a phrase that no allowed passage has is
    /// dropped.
    fn weigh_phrases(
        &self,
        query: &Query,
        allowed: Option<&[bool]>,
        scores: &mut [f32],
        result: &mut LexicalScores,
    ) -> tantivy::Result<()> {
        if query.phrases.is_empty() {
            return Ok(());
        }
        let is_allowed = |ordinal: &u32| allowed.is_none_or(|allowed| allowed[*ordinal as usize]);
        let mut required = vec![true; scores.len()];
        for phrase in &query.phrases {
            let mut found =
                self.with_phrase(&[self.fields.body, self.fields.context], &phrase.terms)?;
            found.retain(is_allowed);
            if found.is_empty() && !query.is_quotation {
                result.missing.push(phrase.text.clone());
                continue;
            }
            result.is_quotation = query.is_quotation;
            let idf = self.idf(found.len());
            let mut has_phrase = vec![false; scores.len()];
            for ordinal in found {
                scores[ordinal as usize] += idf;
                has_phrase[ordinal as usize] = true;
            }
            required.iter_mut().zip(has_phrase).for_each(|(all, has)| *all &= has);
        }
        if result.is_quotation {
            drop_others(scores, &required);
        }
        Ok(())
    }

    /// Inverse document frequency of an analyzed term among live chunks; the largest for a term
    /// that does not occur.
    pub fn term_weight(&self, term: &str) -> tantivy::Result<f64> {
        let mut found = Occurrences::default();
        self.collect(&[term.to_owned()], &mut found)?;
        Ok(f64::from(self.idf(found.passages.len())))
    }

    /// Whether a live chunk has one of the forms of a term.
    pub fn occurs(&self, variants: &[String]) -> tantivy::Result<bool> {
        let mut found = Occurrences::default();
        self.collect(variants, &mut found)?;
        Ok(!found.passages.is_empty())
    }

    /// The term of the index with the fewest differences from `word`, which has at most `most` and
    /// the same first letter; of several the most frequent one.
    pub fn similar(&self, word: &str, most: usize) -> tantivy::Result<Option<String>> {
        let Some(first) = word.chars().next() else { return Ok(None) };
        let (from, to) = (first.to_string(), char::from_u32(first as u32 + 1));
        let to = to.map_or_else(|| word.to_owned(), String::from);
        let mut found: Vec<(usize, String)> = Vec::new();
        for segment in &self.segments {
            for field in self.fields.searched() {
                let inverted = segment.reader.inverted_index(field)?;
                let range = inverted.terms().range().ge(from.as_bytes()).lt(to.as_bytes());
                let mut terms = range.into_stream()?;
                while terms.advance() {
                    let Ok(term) = std::str::from_utf8(terms.key()) else { continue };
                    let is_word = term.chars().all(char::is_alphabetic);
                    if let Some(n) = mistakes(word, term, most).filter(|_| is_word) {
                        found.push((n, term.to_owned()));
                    }
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        let least = found.first().map_or(0, |(n, _)| *n);
        let mut best: Option<(usize, String)> = None;
        let mut occurrences = Occurrences::default();
        for (_, term) in found.into_iter().take_while(|(n, _)| *n == least) {
            // Counted among live chunks, so that the history of the index does not matter.
            self.collect(std::slice::from_ref(&term), &mut occurrences)?;
            let n = occurrences.passages.len();
            if n > best.as_ref().map_or(0, |(most, _)| *most) {
                best = Some((n, term));
            }
        }
        Ok(best.map(|(_, term)| term))
    }

    /// The vector row of each ordinal; [`NO_ROW`] for a deleted chunk.
    pub fn rows(&self) -> tantivy::Result<&[u64]> {
        if let Some(rows) = self.rows.get() {
            return Ok(rows);
        }
        let rows = self.read_rows()?;
        Ok(self.rows.get_or_init(|| rows))
    }

    fn read_rows(&self) -> tantivy::Result<Vec<u64>> {
        let mut rows = vec![NO_ROW; self.ordinals()];
        for segment in &self.segments {
            let column = segment.reader.fast_fields().u64("row")?;
            for doc in segment.reader.doc_ids_alive() {
                if let Some(row) = column.first(doc) {
                    rows[(segment.base + doc) as usize] = row;
                }
            }
        }
        Ok(rows)
    }

    /// Whether `is_wanted` accepts the document of each ordinal, given by root and path. It is
    /// called once per document and segment, with the term that the chunks of a document share, so
    /// that no chunk is fetched.
    pub fn of_documents(
        &self,
        is_wanted: &mut dyn FnMut(usize, &str) -> bool,
    ) -> tantivy::Result<Vec<bool>> {
        let mut wanted = vec![false; self.ordinals()];
        for segment in &self.segments {
            let inverted = segment.reader.inverted_index(self.fields.document)?;
            let mut keys = inverted.terms().stream()?;
            while keys.advance() {
                let key = std::str::from_utf8(keys.key()).ok().and_then(split_document_key);
                let (root, path) = key.ok_or_else(incomplete)?;
                if !is_wanted(root, path) {
                    continue;
                }
                let mut postings =
                    inverted.read_postings_from_terminfo(keys.value(), IndexRecordOption::Basic)?;
                let mut doc = postings.doc();
                while doc != TERMINATED {
                    wanted[(segment.base + doc) as usize] = true;
                    doc = postings.advance();
                }
            }
        }
        Ok(wanted)
    }

    /// The live chunks of a document and their vector rows, in no order.
    pub fn document(&self, root: usize, path: &str) -> tantivy::Result<Vec<(Stored, u64)>> {
        let key = document_key(root, path);
        let mut found = Vec::new();
        for segment in &self.segments {
            let column = segment.reader.fast_fields().u64("row")?;
            let mut docs = Vec::new();
            for_each_posting(&segment.reader, self.fields.document, &key, &mut |doc, _| {
                docs.push(doc);
            })?;
            for doc in docs {
                let row = column.first(doc).ok_or_else(incomplete)?;
                found.push((self.fetch(segment.base + doc)?, row));
            }
        }
        Ok(found)
    }

    /// The chunk at an ordinal.
    pub fn fetch(&self, ordinal: u32) -> tantivy::Result<Stored> {
        let segment = self.segment_of(ordinal);
        let store = match segment.store.get() {
            Some(store) => store,
            None => {
                let share =
                    CACHED_BLOCKS * segment.reader.max_doc() as usize / self.ordinals().max(1);
                let opened = segment.reader.get_store_reader(share.max(1))?;
                segment.store.get_or_init(|| opened)
            }
        };
        self.stored(&store.get::<TantivyDocument>(ordinal - segment.base)?).ok_or_else(incomplete)
    }

    /// Calls `visit` with every live chunk and its vector row, in ordinal order.
    pub fn for_each(&self, visit: &mut dyn FnMut(Stored, u64)) -> tantivy::Result<()> {
        for segment in &self.segments {
            let store = segment.reader.get_store_reader(8)?;
            let column = segment.reader.fast_fields().u64("row")?;
            for doc in segment.reader.doc_ids_alive() {
                let stored =
                    self.stored(&store.get::<TantivyDocument>(doc)?).ok_or_else(incomplete)?;
                visit(stored, column.first(doc).ok_or_else(incomplete)?);
            }
        }
        Ok(())
    }

    fn segment_of(&self, ordinal: u32) -> &Segment {
        let after = self.segments.partition_point(|s| s.base <= ordinal);
        &self.segments[after - 1]
    }

    /// `ln(1 + (N - n + 0.5) / (n + 0.5))`, Lucene's form, which is never negative.
    fn idf(&self, n: usize) -> f32 {
        let (all, n) = (self.live as f32, n as f32);
        (1.0 + (all - n + 0.5) / (n + 0.5)).ln()
    }

    /// The live chunks in which any variant occurs.
    fn collect(&self, variants: &[String], found: &mut Occurrences) -> tantivy::Result<()> {
        let Occurrences { passages, in_name } = found;
        passages.clear();
        in_name.clear();
        for segment in &self.segments {
            let from = passages.len();
            for (f, field) in self.fields.searched().into_iter().enumerate() {
                let norms = segment.reader.get_fieldnorms_reader(field)?;
                for variant in variants {
                    let mut add = |doc: DocId, frequency: u32| {
                        let length = norms.fieldnorm(doc) as f32 / self.average_terms[f];
                        let normalized =
                            frequency as f32 / (1.0 - FIELD_B[f] + FIELD_B[f] * length);
                        passages.push((segment.base + doc, FIELD_WEIGHT[f] * normalized));
                        if field == self.fields.name {
                            in_name.push(segment.base + doc);
                        }
                    };
                    for_each_posting(&segment.reader, field, variant, &mut add)?;
                }
            }
            merge_same(passages, from);
        }
        in_name.sort_unstable();
        in_name.dedup();
        Ok(())
    }

    fn stored(&self, document: &TantivyDocument) -> Option<Stored> {
        let fields = &self.fields;
        let text = |field: Field| document.get_first(field)?.as_str().map(str::to_owned);
        let key = text(fields.document)?;
        let (root, path) = split_document_key(&key)?;
        let place: Vec<usize> = document
            .get_all(fields.place)
            .filter_map(|v| usize::try_from(v.as_u64()?).ok())
            .collect();
        let &[start, end, first, last] = place.as_slice() else { return None };
        let heading =
            document.get_all(fields.heading).filter_map(|v| Some(v.as_str()?.to_owned())).collect();
        let (bytes, lines) = (Span { start, end }, Lines { first, last });
        let body = text(fields.text)?;
        let stored = document.get_first(fields.units).and_then(|value| value.as_bytes());
        let (units, table_header) = units::decode(stored.unwrap_or_default(), &body, bytes, lines)?;
        let place = text(fields.within).and_then(|place| place.parse().ok());
        let chunk = Chunk { heading, text: body, bytes, lines, place, units, table_header };
        Some(Stored { root, path: path.to_owned(), title: text(fields.title), chunk })
    }
}

/// Where a term occurs.
#[derive(Default)]
struct Occurrences {
    /// Chunks with their weighted and normalized term frequency.
    passages: Vec<(u32, f32)>,
    /// Those with the term in the path of their document, in order.
    in_name: Vec<u32>,
}

/// The share of the query's rarity that is in terms of a passage or of the name of a document;
/// `None` without any rarity. Where a compound does not occur and a part of it does, the part alone
/// counts: of *FY2022* the index knows the year.
fn known_share(terms: &[QueryTerm], rarities: &[f32], knows: &[bool]) -> Option<f32> {
    let (mut all, mut known) = (0.0, 0.0);
    for (at, rarity) in rarities.iter().enumerate() {
        let parts = terms.iter().zip(knows).skip(at + 1).take_while(|(term, _)| term.is_part);
        let has_part = !terms[at].is_part && parts.into_iter().any(|(_, knows)| *knows);
        if knows[at] || !has_part {
            all += rarity;
        }
        known += if knows[at] { *rarity } else { 0.0 };
    }
    (all > 0.0).then(|| known / all)
}

/// Sets the scores of passages that are not `kept` to 0.
fn drop_others(scores: &mut [f32], kept: &[bool]) {
    for (score, is_kept) in scores.iter_mut().zip(kept) {
        if !is_kept {
            *score = 0.0;
        }
    }
}

/// Live postings of one term in one field.
fn for_each_posting(
    reader: &SegmentReader,
    field: Field,
    term: &str,
    visit: &mut dyn FnMut(DocId, u32),
) -> tantivy::Result<()> {
    let inverted = reader.inverted_index(field)?;
    let term = Term::from_field_text(field, term);
    let Some(mut postings) = inverted.read_postings(&term, IndexRecordOption::WithFreqs)? else {
        return Ok(());
    };
    let mut doc = postings.doc();
    while doc != TERMINATED {
        if !reader.is_deleted(doc) {
            visit(doc, postings.term_freq());
        }
        doc = postings.advance();
    }
    Ok(())
}

/// Sums entries with the same ordinal in `out[from..]`.
fn merge_same(out: &mut Vec<(u32, f32)>, from: usize) {
    let tail = &mut out[from..];
    // Stable, so that the order of additions, and with it the last bit of a sum, does not vary.
    tail.sort_by_key(|(ordinal, _)| *ordinal);
    let mut write = from;
    for read in from..out.len() {
        if write > from && out[write - 1].0 == out[read].0 {
            out[write - 1].1 += out[read].1;
        } else {
            out[write] = out[read];
            write += 1;
        }
    }
    out.truncate(write);
}

fn incomplete() -> tantivy::TantivyError {
    tantivy::TantivyError::InternalError("a chunk lacks a field".into())
}
