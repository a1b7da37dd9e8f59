//! Sitemaps: the pages that a site lists itself, in one file or many, plain or packed by gzip (sitemaps.org).

use std::collections::{HashSet, VecDeque};
use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use quick_xml::Reader;
use quick_xml::events::Event;
use url::Url;

use super::target;
use crate::error::ConnectError;
use crate::http::{Client, refused};
use crate::xml::meant;

/// Bytes of a sitemap, as it comes and unpacked: the protocol allows 50 MiB.
const MAX_BYTES: u64 = 50 << 20;
/// Sitemaps that are read.
const MAX_FILES: usize = 500;
/// Sitemaps that lead to one.
const MAX_DEPTH: usize = 3;

/// A page that a site lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) url: Url,
    /// When it was changed last, in seconds of Unix time.
    pub(super) changed: Option<i64>,
}

/// The pages that a site lists, and why those are not all of them, where that is so.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sitemaps {
    pub(super) listed: Vec<Listed>,
    pub(super) left_out: Option<String>,
}

/// The pages that a site lists: in the sitemaps that its robots.txt names, or at the usual place. Only its own host is asked.
///
/// # Errors
/// A sitemap is there and cannot be had: what it lists must not be taken for gone.
pub(super) fn read(client: &mut Client, start: &Url, named: &[String], most: usize) -> Result<Sitemaps, ConnectError> {
    let usual = ["/sitemap.xml".to_owned()];
    let first = if named.is_empty() { &usual } else { named };
    let mut queue: VecDeque<(Url, usize)> =
        first.iter().filter_map(|address| Some((start.join(address).ok()?, 0))).collect();
    let (mut seen, mut all) = (HashSet::new(), Sitemaps::default());
    while let Some((url, depth)) = queue.pop_front() {
        if url.origin() != start.origin() || seen.contains(url.as_str()) {
            continue;
        }
        if seen.len() >= MAX_FILES {
            all.left_out = Some(format!("there are more than {MAX_FILES} sitemaps"));
            break;
        }
        seen.insert(url.to_string());
        let answer = client.get(&url, MAX_BYTES)?;
        match answer.status {
            200..300 => {}
            300..400 => {
                queue.extend(target(&url, &answer).filter(|_| depth < MAX_DEPTH).map(|to| (to, depth + 1)));
                continue;
            }
            500.. => return Err(refused(&url, answer.status)),
            // None, or none for us.
            _ => continue,
        }
        let text = unpacked(answer.body).map_err(|reason| ConnectError::Nonsense {
            host: start.host_str().unwrap_or_default().to_owned(),
            reason: format!("{url}: {reason}"),
        })?;
        let Found { pages, sitemaps, is_whole } = Found::read(&text);
        let is_sitemap = !pages.is_empty() || !sitemaps.is_empty();
        if is_sitemap && !is_whole {
            return Err(ConnectError::Nonsense {
                host: start.host_str().unwrap_or_default().to_owned(),
                reason: format!("{url}: it ends in the middle, or is no XML from there on"),
            });
        }
        let absolute = |text: &str| start.join(text.trim()).ok();
        if depth < MAX_DEPTH {
            queue.extend(sitemaps.iter().filter_map(|text| Some((absolute(text)?, depth + 1))));
        }
        let room = most.saturating_sub(all.listed.len());
        if pages.len() > room {
            all.left_out = Some(format!("the sitemaps list more than {most} pages"));
        }
        let found = pages.into_iter().filter_map(|(text, changed)| {
            Some(Listed { url: absolute(&text)?, changed: changed.as_deref().and_then(second_of) })
        });
        all.listed.extend(found.take(room));
    }
    Ok(all)
}

/// The text of a sitemap, whether or not it was packed.
fn unpacked(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut text = Vec::new();
    let read = MultiGzDecoder::new(bytes.as_slice()).take(MAX_BYTES + 1).read_to_end(&mut text);
    read.map_err(|error| format!("it cannot be unpacked ({error})"))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(format!("it unpacks to more than {} MiB", MAX_BYTES >> 20));
    }
    Ok(text)
}

/// A date as sitemaps write it: a moment, or a day.
fn second_of(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Some(moment.as_second());
    }
    let day: jiff::civil::Date = text.parse().ok()?;
    Some(day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}

/// What one sitemap lists.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    pages: Vec<(String, Option<String>)>,
    sitemaps: Vec<String>,
    /// Whether its end was reached: what is missing must not be taken for gone.
    is_whole: bool,
}

/// The element that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Loc,
    Changed,
    Other,
}

impl Found {
    /// Reads as far as it makes sense; anything else than a sitemap lists nothing.
    fn read(text: &[u8]) -> Self {
        let (mut found, mut reader, mut buffer) = (Self::default(), Reader::from_reader(text), Vec::new());
        let (mut loc, mut changed, mut field) = (String::new(), String::new(), Field::Other);
        loop {
            buffer.clear();
            let Ok(event) = reader.read_event_into(&mut buffer) else { return found };
            let piece = match event {
                Event::Start(start) => {
                    // With a prefix they are of pictures and films.
                    field = match start.name().as_ref() {
                        "loc" => Field::Loc,
                        "lastmod" => Field::Changed,
                        _ => Field::Other,
                    };
                    continue;
                }
                Event::End(end) => {
                    field = Field::Other;
                    let name = end.name();
                    found.is_whole |= matches!(name.as_ref(), "urlset" | "sitemapindex");
                    if matches!(name.as_ref(), "url" | "sitemap") {
                        let (loc, changed) = (std::mem::take(&mut loc), std::mem::take(&mut changed));
                        match name.as_ref() {
                            _ if loc.trim().is_empty() => {}
                            "url" => found.pages.push((loc, Some(changed).filter(|changed| !changed.is_empty()))),
                            _ => found.sitemaps.push(loc),
                        }
                    }
                    continue;
                }
                Event::Text(text) => text.to_string(),
                Event::CData(text) => text.to_string(),
                Event::GeneralRef(reference) => meant(&reference),
                Event::Eof => return found,
                _ => continue,
            };
            match field {
                Field::Loc => loc.push_str(&piece),
                Field::Changed => changed.push_str(&piece),
                Field::Other => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn pages_and_further_sitemaps_are_told_apart() {
        let text = "<?xml version='1.0'?><urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>\
            <url><loc>https://a.example/b?c&amp;d&#61;e</loc><lastmod>2024-05-03</lastmod></url>\
            <url><loc> <![CDATA[https://a.example/f]]> </loc><image:image><image:loc>https://a.example/i.png</image:loc>\
            </image:image></url><url><lastmod>2024</lastmod></url></urlset>";
        let found = Found::read(text.as_bytes());
        let pages: Vec<_> = found.pages.iter().map(|(loc, changed)| (loc.trim(), changed.as_deref())).collect();
        let expected = [("https://a.example/b?c&d=e", Some("2024-05-03")), ("https://a.example/f", None)];
        assert_eq!((pages.as_slice(), found.sitemaps.len(), found.is_whole), (expected.as_slice(), 0, true));
        let cut = Found::read(&text.as_bytes()[..text.len() - 20]);
        assert_eq!((cut.pages.len(), cut.is_whole), (2, false), "what is cut off is told");
        let index = "<sitemapindex><sitemap><loc>https://a.example/one.xml.gz</loc></sitemap></sitemapindex>";
        assert_eq!(Found::read(index.as_bytes()).sitemaps, ["https://a.example/one.xml.gz"]);
        for other in ["<!doctype html><p>Not found<loc>x", "", "{}", "<urlset><url><loc>x</loc>", "\0\u{fffd}"] {
            assert_eq!(Found::read(other.as_bytes()), Found::default(), "{other}");
        }
    }

    #[test]
    fn packed_ones_are_unpacked_within_bounds() {
        let packed = |text: &[u8]| {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            packer.write_all(text).unwrap();
            packer.finish().unwrap()
        };
        assert_eq!(unpacked(packed(b"<urlset>")).unwrap(), b"<urlset>");
        assert_eq!(unpacked(b"<urlset>".to_vec()).unwrap(), b"<urlset>");
        let bomb = packed(&vec![b' '; (MAX_BYTES + 1) as usize]);
        assert!(bomb.len() < 100_000 && unpacked(bomb).unwrap_err().contains("50 MiB"));
        assert!(unpacked(packed(b"<urlset>")[..12].to_vec()).is_err());
    }

    #[test]
    fn dates_are_moments_or_days() {
        assert_eq!(second_of("2024-05-03"), Some(1_714_694_400));
        assert_eq!(second_of(" 2024-05-03T10:20:30+02:00 "), Some(1_714_724_430));
        assert_eq!(second_of("yesterday"), None);
    }
}
