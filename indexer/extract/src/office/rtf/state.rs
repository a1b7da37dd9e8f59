//! The state that RTF is read with: where text goes, which destinations nobody reads, and the properties that a group
//! opens and its end takes back.

use encoding_rs::{Encoding, WINDOWS_1252};

/// Destinations that hold no text for people.
pub(super) const SILENT: &[&[u8]] = &[
    b"colortbl",
    b"pict",
    b"fldinst",
    b"objdata",
    b"shprslt",
    b"nonshppict",
    b"sn",
    b"sv",
    b"listtable",
    b"listoverridetable",
    b"rsidtbl",
    b"generator",
    b"themedata",
    b"datastore",
    b"xmlnstbl",
    b"do",
    b"bkmkstart",
    b"bkmkend",
    b"revtbl",
    b"filetbl",
    b"private",
    b"objclass",
    b"objname",
    b"ftnsep",
    b"ftnsepc",
    b"ftncn",
    b"aftnsep",
    b"aftnsepc",
    b"aftncn",
    b"template",
    b"operator",
    b"latentstyles",
    b"pgptbl",
    b"mmathPr",
    b"atnid",
    b"atnref",
    b"atrfstart",
    b"atrfend",
    b"xe",
    b"tc",
    b"blipuid",
    b"picprop",
    b"upr",
    b"pnseclvl",
    b"passwordhash",
    b"userprops",
    b"fontemb",
];

/// Destinations after `\*` that are read.
pub(super) const STARRED: &[&[u8]] =
    &[b"shpinst", b"annotation", b"atnauthor", b"ud", b"shppict", b"pn", b"pntxtb", b"pntxta"];

/// Where text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Destination {
    Text,
    Nowhere,
    FontTable,
    StyleSheet,
    ListMarker,
    CommentAuthor,
    /// A field of the information about the document.
    Field(&'static str),
    Date,
}

/// What hangs on the text and is told apart, from the opening of its group to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aside {
    None,
    Note,
    Margin,
}

/// What a group takes back at its end.
#[derive(Clone, Copy)]
pub(super) struct State {
    pub(super) to: Destination,
    pub(super) encoding: &'static Encoding,
    /// Characters that follow a Unicode one for readers that know none.
    pub(super) skipped_after: usize,
    pub(super) hidden: bool,
    pub(super) in_table: bool,
    pub(super) style: Option<i32>,
    pub(super) outline: Option<usize>,
    pub(super) level: usize,
    pub(super) aside: Aside,
}

/// A style that is being described.
#[derive(Default)]
pub(super) struct Style {
    pub(super) number: i32,
    pub(super) outline: Option<usize>,
    pub(super) name: String,
}

impl State {
    /// What holds at the start of a file.
    pub(super) const START: Self = Self {
        to: Destination::Text,
        encoding: WINDOWS_1252,
        skipped_after: 1,
        hidden: false,
        in_table: false,
        style: None,
        outline: None,
        level: 0,
        aside: Aside::None,
    };
}
