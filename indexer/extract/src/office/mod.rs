//! Office documents: packages of XML (Office Open XML, OpenDocument, EPUB), RTF, and the binary formats before them.
//! Which of them a file is, its content says: an extension is only asked where the content is damaged. XML is read as a
//! stream of tags by readers of our own over quick-xml; spreadsheets by calamine.

mod drawn;
mod grid;
mod math;
mod numbering;
mod package;
mod properties;
mod relations;
mod story;
mod word;
mod xml;
