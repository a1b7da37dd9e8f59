//! Data that people also read: JSON and its lines, XML, notebooks. Each becomes text with its keys beside its values,
//! one block for each record, instead of brackets.

mod json;
mod mediawiki;
mod names;
mod notebook;
mod wikitext;
mod xml;

pub(crate) use json::{FORMAT as JSON, looks_like as looks_like_json, read as read_json};
pub(crate) use notebook::{FORMAT as NOTEBOOK, read as read_notebook};
pub(crate) use xml::{FORMAT as XML, looks_like as looks_like_xml, read as read_xml};
