//! The fields of the lexical index, and how a chunk becomes a tantivy document.

use serde::{Deserialize, Serialize};
use tantivy::TantivyDocument;
use tantivy::schema::{
    BytesOptions, FAST, Field, INDEXED, IndexRecordOption, NumericOptions, STORED, STRING, Schema, TextFieldIndexing,
    TextOptions,
};
use tantivy::tokenizer::{PreTokenizedString, Token};

use super::analysis::{AnalysedText, Analyzer, NormalForms, Term};
use crate::record::{Chunk, Document};
use crate::simhash::SimHash;

/// The language that documents of unknown language are stemmed in: short texts, tables, code. Most of it is English, and
/// on other text an English stemmer does little.
pub(super) const DEFAULT_LANGUAGE: &str = "en";

/// Handles of the schema's fields.
#[derive(Clone, Copy)]
pub(super) struct Fields {
    /// Bytes of the document id: deletes go by it.
    pub(super) document: Field,
    /// 64 bits of the document id, for grouping.
    pub(super) group: Field,
    pub(super) ordinal: Field,
    /// Both halves of the document's fingerprint.
    pub(super) fingerprint: (Field, Field),
    pub(super) source: Field,
    pub(super) path: Field,
    pub(super) kind: Field,
    pub(super) language: Field,
    /// The name of the document's [`PageType`](crate::PageType), where it has one.
    pub(super) page_type: Field,
    pub(super) modified: Field,
    /// Words of title, heading path and text together, as they are written.
    pub(super) body: Field,
    /// The same words, stemmed.
    pub(super) stems: Field,
    /// Stems of the title.
    pub(super) title: Field,
    /// Stems of the heading path and the file's name.
    pub(super) headings: Field,
    pub(super) grams: Field,
    pub(super) codes: Field,
    /// The encoded [`StoredPassage`].
    pub(super) record: Field,
}

/// What a hit is shown from: the chunk and its document, without a look into the truth.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StoredPassage {
    pub(crate) document: Document,
    pub(crate) number: u32,
    pub(crate) chunk: Chunk,
}

/// The schema of this format version.
pub(super) fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let phrases = |record| {
        TextOptions::default()
            .set_indexing_options(TextFieldIndexing::default().set_tokenizer("raw").set_index_option(record))
    };
    let number = NumericOptions::default() | FAST;
    let fields = Fields {
        document: builder.add_bytes_field("document", BytesOptions::default() | INDEXED),
        group: builder.add_u64_field("group", number.clone()),
        ordinal: builder.add_u64_field("ordinal", number.clone()),
        fingerprint: (
            builder.add_u64_field("fingerprint_upper", NumericOptions::default().set_fast()),
            builder.add_u64_field("fingerprint_lower", NumericOptions::default().set_fast()),
        ),
        source: builder.add_text_field("source", STRING),
        path: builder.add_text_field("path", STRING),
        kind: builder.add_text_field("kind", STRING),
        language: builder.add_text_field("language", STRING),
        page_type: builder.add_text_field("page_type", STRING),
        modified: builder.add_i64_field("modified", number),
        body: builder.add_text_field("body", phrases(IndexRecordOption::WithFreqsAndPositions)),
        stems: builder.add_text_field("stems", phrases(IndexRecordOption::WithFreqs)),
        title: builder.add_text_field("title", phrases(IndexRecordOption::WithFreqs)),
        headings: builder.add_text_field("headings", phrases(IndexRecordOption::WithFreqs)),
        grams: builder.add_text_field("grams", phrases(IndexRecordOption::WithFreqsAndPositions)),
        codes: builder.add_text_field("codes", phrases(IndexRecordOption::WithFreqs)),
        record: builder.add_bytes_field("record", BytesOptions::default() | STORED),
    };
    (builder.build(), fields)
}

impl Fields {
    /// The tantivy document of a chunk.
    pub(super) fn document_of(&self, document: &Document, number: u32, chunk: &Chunk) -> TantivyDocument {
        let analyzer = Analyzer::for_documents(document.language.as_deref());
        let name = document.path.rsplit('/').next().unwrap_or_default();
        let headings = chunk.headings.join("\n");
        // The title often is the first heading: it counts once.
        let titled = chunk.headings.first().is_some_and(|first| *first == document.title);
        let title = if titled { "" } else { document.title.as_str() };
        // What the document says of itself stands for its beginning.
        let about = if number == 0 { about(document) } else { String::new() };
        let whole = [title, headings.as_str(), chunk.text.as_str(), about.as_str()].join("\n");

        let mut out = TantivyDocument::new();
        let id = document.id();
        out.add_bytes(self.document, id.bytes());
        out.add_u64(self.group, id.group());
        out.add_u64(self.ordinal, chunk.ordinal);
        if let Some((upper, lower)) = document.fingerprint.map(SimHash::halves) {
            out.add_u64(self.fingerprint.0, upper);
            out.add_u64(self.fingerprint.1, lower);
        }
        out.add_text(self.source, &document.source);
        out.add_text(self.path, &document.path);
        out.add_text(self.kind, &document.kind);
        if let Some(language) = &document.language {
            out.add_text(self.language, language);
        }
        if let Some(page_type) = document.page_type() {
            out.add_text(self.page_type, page_type.name());
        }
        out.add_i64(self.modified, document.modified);
        let mut known = NormalForms::default();
        let AnalysedText { exact, stems, grams, .. } = analyzer.analyse(&whole, &mut known);
        let mut stems_of = |text: &str| pre_tokenized(analyzer.words(text, &mut known).1);
        out.add_pre_tokenized_text(self.title, stems_of(&document.title));
        out.add_pre_tokenized_text(self.headings, stems_of(&format!("{headings}\n{name}")));
        out.add_pre_tokenized_text(self.body, pre_tokenized(exact));
        out.add_pre_tokenized_text(self.stems, pre_tokenized(stems));
        out.add_pre_tokenized_text(self.grams, pre_tokenized(grams));
        out.add_pre_tokenized_text(self.codes, pre_tokenized(Analyzer::codes(&format!("{whole}\n{}", document.path))));
        let passage = StoredPassage { document: document.clone(), number, chunk: chunk.clone() };
        let record = postcard::to_extend(&passage, Vec::new()).expect("plain data encodes");
        out.add_bytes(self.record, &record);
        out
    }
}

/// Metadata in which people look for words, under the names of front matter, HTML and document properties.
const ABOUT: &[&str] = &[
    "abstract",
    "author",
    "categories",
    "category",
    "description",
    "keywords",
    "subject",
    "subtitle",
    "summary",
    "tags",
];

/// Characters of metadata that are searched.
const MAX_ABOUT: usize = 1_000;

fn about(document: &Document) -> String {
    let facts: Vec<&str> = ABOUT.iter().filter_map(|name| document.metadata.get(*name)).map(String::as_str).collect();
    facts.join("\n").chars().take(MAX_ABOUT).collect()
}

fn pre_tokenized(terms: Vec<Term>) -> PreTokenizedString {
    let tokens = terms.into_iter().map(|term| Token {
        offset_from: term.span.start,
        offset_to: term.span.end,
        position: term.position,
        text: term.text,
        position_length: 1,
    });
    PreTokenizedString { text: String::new(), tokens: tokens.collect() }
}
