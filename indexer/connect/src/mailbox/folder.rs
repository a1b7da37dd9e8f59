//! The folders of a mailbox: their names, which servers write in an alphabet of their own (modified UTF-7, RFC 3501, 5.1.3).

use base64::Engine as _;
use base64::alphabet::Alphabet;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::names::part_of;

/// A folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folder {
    /// As the server writes it.
    pub(super) name: String,
    /// As people read it, with `/` between folders.
    pub(super) path: String,
    /// Where its messages go.
    pub(super) place: String,
    /// Whether it holds what was thrown away, what nobody asked for, what is not finished, or all of it once more.
    is_aside: bool,
}

impl Folder {
    pub(super) fn new(name: &str, delimiter: Option<&str>, is_aside: bool) -> Self {
        let parts: Vec<String> = match delimiter.filter(|delimiter| !delimiter.is_empty()) {
            Some(delimiter) => name.split(delimiter).map(decoded).collect(),
            None => vec![decoded(name)],
        };
        let place = parts.iter().map(|part| part_of(part)).collect::<Vec<_>>().join("/");
        Self { name: name.to_owned(), path: parts.join("/"), place, is_aside }
    }

    /// Whether it is meant: it is the one that was named, or below it; where none was, all but those that are aside.
    pub(super) fn is_wanted(&self, within: Option<&str>) -> bool {
        match within {
            None => !self.is_aside,
            Some(within) => {
                let below = self.path.strip_prefix(within);
                self.path.eq_ignore_ascii_case(within) || below.is_some_and(|rest| rest.starts_with('/'))
            }
        }
    }
}

/// The folder that an address names.
pub(super) fn within(url: &Url) -> Option<String> {
    let path = percent_decode_str(url.path().trim_matches('/')).decode_utf8_lossy().into_owned();
    (!path.is_empty()).then_some(path)
}

/// A part of a name as people read it; as it is where it is written otherwise.
fn decoded(name: &str) -> String {
    let mut text = String::new();
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('&') {
        text.push_str(before);
        let Some((shifted, behind)) = after.split_once('-') else { return name.to_owned() };
        match shifted {
            "" => text.push('&'),
            _ => match letters(shifted) {
                Some(letters) => text.push_str(&letters),
                None => return name.to_owned(),
            },
        }
        rest = behind;
    }
    text.push_str(rest);
    text
}

/// What is written in base 64, with a comma for the slash, of UTF-16.
fn letters(shifted: &str) -> Option<String> {
    let alphabet = Alphabet::new("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").ok()?;
    let unpadded = GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent);
    let bytes = GeneralPurpose::new(&alphabet, unpadded).decode(shifted).ok()?;
    let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    char::decode_utf16(units).collect::<Result<String, _>>().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_people_wrote_them() {
        for (name, delimiter, path, place) in [
            ("INBOX", Some("/"), "INBOX", "INBOX"),
            ("INBOX.Entw&APw-rfe", Some("."), "INBOX/Entwürfe", "INBOX/Entwürfe"),
            ("R&-D", None, "R&D", "R&D"),
            ("&U,BTFw-", Some("/"), "台北", "台北"),
            ("a/..", Some("/"), "a/..", "a/_.."),
            ("broken&x", Some("/"), "broken&x", "broken&x"),
            ("a.b", Some("/"), "a.b", "a.b"),
        ] {
            let folder = Folder::new(name, delimiter, false);
            assert_eq!((folder.path.as_str(), folder.place.as_str()), (path, place), "{name}");
        }
        let folder = Folder::new("Projects/Bog", Some("/"), false);
        assert!(folder.is_wanted(None) && folder.is_wanted(Some("Projects")) && folder.is_wanted(Some("Projects/Bog")));
        assert!(!folder.is_wanted(Some("Project")) && !folder.is_wanted(Some("Projects/Bog/Peat")));
        assert!(!Folder::new("Trash", Some("/"), true).is_wanted(None));
        assert!(Folder::new("Trash", Some("/"), true).is_wanted(Some("Trash")));
        let url = Url::parse("imaps://mail.example/Entw%C3%BCrfe/").unwrap();
        assert_eq!(within(&url).as_deref(), Some("Entwürfe"));
        assert_eq!(within(&Url::parse("imaps://mail.example").unwrap()), None);
    }
}
