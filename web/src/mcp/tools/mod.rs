//! The tools: what an assistant can ask for. All of them only read.

mod arguments;
mod results;
mod schema;

use serde::Serialize;
use serde_json::{Map, Value};
use storage::View;

use super::desk::Desk;
use crate::api::documents::document_id;
use crate::api::similar::SimilarParams;
use crate::audit;
use crate::error::Error;
use arguments::{
    AnswerArguments, FetchArguments, NoArguments, PassagesArguments, SearchArguments, SimilarArguments, check_top, read,
};
use results::{FetchedDocument, PassageResults, QuotedAnswer, SearchResults, SimilarResults, SourceRows};
use schema::schema_of;

/// A tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    /// In the shape that deep-research connectors require.
    Search,
    /// The same.
    Fetch,
    SearchPassages,
    ListSources,
    Similar,
    Answer,
}

impl Tool {
    /// All of them, in the order in which they are always told.
    pub(super) const ALL: [Self; 6] =
        [Self::Search, Self::Fetch, Self::SearchPassages, Self::ListSources, Self::Similar, Self::Answer];

    /// The tool of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Fetch => "fetch",
            Self::SearchPassages => "search_passages",
            Self::ListSources => "list_sources",
            Self::Similar => "similar",
            Self::Answer => "answer",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Search => "Search the documents",
            Self::Fetch => "Read a document",
            Self::SearchPassages => "Find passages",
            Self::ListSources => "List the sources",
            Self::Similar => "Find similar documents",
            Self::Answer => "Quote an answer",
        }
    }

    /// What it is good for, for the model that chooses among them.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Search => {
                "Searches the company's own documents by words and by meaning, and gives the ten best with id, title and link. \
                 Ask in plain words, in any language; read what fits with fetch."
            }
            Self::Fetch => "Gives the text of one document, by the id that another tool gave.",
            Self::SearchPassages => {
                "Searches the company's own documents and gives the passages that fit, with headings, page, lines and link: \
                 enough to quote without reading whole documents. Can be narrowed by source, path, type, language and date, and \
                 goes on by cursor."
            }
            Self::ListSources => "Lists the sources that are searched, with the names that filters take.",
            Self::Similar => "Finds the documents nearest in meaning to a document, or to one passage of it.",
            Self::Answer => {
                "Answers a question with sentences of the documents, word by word, each with its source, or says that the \
                 documents do not answer it. Nothing in it is made up."
            }
        }
    }

    /// The schema of its arguments.
    pub(super) fn input(self) -> Map<String, Value> {
        let mut schema = match self {
            Self::Search => schema_of::<SearchArguments>(),
            Self::Fetch => schema_of::<FetchArguments>(),
            Self::SearchPassages => schema_of::<PassagesArguments>(),
            Self::ListSources => schema_of::<NoArguments>(),
            Self::Similar => schema_of::<SimilarArguments>(),
            Self::Answer => schema_of::<AnswerArguments>(),
        };
        schema.insert("additionalProperties".to_owned(), Value::Bool(false));
        schema
    }

    /// The schema of what it gives.
    pub(super) fn output(self) -> Map<String, Value> {
        match self {
            Self::Search => schema_of::<SearchResults>(),
            Self::Fetch => schema_of::<FetchedDocument>(),
            Self::SearchPassages => schema_of::<PassageResults>(),
            Self::ListSources => schema_of::<SourceRows>(),
            Self::Similar => schema_of::<SimilarResults>(),
            Self::Answer => schema_of::<QuotedAnswer>(),
        }
    }

    /// What it gives for these arguments.
    ///
    /// # Errors
    /// What is wrong with the arguments; those of the REST API.
    pub(super) async fn call(self, desk: &Desk, arguments: Map<String, Value>) -> Result<Value, Error> {
        desk.noted(audit::event_of_tool(self.name(), desk.notes_queries()), self.answered(desk, arguments)).await
    }

    async fn answered(self, desk: &Desk, arguments: Map<String, Value>) -> Result<Value, Error> {
        match self {
            Self::Search => {
                let request = read::<SearchArguments>(arguments)?.request();
                value(&SearchResults::of(desk.search(request).await?, desk.place()))
            }
            Self::Fetch => value(&fetch(desk, read(arguments)?).await?),
            Self::SearchPassages => {
                let request = read::<PassagesArguments>(arguments)?.request()?;
                known_sources(desk, &request.filters.source).await?;
                value(&PassageResults::of(desk.search(request).await?, desk.place()))
            }
            Self::ListSources => {
                let NoArguments {} = read(arguments)?;
                value(&desk.read(|view, _| Ok(SourceRows::of(&view.sources(), view.totals()))).await?)
            }
            Self::Similar => {
                let SimilarArguments { id, passage, top, source } = read(arguments)?;
                known_sources(desk, &source).await?;
                let request = SimilarParams::new(id, passage, check_top(top)?, source).request(&desk.limits())?;
                value(&SimilarResults::of(desk.similar(request).await?, desk.place()))
            }
            Self::Answer => {
                let request = read::<AnswerArguments>(arguments)?.request();
                known_sources(desk, &request.filters.source).await?;
                value(&QuotedAnswer::of(desk.answer(request).await?, desk.place()))
            }
        }
    }
}

fn value(result: &impl Serialize) -> Result<Value, Error> {
    serde_json::to_value(result).map_err(Error::internal)
}

async fn fetch(desk: &Desk, FetchArguments { id }: FetchArguments) -> Result<FetchedDocument, Error> {
    let id = document_id(&id)?;
    audit::about("document", id.to_string());
    let place = desk.place().clone();
    let read = move |view: &View, links: &crate::links::Links| {
        let passages = view.document(id)?;
        let own = passages.first().and_then(|first| links.url(&first.document.source, &first.document.path));
        FetchedDocument::of(passages, own, &place).ok_or(Error::NotFound { what: "the document" })
    };
    desk.read(read).await
}

/// Refuses the name of a source that there is not, or of which nothing is seen: finding nothing would look like an answer.
async fn known_sources(desk: &Desk, names: &[String]) -> Result<(), Error> {
    if names.is_empty() {
        return Ok(());
    }
    let names = names.to_vec();
    desk.read(move |view, _| {
        let sources = view.sources();
        let is_known = |name: &String| sources.iter().any(|source| source.name.to_lowercase() == name.to_lowercase());
        match names.iter().find(|name| !is_known(name)) {
            None => Ok(()),
            Some(name) => {
                Err(Error::bad(format!("source: there is no source {name:?}; list_sources names those there are")))
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_describes_itself_whole() {
        for tool in Tool::ALL {
            assert_eq!(Tool::named(tool.name()), Some(tool));
            for schema in [tool.input(), tool.output()] {
                let text = Value::Object(schema.clone()).to_string();
                assert_eq!(schema["type"], "object", "{}: {text}", tool.name());
                assert!(!text.contains("#/components/"), "{text}");
                for name in text.split("#/$defs/").skip(1).filter_map(|rest| rest.split('"').next()) {
                    assert!(schema["$defs"][name].is_object(), "{}: no {name}", tool.name());
                }
            }
            let fields = tool.input()["properties"].as_object().cloned().unwrap_or_default();
            assert!(fields.values().all(|field| field["description"].is_string()), "{}: {fields:?}", tool.name());
        }
        assert_eq!(Tool::named("Search"), None);
    }

    /// A change here is a change of the promise to assistants. `INSTA_UPDATE=always cargo test --workspace --lib -- mcp` writes it
    /// anew.
    #[test]
    fn they_are_as_before() {
        let told = Tool::ALL.map(|tool| {
            serde_json::json!({"name": tool.name(), "title": tool.title(), "description": tool.description(),
                               "input": tool.input(), "output": tool.output()})
        });
        insta::assert_snapshot!(serde_json::to_string_pretty(&told).unwrap());
    }
}
