//! The table of document formats: what each is called, which files bear its name, how its text reads and how its files
//! are sent. Readers (`extract`, which re-exports [`Format`]), the query language, the facets and the pages all ask this
//! one table, so a format cannot be known in one place and unknown in the next. It depends on nothing, so that who only
//! needs a name does not build every parser.
//!
//! Promises: every name, alias and extension means one format; [`Format::name`] is what an index stores as a document's
//! kind and never changes. A kind that is not in the table (an index of another version) is no error: it has no row, and
//! whoever asks falls back to prose under the icon of a document.

mod table;

use std::path::Path;

use table::FORMATS;

/// How the text of a document reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Sentences and structure: line breaks inside of a paragraph mean nothing.
    Prose,
    /// Text whose line breaks are meant.
    Lines,
    /// Verbatim: source code and configuration.
    Code,
    /// No text of its own: an archive, a picture. What OCR finds in a picture reads as prose.
    Binary,
}

/// The picture that stands for a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    /// A page of text.
    Document,
    /// A page of the web.
    Web,
    /// A PDF page.
    Pdf,
    /// Rows and columns.
    Table,
    /// A presentation.
    Slides,
    /// A letter.
    Mail,
    /// Keys and values.
    Settings,
    /// Source code.
    Code,
    /// A picture.
    Picture,
    /// A folder of other files.
    Folder,
}

/// What a browser does with a file of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Shows it, as plain text whatever its media type: a file is never a page of the site that sends it.
    Inline,
    /// Saves it, under its media type.
    Download,
}

/// A format: one row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// What an index stores as the kind of a document, and what `type:` asks for: lower-case ASCII.
    pub name: &'static str,
    /// What people call it, in English.
    pub label: &'static str,
    /// What people call it in Chinese, where that differs.
    pub label_zh: Option<&'static str>,
    /// Endings of file names, lower case without the dot, the usual one first. `type:` knows them too.
    pub extensions: &'static [&'static str],
    /// Whole file names, lower case.
    pub file_names: &'static [&'static str],
    /// Further names that people use in `type:`, behind a Markdown fence, or for an interpreter.
    pub aliases: &'static [&'static str],
    /// How its text reads.
    pub family: Family,
    /// As registered with IANA, or as generally used; code that has none is `text/plain`.
    pub media_type: &'static str,
    /// Its picture.
    pub icon: Icon,
    /// What a browser does with a file of it.
    pub delivery: Delivery,
}

impl Format {
    /// The row of a name, for constants: `const RST: &Format = Format::of("rst");`. A name without a row stops the build.
    ///
    /// # Panics
    /// Where no format has this name; while a constant is evaluated that is an error of the compiler. For names that are
    /// not constants there is [`Format::named`].
    pub const fn of(name: &str) -> &'static Self {
        let mut at = 0;
        while at < FORMATS.len() {
            if is_same(FORMATS[at].name, name) {
                return &FORMATS[at];
            }
            at += 1;
        }
        panic!("no row in the table of formats has this name")
    }

    /// All formats, in the order of the table.
    pub fn all() -> &'static [Self] {
        FORMATS
    }

    /// The format that documents of this kind have, as it is stored in an index.
    ///
    /// ```
    /// use formats::{Family, Format};
    ///
    /// let format = Format::named("rst").expect("a row of the table");
    /// assert_eq!((format.label, format.family), ("reStructuredText", Family::Prose));
    /// assert_eq!(Format::named("REST"), None);
    /// ```
    pub fn named(name: &str) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.name == name)
    }

    /// The format that somebody means by a word: a name, an extension or an alias, in any case, with or without a dot.
    ///
    /// ```
    /// use formats::Format;
    ///
    /// for word in ["asciidoc", ".adoc", "AsciiDoctor"] {
    ///     assert_eq!(Format::meant_by(word).map(|format| format.name), Some("asciidoc"));
    /// }
    /// ```
    pub fn meant_by(word: &str) -> Option<&'static Self> {
        let word = word.to_lowercase();
        let meant = |word: &str| FORMATS.iter().find(|format| format.words().any(|known| known == word));
        // `.bashrc` is a name, the dot of `.md` is none of it.
        meant(&word).or_else(|| meant(word.trim_start_matches('.')))
    }

    /// The format that the name of a file speaks for.
    pub fn of_file(file_name: &str) -> Option<&'static Self> {
        let name = FileName::of(file_name);
        let whole = FORMATS.iter().find(|format| format.file_names.contains(&name.whole.as_str()));
        whole.or_else(|| FORMATS.iter().find(|format| format.extensions.contains(&name.extension.as_str())))
    }

    /// The format of a media type; parameters (`; charset=..`) are ignored.
    pub fn of_media_type(media_type: &str) -> Option<&'static Self> {
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        FORMATS.iter().find(|format| format.media_type == essence)
    }

    /// Whether files of this format bear such a name.
    pub fn is_name_of(&self, file_name: &str) -> bool {
        let name = FileName::of(file_name);
        self.file_names.contains(&name.whole.as_str()) || self.extensions.contains(&name.extension.as_str())
    }

    /// Every word that means this format.
    fn words(&self) -> impl Iterator<Item = &'static str> {
        let others = [self.extensions, self.aliases, self.file_names];
        std::iter::once(self.name).chain(others.into_iter().flatten().copied())
    }
}

/// A file name as the table compares it: lower case.
struct FileName {
    whole: String,
    /// Without the dot; empty without one.
    extension: String,
}

impl FileName {
    fn of(file_name: &str) -> Self {
        let whole = file_name.to_lowercase();
        let extension = Path::new(&whole).extension().map(|extension| extension.to_string_lossy().into_owned());
        Self { extension: extension.unwrap_or_default(), whole }
    }
}

/// Whether two texts are the same, where `==` is not yet allowed.
const fn is_same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    #[test]
    fn every_word_means_one_format() {
        let mut owners: HashMap<&str, &str> = HashMap::new();
        for format in Format::all() {
            let words: HashSet<&str> = format.words().collect();
            for word in words {
                assert_eq!(word, word.to_lowercase(), "words are compared in lower case");
                let owner = owners.insert(word, format.name);
                assert_eq!(owner, None, "{word} means {} and {owner:?}", format.name);
                assert_eq!(Format::meant_by(word), Some(format));
            }
        }
    }

    #[test]
    fn every_row_says_all_that_is_asked_of_it() {
        let mut labels = HashSet::new();
        for format in Format::all() {
            assert!(
                !format.name.is_empty() && format.name.bytes().all(|byte| byte.is_ascii_alphanumeric()),
                "{format:?}"
            );
            assert!(!format.label.is_empty() && labels.insert(format.label), "{format:?}: a label of its own");
            let (class, subtype) = format.media_type.split_once('/').unwrap();
            assert!(["text", "application", "image", "message"].contains(&class) && !subtype.is_empty(), "{format:?}");
            assert!(
                !format.extensions.is_empty() || !format.file_names.is_empty(),
                "{format:?}: no file bears its name"
            );
            assert_eq!((Format::named(format.name), Format::of(format.name)), (Some(format), format));
        }
    }

    #[test]
    fn only_what_is_text_is_shown_in_a_browser() {
        let packed = ["rtf", "eml", "mbox", "calendar", "contacts"];
        for format in Format::all().iter().filter(|format| format.delivery == Delivery::Inline) {
            assert_ne!(format.family, Family::Binary, "{}", format.name);
            assert!(!packed.contains(&format.name), "{} is text that nobody reads as it is", format.name);
        }
        for name in ["pdf", "docx", "doc", "xls", "ppt", "msg", "tnef", "odt", "epub", "png", "zip", "gzip"] {
            assert_eq!(Format::of(name).delivery, Delivery::Download, "{name}");
            assert_ne!(Format::of(name).media_type, "text/plain", "{name}");
        }
    }

    #[test]
    fn files_are_told_by_their_whole_name_first() {
        let cases = [
            ("a/B.RS", Some("rust")),
            ("CMakeLists.txt", Some("cmake")),
            ("notes.txt", Some("text")),
            ("Makefile", Some("makefile")),
            (".bashrc", Some("shell")),
            ("notes.md.gz", Some("gzip")),
            ("README", None),
            ("odd.xyz", None),
            ("", None),
        ];
        for (file, name) in cases {
            assert_eq!(Format::of_file(file.rsplit('/').next().unwrap()).map(|format| format.name), name, "{file}");
        }
        assert!(Format::of("text").is_name_of("CMakeLists.txt"), "its extension is that of plain text");
    }

    #[test]
    fn media_types_lead_to_the_format_that_people_expect() {
        let cases = [("text/plain; charset=utf-8", "text"), ("TEXT/HTML", "html"), ("application/msword", "doc")];
        for (media_type, name) in cases {
            assert_eq!(Format::of_media_type(media_type).map(|format| format.name), Some(name));
        }
        assert_eq!(Format::of_media_type("application/octet-stream"), None);
    }
}
