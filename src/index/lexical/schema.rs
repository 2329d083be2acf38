//! The fields of a chunk in Tantivy. A change requires a higher `FORMAT` in `generation.rs`.

use tantivy::schema::{
    FAST, Field, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions,
};

/// Handles to the fields, in the order in which they are defined.
#[derive(Clone, Copy, Debug)]
pub struct Fields {
    /// Terms of the passage.
    pub body: Field,
    /// Terms of the title and the heading path.
    pub context: Field,
    /// Terms of the relative path.
    pub name: Field,
    /// Keys of the title, a term each.
    pub called: Field,
    /// `<root number>/<relative path>`, one term, by which a document is deleted.
    pub document: Field,
    /// Row of the passage's vector.
    pub row: Field,
    pub text: Field,
    pub title: Field,
    pub heading: Field,
    /// Numbers of the chunk: byte span, line span.
    pub place: Field,
    /// Page, slide or the like, as a `Location` displays it.
    pub within: Field,
    /// The units, as [`units`](super::units) encodes them.
    pub units: Field,
}

impl Fields {
    /// The searched fields, in the order of all statistics.
    pub fn searched(&self) -> [Field; 3] {
        [self.body, self.context, self.name]
    }
}

pub fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let terms = TextOptions::default().set_indexing_options(
        TextFieldIndexing::default()
            .set_tokenizer("raw")
            .set_index_option(IndexRecordOption::WithFreqsAndPositions)
            .set_fieldnorms(true),
    );
    let fields = Fields {
        body: builder.add_text_field("body", terms.clone()),
        context: builder.add_text_field("context", terms.clone()),
        name: builder.add_text_field("name", terms),
        called: builder.add_text_field("called", STRING),
        document: builder.add_text_field("document", STRING | STORED),
        row: builder.add_u64_field("row", FAST),
        text: builder.add_text_field("text", STORED),
        title: builder.add_text_field("title", STORED),
        heading: builder.add_text_field("heading", STORED),
        place: builder.add_u64_field("place", STORED),
        within: builder.add_text_field("within", STORED),
        units: builder.add_bytes_field("units", STORED),
    };
    (builder.build(), fields)
}
