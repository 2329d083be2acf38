//! Writing chunks into a generation under construction.
//!
//! One indexing thread: chunks then have the order in which they were added, on every machine.

use std::path::{Path, PathBuf};

use tantivy::indexer::{IndexWriterOptions, NoMergePolicy};
use tantivy::schema::document::{Document, Value as _};
use tantivy::tokenizer::{PreTokenizedString, Token};
use tantivy::{Index, IndexWriter, SegmentReader, TantivyDocument, TantivyError, Term};

use super::rename;
use super::schema::{Fields, schema};
use super::units;
use super::write_directory::{Refusal, WriteDirectory};
use crate::analysis;
use crate::document::Chunk;
use crate::error::{Context as _, Fault, Result};

/// Memory for the current segment. A full one is written and another begun, so this bounds memory,
/// not the corpus; larger segments need fewer merges.
const SEGMENT_BYTES: usize = 96 << 20;

/// A chunk to index.
pub struct ChunkEntry<'a> {
    pub root: usize,
    pub path: &'a str,
    pub title: Option<&'a str>,
    /// ISO 639-1 code of the stemmer.
    pub language: Option<&'a str>,
    pub chunk: &'a Chunk,
    /// Row of the passage's vector, counted across all vector files of the generation.
    pub row: u64,
}

/// A document behind a pointer: Tantivy allocates its queue for 40,000 documents at once, and
/// pointers take less memory.
struct Boxed(Box<TantivyDocument>);

impl Document for Boxed {
    type Value<'a> = <TantivyDocument as Document>::Value<'a>;
    type FieldsValuesIter<'a> = <TantivyDocument as Document>::FieldsValuesIter<'a>;

    fn iter_fields_and_values(&self) -> Self::FieldsValuesIter<'_> {
        self.0.iter_fields_and_values()
    }

    fn into_tantivy_document(self) -> TantivyDocument {
        *self.0
    }
}

/// The Tantivy writer of one generation.
pub struct Writer {
    writer: IndexWriter<Boxed>,
    fields: Fields,
    /// For messages: those of Tantivy have no path.
    dir: PathBuf,
    refusal: Refusal,
}

impl Writer {
    /// Opens the index in `dir`, whose files may be hard links to an older generation's: Tantivy
    /// never changes a file, it only adds and removes names.
    pub fn open(dir: &Path) -> Result<Self> {
        let what = || cannot_write(dir);
        let (schema, fields) = schema();
        let directory = WriteDirectory::open(dir).or_failed(what)?;
        let refusal = directory.refusal();
        let index = Index::open_or_create(directory, schema).or_failed(what)?;
        // One merge at a time, because each holds its segments in memory.
        let options = IndexWriterOptions::builder()
            .memory_budget_per_thread(SEGMENT_BYTES)
            .num_merge_threads(1);
        let writer = index.writer_with_options(options.build()).or_failed(what)?;
        Ok(Self { writer, fields, dir: dir.to_owned(), refusal })
    }

    /// Removes every chunk of a document that was added before.
    pub fn remove(&self, root: usize, path: &str) {
        self.writer
            .delete_term(Term::from_field_text(self.fields.document, &document_key(root, path)));
    }

    /// Adds a chunk; returns the number of terms in each searched field, in the order of
    /// `Fields::searched`.
    pub fn add(&self, entry: &ChunkEntry<'_>) -> Result<[u64; 3]> {
        let (fields, chunk) = (&self.fields, entry.chunk);
        let mut document = TantivyDocument::new();
        let context = crate::document::context_line(entry.title, &chunk.heading);
        let texts = [
            (fields.body, chunk.text.as_str()),
            (fields.context, &context),
            (fields.name, entry.path),
        ];
        let mut counts = [0; 3];
        for (i, (field, text)) in texts.into_iter().enumerate() {
            let tokens = tokens(text, entry.language);
            counts[i] = tokens.len() as u64;
            document
                .add_pre_tokenized_text(field, PreTokenizedString { text: String::new(), tokens });
        }
        document.add_text(fields.document, document_key(entry.root, entry.path));
        document.add_u64(fields.row, entry.row);
        document.add_text(fields.text, &chunk.text);
        if let Some(title) = entry.title {
            document.add_text(fields.title, title);
            for key in analysis::title_keys(title) {
                document.add_text(fields.called, key);
            }
        }
        for heading in &chunk.heading {
            document.add_text(fields.heading, heading);
        }
        if let Some(place) = &chunk.place {
            document.add_text(fields.within, place.to_string());
        }
        for number in [chunk.bytes.start, chunk.bytes.end, chunk.lines.first, chunk.lines.last] {
            document.add_u64(fields.place, number as u64);
        }
        let units = units::encode(chunk);
        if !units.is_empty() {
            document.add_bytes(fields.units, &units);
        }
        self.writer
            .add_document(Boxed(Box::new(document)))
            .map_err(|e| failed(&self.dir, &self.refusal, e))?;
        Ok(counts)
    }

    /// Defers merges until [`Writer::finish_single_segment`], so that the result depends only on
    /// the chunks and not on the speed of threads. Call it before the first chunk.
    pub fn merge_at_the_end(&self) {
        self.writer.set_merge_policy(Box::new(NoMergePolicy));
    }

    /// As [`Writer::finish`], with one segment that is named after its content. The chunks were
    /// added in the order of their documents' keys, and in the order of each document.
    pub fn finish_single_segment(mut self) -> Result<()> {
        let merged = self.merge_all();
        merged.map_err(|e| failed(&self.dir, &self.refusal, e))?;
        let dir = self.dir.clone();
        self.finish()?;
        rename::by_content(&dir)
    }

    fn merge_all(&mut self) -> tantivy::Result<()> {
        self.writer.commit()?;
        let mut segments = Vec::new();
        for segment in self.writer.index().searchable_segments()? {
            let first: TantivyDocument =
                SegmentReader::open(&segment)?.get_store_reader(1)?.get(0)?;
            let key = first
                .get_first(self.fields.document)
                .and_then(|value| value.as_str().map(str::to_owned));
            let start = first.get_first(self.fields.place).and_then(|value| value.as_u64());
            segments.push((key, start, segment.id()));
        }
        // Tantivy lists segments in random order.
        segments.sort();
        let ids: Vec<_> = segments.into_iter().map(|(.., id)| id).collect();
        if ids.len() > 1 {
            self.writer.merge(&ids).wait()?;
        }
        Ok(())
    }

    /// Commits and waits for merges, so that no file appears afterwards.
    pub fn finish(self) -> Result<()> {
        let Self { mut writer, dir, refusal, .. } = self;
        let done = writer.commit().and_then(|_| writer.garbage_collect_files().wait());
        done.and_then(|_| writer.wait_merging_threads()).map_err(|e| failed(&dir, &refusal, e))
    }
}

/// The system's error, if there was one: it says more than Tantivy's.
fn failed(dir: &Path, refusal: &Refusal, error: TantivyError) -> Fault {
    let fault = Fault::failed(cannot_write(dir));
    match refusal.error() {
        Some(refused) => fault.because(refused),
        None => fault.because(error),
    }
}

fn cannot_write(dir: &Path) -> String {
    format!("cannot write the index in {}", dir.display())
}

/// The term that all chunks of a document share.
pub(super) fn document_key(root: usize, path: &str) -> String {
    format!("{root}/{path}")
}

/// Root number and path of a [`document_key`].
pub(super) fn split_document_key(key: &str) -> Option<(usize, &str)> {
    let (root, path) = key.split_once('/')?;
    Some((root.parse().ok()?, path))
}

fn tokens(text: &str, language: Option<&str>) -> Vec<Token> {
    let mut tokens = Vec::new();
    analysis::index_terms(text, language, &mut |term| {
        tokens.push(Token {
            offset_from: term.start,
            offset_to: term.end,
            position: term.position as usize,
            text: term.text.to_owned(),
            position_length: 1,
        });
    });
    tokens
}
