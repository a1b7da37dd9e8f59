//! The lists and error documents of object stores (`ListObjectsV2`), read by the names of their elements: stores differ in
//! their name spaces.

use percent_encoding::percent_decode_str;
use quick_xml::Reader;
use quick_xml::events::Event;

use crate::xml::meant;

/// A part of a list, or all of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) objects: Vec<Listed>,
    /// What begins alike up to the next slash, where that was asked for.
    pub(super) folders: Vec<String>,
    /// Leads on.
    pub(super) next: Option<String>,
    /// The server's clock, in seconds of Unix time.
    pub(super) now: Option<i64>,
}

/// An object in a list.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) key: String,
    pub(super) length: u64,
    /// When it was written, in seconds of Unix time, by the server's clock.
    pub(super) modified: Option<i64>,
    /// Another one whenever its content is.
    pub(super) tag: Option<String>,
}

/// Reads a list.
///
/// # Errors
/// It is none, or broken; in words.
pub(super) fn read(text: &[u8]) -> Result<Listing, String> {
    let mut listing = Listing::default();
    let mut object = Listed::default();
    let (mut is_list, mut is_truncated, mut is_encoded) = (false, false, false);
    let mut keys = Vec::new();
    each(text, |path, text| match path {
        ["ListBucketResult"] => is_list = true,
        ["ListBucketResult", "IsTruncated"] => is_truncated = text == "true",
        ["ListBucketResult", "EncodingType"] => is_encoded = text == "url",
        ["ListBucketResult", "NextContinuationToken"] => listing.next = Some(text.to_owned()),
        ["ListBucketResult", "CommonPrefixes", "Prefix"] => listing.folders.push(text.to_owned()),
        ["ListBucketResult", "Contents", "Key"] => text.clone_into(&mut object.key),
        ["ListBucketResult", "Contents", "Size"] => object.length = text.parse().unwrap_or_default(),
        ["ListBucketResult", "Contents", "LastModified"] => {
            object.modified = text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second);
        }
        ["ListBucketResult", "Contents", "ETag"] => object.tag = Some(text.to_owned()).filter(|tag| !tag.is_empty()),
        ["ListBucketResult", "Contents"] => keys.push(std::mem::take(&mut object)),
        _ => {}
    })?;
    if !is_list {
        return Err("it is no list".to_owned());
    }
    listing.objects = keys;
    if is_encoded {
        let decode =
            |text: &mut String| *text = percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        listing.objects.iter_mut().map(|object| &mut object.key).for_each(decode);
        listing.folders.iter_mut().for_each(decode);
    }
    if !is_truncated {
        listing.next = None;
    } else if listing.next.is_none() {
        return Err("it is cut off, and does not say how it goes on".to_owned());
    }
    Ok(listing)
}

/// What the first element of that name says, at any depth.
pub(super) fn text_of(text: &[u8], name: &str) -> Option<String> {
    let mut found = None;
    let _ = each(text, |path, text| {
        if path.last() == Some(&name) && found.is_none() {
            found = Some(text.to_owned());
        }
    });
    found
}

/// Every element at its end: the names from the root to it, without name spaces, and the text that is its own.
fn each(text: &[u8], mut told: impl FnMut(&[&str], &str)) -> Result<(), String> {
    let mut reader = Reader::from_reader(text);
    let (mut buffer, mut open): (_, Vec<(String, String)>) = (Vec::new(), Vec::new());
    loop {
        buffer.clear();
        let piece = match reader.read_event_into(&mut buffer).map_err(|error| error.to_string())? {
            Event::Start(start) => {
                open.push((start.local_name().as_ref().to_owned(), String::new()));
                continue;
            }
            Event::Empty(empty) => {
                let name = empty.local_name();
                let path: Vec<&str> = open.iter().map(|(name, _)| name.as_str()).chain([name.as_ref()]).collect();
                told(&path, "");
                continue;
            }
            Event::End(_) => {
                let path: Vec<&str> = open.iter().map(|(name, _)| name.as_str()).collect();
                told(&path, open.last().map_or("", |(_, text)| text.trim()));
                open.pop();
                continue;
            }
            Event::Text(text) => text.to_string(),
            Event::CData(text) => text.to_string(),
            Event::GeneralRef(reference) => meant(&reference),
            Event::Eof if open.is_empty() => return Ok(()),
            Event::Eof => return Err("it ends before its end".to_owned()),
            _ => continue,
        };
        if let Some((_, text)) = open.last_mut() {
            text.push_str(&piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_whatever_its_name_space() {
        for space in ["http://s3.amazonaws.com/doc/2006-03-01/", "http://doc.s3.amazonaws.com/2006-03-01"] {
            let text = format!(
                "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"{space}\"><Name>b</Name><Prefix/>\
                 <IsTruncated>true</IsTruncated><EncodingType>url</EncodingType><NextContinuationToken>a&amp;b==\
                 </NextContinuationToken><Contents><Key>x/%C3%BC+1.md</Key><LastModified>2026-12-01T00:00:00.000Z\
                 </LastModified><ETag>&quot;7&quot;</ETag><Size>7</Size></Contents><CommonPrefixes><Prefix>x/y/</Prefix></CommonPrefixes>\
                 </ListBucketResult>"
            );
            let listing = read(text.as_bytes()).unwrap();
            let object = Listed {
                key: "x/ü 1.md".to_owned(),
                length: 7,
                modified: Some(1_796_083_200),
                tag: Some("\"7\"".to_owned()),
            };
            assert_eq!(listing.objects, [object]);
            assert_eq!((listing.folders, listing.next), (vec!["x/y/".to_owned()], Some("a&b==".to_owned())));
        }
        let one = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a+b&#x26;c</Key></Contents></ListBucketResult>";
        assert_eq!(read(one.as_bytes()).unwrap().objects[0].key, "a+b&c");
    }

    #[test]
    fn what_is_no_whole_list_is_refused() {
        for bad in [
            "",
            "<Error><Code>NoSuchBucket</Code></Error>",
            "<ListBucketResult><Contents>",
            "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
            "<a></b>",
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
        let error = b"<?xml version='1.0'?><Error><Code>NoSuchBucket</Code><Message>x</Message></Error>";
        assert_eq!(text_of(error, "Code").as_deref(), Some("NoSuchBucket"));
        assert_eq!(text_of(b"<html>", "Code"), None);
    }
}
