//! The text of a page as Confluence keeps it (the storage format: XHTML with elements of its own, `ac:` and `ri:`), as HTML.
//!
//! What people wrote stays: also in macros with a body, code, tasks, layouts, panels with their titles, and links by the title of
//! what they lead to. What only says how something is shown or where it comes from goes: parameters, ids, emoticons, templates'
//! placeholders. Macros that bring in other pages bring in nothing.

use std::fmt::Write as _;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::article::escape;

/// Attributes that say what text means, or whether it is seen.
const KEPT: [&str; 9] = ["href", "colspan", "rowspan", "style", "hidden", "lang", "start", "title", "alt"];
/// Elements without content.
const VOID: [&str; 5] = ["br", "hr", "img", "col", "wbr"];
/// Parameters of macros that are text.
const TEXTS: [(&str, &str); 9] = [
    ("panel", "title"),
    ("info", "title"),
    ("note", "title"),
    ("tip", "title"),
    ("warning", "title"),
    ("expand", "title"),
    ("code", "title"),
    ("status", "title"),
    ("jira", "key"),
];

/// The HTML of a text in the storage format.
///
/// # Errors
/// It is no such text.
pub(super) fn html_of(storage: &str) -> Result<String, String> {
    let mut reader = Reader::from_str(storage);
    let mut writer = Writer::default();
    loop {
        let event = reader.read_event().map_err(|error| format!("its text is no XHTML: {error}"))?;
        match event {
            Event::Start(start) => writer.start(&start),
            Event::Empty(start) => {
                writer.start(&start);
                writer.end();
            }
            Event::End(_) => writer.end(),
            Event::Text(text) => writer.text(&text),
            Event::CData(text) => writer.text(&text),
            // Names are HTML's, which its reader knows.
            Event::GeneralRef(reference) => writer.reference(&reference),
            Event::Eof => return Ok(writer.finish()),
            _ => {}
        }
    }
}

/// An element that is open.
#[derive(Debug)]
enum Open {
    /// It is written, and ends so.
    Written(String),
    /// Neither it nor what is in it is written.
    Skipped,
    /// A macro, by its name, which ends so.
    Macro { called: String, end: &'static str },
    /// A link within Confluence: what it says where nobody has written that.
    Link(Option<String>),
}

#[derive(Debug, Default)]
struct Writer {
    html: String,
    open: Vec<Open>,
    /// Elements around that are skipped.
    skipped: usize,
}

impl Writer {
    fn start(&mut self, start: &BytesStart<'_>) {
        let name = name_of(start);
        let open = if self.skipped > 0 { Open::Skipped } else { self.opened(&name, start) };
        self.skipped += usize::from(matches!(open, Open::Skipped));
        self.open.push(open);
    }

    fn end(&mut self) {
        match self.open.pop() {
            Some(Open::Written(end)) => self.html.push_str(&end),
            Some(Open::Macro { end, .. }) => self.html.push_str(end),
            Some(Open::Link(Some(text))) => escape(&text, &mut self.html),
            Some(Open::Skipped) => self.skipped -= 1,
            Some(Open::Link(None)) | None => {}
        }
    }

    fn text(&mut self, text: &str) {
        if self.skipped == 0 {
            escape(text, &mut self.html);
        }
    }

    fn reference(&mut self, name: &str) {
        let is_plain = name.len() <= 32 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '#');
        if self.skipped == 0 && is_plain {
            let _ = write!(self.html, "&{name};");
        }
    }

    fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.end();
        }
        self.html
    }

    fn written(&mut self, begin: &str, end: &str) -> Open {
        self.html.push_str(begin);
        Open::Written(end.to_owned())
    }

    /// Begins an element.
    fn opened(&mut self, name: &str, start: &BytesStart<'_>) -> Open {
        match name {
            "ac:structured-macro" | "ac:macro" => {
                let called = attribute(start, "ac:name").unwrap_or_default();
                // What stands in them is no text.
                if matches!(called.as_str(), "html" | "style" | "css" | "javascript") {
                    return Open::Skipped;
                }
                let (begin, end) = if is_label(&called) { ("<span>", "</span>") } else { ("<div>", "</div>") };
                self.html.push_str(begin);
                Open::Macro { called, end }
            }
            "ac:parameter" => self.parameter(&attribute(start, "ac:name").unwrap_or_default()),
            "ac:plain-text-body" => self.written("<pre>", "</pre>"),
            "ac:link" => Open::Link(None),
            "ac:link-body" | "ac:plain-text-link-body" => {
                self.says(None);
                Open::Written(String::new())
            }
            "ac:task-list" => self.written("<ul>", "</ul>"),
            "ac:task" => self.written("<li>", "</li>"),
            "ac:caption" => self.written("<p>", "</p>"),
            "ac:layout" | "ac:layout-section" | "ac:layout-cell" | "ac:rich-text-body" | "ac:adf-content" => {
                self.written("<div>", "</div>")
            }
            "ac:placeholder" | "ac:task-id" | "ac:task-uuid" | "ac:task-status" | "ac:emoticon"
            | "ac:adf-attribute" | "ac:adf-fallback" | "ac:adf-parameter" | "script" | "style" => Open::Skipped,
            "time" => {
                let moment = attribute(start, "datetime").unwrap_or_default();
                escape(&moment, &mut self.html);
                Open::Written(String::new())
            }
            _ if name.starts_with("ri:") => {
                self.says(
                    ["ri:content-title", "ri:filename", "ri:value"].iter().find_map(|name| attribute(start, name)),
                );
                Open::Skipped
            }
            _ if name.contains(':') => Open::Written(String::new()),
            _ => self.element(name, start),
        }
    }

    /// A parameter of a macro: text, if it is its title.
    fn parameter(&mut self, name: &str) -> Open {
        match self.open.last() {
            Some(Open::Macro { called, .. }) if TEXTS.contains(&(called, name)) => {
                let (begin, end) = if is_label(called) { ("", "") } else { ("<p><b>", "</b></p>") };
                self.written(begin, end)
            }
            _ => Open::Skipped,
        }
    }

    /// Notes what the link around says; nothing where its own text follows.
    fn says(&mut self, text: Option<String>) {
        if let Some(Open::Link(said)) = self.open.last_mut() {
            *said = text;
        }
    }

    /// An element of HTML.
    fn element(&mut self, name: &str, start: &BytesStart<'_>) -> Open {
        if name.len() > 20 || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Open::Written(String::new());
        }
        let _ = write!(self.html, "<{name}");
        for kept in KEPT {
            if let Some(value) = attribute(start, kept) {
                let _ = write!(self.html, " {kept}=\"");
                escape(&value, &mut self.html);
                self.html.push('"');
            }
        }
        self.html.push('>');
        let end = if VOID.contains(&name) { String::new() } else { format!("</{name}>") };
        Open::Written(end)
    }
}

/// Whether a macro is a word or two in the middle of a sentence.
fn is_label(called: &str) -> bool {
    matches!(called, "status" | "jira")
}

fn name_of(start: &BytesStart<'_>) -> String {
    start.name().as_ref().to_ascii_lowercase()
}

/// What an attribute says.
fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = start.attributes().with_checks(false).flatten().find(|found| found.key.as_ref() == name)?;
    Some(
        found
            .normalized_value(quick_xml::XmlVersion::Implicit1_0)
            .map_or_else(|_| found.value.to_string(), |value| value.into_owned()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(storage: &str) -> String {
        html_of(storage).unwrap()
    }

    #[test]
    fn what_people_wrote_stays_and_the_rest_goes() {
        for (storage, expected) in [
            ("<p>R&amp;D &uuml;ber&nbsp;all &lt;x&gt;</p>", "<p>R&amp;D &uuml;ber&nbsp;all &lt;x&gt;</p>"),
            (
                "<ac:structured-macro ac:name=\"code\" ac:macro-id=\"7f\"><ac:parameter ac:name=\"language\">sql</ac:parameter>\
                 <ac:plain-text-body><![CDATA[a < b]]></ac:plain-text-body></ac:structured-macro>",
                "<div><pre>a &lt; b</pre></div>",
            ),
            (
                "<ac:structured-macro ac:name='info'><ac:parameter ac:name='title'>Mind</ac:parameter><ac:rich-text-body>\
                 <p>the gap</p></ac:rich-text-body></ac:structured-macro>",
                "<div><p><b>Mind</b></p><div><p>the gap</p></div></div>",
            ),
            (
                "<p>It is <ac:structured-macro ac:name='status'><ac:parameter ac:name='colour'>Red</ac:parameter>\
                 <ac:parameter ac:name='title'>LATE</ac:parameter></ac:structured-macro>.</p>",
                "<p>It is <span>LATE</span>.</p>",
            ),
            (
                "<ac:structured-macro ac:name='toc'><ac:parameter ac:name='maxLevel'>2</ac:parameter></ac:structured-macro>",
                "<div></div>",
            ),
            (
                "<ac:structured-macro ac:name='include'><ac:parameter ac:name=''><ac:link><ri:page ri:content-title='Secret'/>\
                 </ac:link></ac:parameter></ac:structured-macro>",
                "<div></div>",
            ),
            ("<p>See <ac:link><ri:page ri:content-title='R&amp;D'/></ac:link>.</p>", "<p>See R&amp;D.</p>"),
            (
                "<ac:link><ri:page ri:content-title='X'/><ac:plain-text-link-body><![CDATA[the plan]]></ac:plain-text-link-body></ac:link>",
                "the plan",
            ),
            ("<ac:link><ri:user ri:account-id='557:1'/></ac:link>", ""),
            (
                "<ac:image ac:width='9'><ri:attachment ri:filename='a.png'/><ac:caption><p>A bog</p></ac:caption></ac:image>",
                "<p><p>A bog</p></p>",
            ),
            (
                "<ac:task-list><ac:task><ac:task-id>4</ac:task-id><ac:task-status>incomplete</ac:task-status><ac:task-body>\
                 Buy <time datetime='2026-01-02'/></ac:task-body></ac:task></ac:task-list>",
                "<ul><li>Buy 2026-01-02</li></ul>",
            ),
            (
                "a<ac:placeholder>Type here</ac:placeholder><ac:emoticon ac:name='smile'/>b<br/>c<script>x</script>",
                "ab<br>c",
            ),
            (
                "<ac:adf-extension><ac:adf-node type='panel'><ac:adf-attribute key='x'>custom</ac:adf-attribute><ac:adf-content>\
                 <p>A</p></ac:adf-content></ac:adf-node><ac:adf-fallback><p>A</p></ac:adf-fallback></ac:adf-extension>",
                "<div><p>A</p></div>",
            ),
            (
                "<a href='https://a.example/?x=1&amp;y=2' onclick='z'>l</a>",
                "<a href=\"https://a.example/?x=1&amp;y=2\">l</a>",
            ),
            ("<td colspan=\"2\" class=\"c\">x", "<td colspan=\"2\">x</td>"),
        ] {
            assert_eq!(html(storage), expected, "{storage}");
        }
    }

    #[test]
    fn what_is_no_storage_format_is_told_and_takes_no_time() {
        assert!(html_of("<p>a</b>").unwrap_err().contains("no XHTML"));
        let started = std::time::Instant::now();
        html(&"<ac:link>".repeat(200_000));
        html(&"<ac:structured-macro ac:name='expand'>".repeat(100_000));
        let attributes: String = (0..20_000).map(|number| format!(" a{number}='b'")).collect();
        html(&format!("<p{attributes}/>"));
        assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
    }
}
