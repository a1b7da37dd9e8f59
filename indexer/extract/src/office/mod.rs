//! Office documents: packages of XML (Office Open XML, OpenDocument, EPUB), RTF, sheets of cells, and the binary formats
//! before them. Which of them a file is, its content says; an extension is asked only where the content is damaged. XML
//! is read as a stream of tags by readers of our own over quick-xml, sheets by calamine, DOC and PPT by undoc: the
//! header of each reader says why.

mod drawn;
mod epub;
mod grid;
mod kind;
mod legacy;
mod math;
mod numbering;
mod open_document;
mod package;
mod properties;
mod relations;
mod rtf;
mod sheets;
mod slides;
mod story;
mod subdocuments;
mod word;
mod xml;

pub(crate) use kind::{PACKAGES, is_package, read as read_package};
pub(crate) use legacy::{DOC, PPT, is_compound, read as read_compound};
pub(crate) use open_document::{ODP, ODS, ODT, is_named as is_flat_named, looks_flat, read_flat};
pub(crate) use rtf::{FORMAT as RTF, is_rtf, read as read_rtf};
pub(crate) use sheets::delimited::{CSV, TSV, read as read_delimited};
pub(crate) use sheets::spreadsheet_ml::{NAMESPACE as SPREADSHEET_ML, read as read_spreadsheet_ml};
pub(crate) use sheets::workbook::XLS;
pub(crate) use xml::{Node, Xml, predefined};

#[cfg(test)]
mod tests;
