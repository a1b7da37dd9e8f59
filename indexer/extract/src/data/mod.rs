//! Data that people also read: JSON and its lines, XML, notebooks. Each becomes text with its keys beside its values,
//! one block for each record, instead of brackets.

mod json;
mod names;
mod notebook;
mod xml;

pub(crate) use json::{is_named as is_json, looks_like as looks_like_json, read as read_json};
pub(crate) use notebook::{is_notebook, read as read_notebook};
pub(crate) use xml::{is_named as is_xml, looks_like as looks_like_xml, read as read_xml};
