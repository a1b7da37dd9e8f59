//! Dumps of MediaWiki (its export schema): the pages of a wiki with their titles, and of each the newest revision that
//! the dump holds; what the database notes beside (numbers, check sums, who wrote when) is no text. What people
//! read of wikitext (headings, lists, tables, links, words) is told line by line, and nothing nests by the call stack.

use quick_xml::Reader;
use quick_xml::events::Event;

use super::wikitext;
use crate::Format;
use crate::block::{BlockKind, StructuredText, TextBuilder};
use crate::office::predefined;

/// Whether an XML document with this root is such a dump.
pub(super) fn is_root(name: &str) -> bool {
    name == "mediawiki"
}

/// A page as the dump has it.
#[derive(Debug, Default)]
struct Page {
    title: String,
    text: String,
}

/// Reads a dump.
pub(super) fn read(source: &str, format: &Format, file_name: String) -> StructuredText {
    let mut builder = TextBuilder::default();
    let (mut site, mut base, mut titles) = (String::new(), String::new(), Vec::new());
    let mut page = Page::default();
    let mut text = String::new();
    let mut reader = Reader::from_str(source);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    loop {
        match reader.read_event() {
            Ok(Event::Eof) => break,
            Ok(Event::Start(_)) => text.clear(),
            Ok(Event::Text(more)) => text.push_str(&more),
            Ok(Event::CData(more)) => text.push_str(&more),
            Ok(Event::GeneralRef(reference)) => match reference.resolve_char_ref() {
                Ok(Some(character)) => text.push(character),
                _ => text.push_str(predefined(&reference)),
            },
            Ok(Event::End(end)) => {
                let value = std::mem::take(&mut text);
                match end.local_name().as_ref() {
                    "sitename" => site = value,
                    "base" => base = value,
                    "title" => page.title = value,
                    // Revisions come oldest first.
                    "text" => page.text = value,
                    "page" => {
                        let page = std::mem::take(&mut page);
                        tell(&mut builder, &page);
                        titles.push(page.title);
                    }
                    _ => {}
                }
            }
            Ok(_) => {}
            Err(error) => {
                builder.warnings.push(format!("not sound XML, read up to byte {} ({error})", reader.buffer_position()));
                break;
            }
        }
    }
    // A dump that was cut off ends within a page.
    tell(&mut builder, &page);
    builder.title = Some(match &titles[..] {
        [only] => {
            // Pages lie beside the main one, whose address the dump says.
            if let Some((folder, _)) = base.rsplit_once('/').filter(|_| base.starts_with("http")) {
                builder.metadata.insert("url".to_owned(), format!("{folder}/{}", only.replace(' ', "_")));
            }
            only.clone()
        }
        _ if !site.trim().is_empty() => site,
        _ => file_name,
    });
    builder.finish(format)
}

fn tell(builder: &mut TextBuilder, page: &Page) {
    if page.text.trim().is_empty() {
        return;
    }
    builder.push(BlockKind::Heading { level: 1 }, &page.title, 1..2);
    wikitext::tell(builder, &page.text);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::block::assert_invariants;
    use crate::{ExtractLimits, StructuredText, extract};

    fn dump(pages: &str) -> StructuredText {
        let source = format!(
            "<mediawiki xmlns='http://www.mediawiki.org/xml/export-0.11/'><siteinfo><sitename>Plant</sitename>\
             <base>https://wiki.example/wiki/Main_Page</base></siteinfo>{pages}</mediawiki>"
        );
        let read = extract(Path::new("dump.xml"), source.as_bytes(), &ExtractLimits::default()).unwrap();
        let document = read.document.unwrap();
        assert_invariants(&document);
        document
    }

    fn page(title: &str, text: &str) -> String {
        format!(
            "<page><title>{title}</title><ns>0</ns><id>1</id><revision><id>5</id><timestamp>2024-01-01T00:00:00Z</timestamp>\
             <contributor><username>Kim</username></contributor><model>wikitext</model>\
             <text bytes='99' xml:space='preserve'>{text}</text><sha1>abc</sha1></revision></page>"
        )
    }

    #[test]
    fn pages_have_titles_headings_and_lines_and_no_numbers() {
        let one = page(
            "Pump restart",
            "== Preparation ==\nClose &lt;b&gt;valve&lt;/b&gt; V7 first.\n\n== Restart ==\nPress S2.\nWait.",
        );
        let document = dump(&(one.clone() + &page("Boiler", "Check &amp;amp; clean it.")));
        assert_eq!(
            document.text,
            "Pump restart\n\nPreparation\n\nClose valve V7 first.\n\nRestart\n\nPress S2.\nWait.\n\nBoiler\n\nCheck & clean it."
        );
        assert_eq!(document.title.as_deref(), Some("Plant"));
        let alone = dump(&one);
        assert_eq!(alone.title.as_deref(), Some("Pump restart"));
        assert_eq!(alone.metadata["url"], "https://wiki.example/wiki/Pump_restart");
    }

    #[test]
    fn the_newest_revision_counts_and_a_cut_dump_is_read_as_far_as_it_goes() {
        let twice =
            "<page><title>A</title><revision><text>old</text></revision><revision><text>new</text></revision></page>";
        assert_eq!(dump(twice).text, "A\n\nnew");
        let cut = "<mediawiki><page><title>A</title><revision><text>first</text></revision></page><page><title>B</title><revision><text>seco";
        let read = extract(Path::new("a.xml"), cut.as_bytes(), &ExtractLimits::default()).unwrap();
        assert!(read.document.unwrap().text.starts_with("A\n\nfirst"));
    }
}
