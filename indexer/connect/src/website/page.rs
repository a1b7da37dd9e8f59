//! What a page says to programs: where it links to, what it is a copy of, and whether it wants to be found. Told from its
//! tags one after the other; no tree is built of what a site sends.

use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use url::Url;

use super::robots::Said;

/// Links of one page that are followed.
const MAX_LINKS: usize = 5_000;

/// What a page says to programs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) links: Vec<Url>,
    pub(super) canonical: Option<Url>,
    pub(super) is_noindex: bool,
    pub(super) is_nofollow: bool,
}

impl Page {
    /// Reads a page that lies at an address.
    pub(super) fn read(html: &[u8], at: &Url) -> Self {
        let sink = Sink(RefCell::new(Found {
            base: at.clone(),
            has_base: false,
            page: Self::default(),
            said: Said::default(),
        }));
        let tokenizer = Tokenizer::new(sink, TokenizerOpts::default());
        let text = BufferQueue::default();
        text.push_back(StrTendril::from(String::from_utf8_lossy(html).as_ref()));
        while let html5ever::TokenizerResult::Script(()) = tokenizer.feed(&text) {}
        tokenizer.end();
        let Found { page, said, .. } = tokenizer.sink.0.into_inner();
        Self { is_noindex: said.is_noindex, is_nofollow: said.is_nofollow, ..page }
    }
}

struct Sink(RefCell<Found>);

struct Found {
    base: Url,
    has_base: bool,
    page: Page,
    said: Said,
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        let Token::TagToken(tag) = token else { return TokenSinkResult::Continue };
        if tag.kind != TagKind::StartTag {
            return TokenSinkResult::Continue;
        }
        self.0.borrow_mut().take(&tag);
        // What stands in them is no markup.
        match &*tag.name {
            "script" => TokenSinkResult::RawData(RawKind::ScriptData),
            "style" | "xmp" | "iframe" | "noembed" | "noframes" => TokenSinkResult::RawData(RawKind::Rawtext),
            "title" | "textarea" => TokenSinkResult::RawData(RawKind::Rcdata),
            "plaintext" => TokenSinkResult::Plaintext,
            _ => TokenSinkResult::Continue,
        }
    }
}

impl Found {
    fn take(&mut self, tag: &Tag) {
        match &*tag.name {
            "a" | "area" => self.link(tag, "href"),
            "frame" | "iframe" => self.link(tag, "src"),
            "base" if !self.has_base => {
                if let Some(base) = value(tag, "href").and_then(|href| self.base.join(href.trim()).ok()) {
                    (self.base, self.has_base) = (base, true);
                }
            }
            "link" => {
                if is_word(tag, "rel", "canonical") && self.page.canonical.is_none() {
                    self.page.canonical = self.address(tag, "href");
                }
                if is_word(tag, "rel", "next") || is_word(tag, "rel", "prev") {
                    self.link(tag, "href");
                }
            }
            "meta" => self.meta(tag),
            _ => {}
        }
    }

    fn meta(&mut self, tag: &Tag) {
        let content = value(tag, "content").unwrap_or_default();
        let names = |name: &str| value(tag, "name").is_some_and(|said| said.trim().eq_ignore_ascii_case(name));
        if names("robots") || names(crate::http::AGENT) {
            self.said.take(content);
        }
        // `<meta http-equiv="refresh" content="0; url=elsewhere">`
        let refreshes = value(tag, "http-equiv").is_some_and(|said| said.trim().eq_ignore_ascii_case("refresh"));
        let target = content.split_once(';').and_then(|(_, rest)| rest.trim().split_once('='));
        if let Some((_, url)) = target.filter(|(key, _)| refreshes && key.trim().eq_ignore_ascii_case("url"))
            && let Ok(url) = self.base.join(url.trim().trim_matches(['"', '\'']))
        {
            self.push(url);
        }
    }

    fn link(&mut self, tag: &Tag, attribute: &str) {
        if is_word(tag, "rel", "nofollow") {
            return;
        }
        if let Some(url) = self.address(tag, attribute) {
            self.push(url);
        }
    }

    fn push(&mut self, url: Url) {
        if matches!(url.scheme(), "http" | "https") && self.page.links.len() < MAX_LINKS {
            self.page.links.push(url);
        }
    }

    fn address(&self, tag: &Tag, attribute: &str) -> Option<Url> {
        self.base.join(value(tag, attribute)?.trim()).ok()
    }
}

fn value<'t>(tag: &'t Tag, attribute: &str) -> Option<&'t str> {
    tag.attrs.iter().find(|found| &*found.name.local == attribute).map(|found| &*found.value)
}

fn is_word(tag: &Tag, attribute: &str, word: &str) -> bool {
    value(tag, attribute)
        .is_some_and(|value| value.split_ascii_whitespace().any(|found| found.eq_ignore_ascii_case(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(html: &str) -> Page {
        Page::read(html.as_bytes(), &Url::parse("https://a.example/docs/page.html").unwrap())
    }

    fn links(html: &str) -> Vec<String> {
        read(html).links.into_iter().map(|url| url.to_string()).collect()
    }

    #[test]
    fn links_are_found_where_browsers_find_them() {
        let html = "<a href='b.html'>b</a><A HREF=/c#d>c</A><area href=\"?page=2\"><a href=\"mailto:a@b\">m</a>\
            <a rel='external NOFOLLOW' href=e>e</a><iframe src='f'></iframe><link rel=next href=g>\
            <!-- <a href=commented> --><script>'<a href=scripted>'</script><style><a href=styled></style>\
            <title><a href=titled></title><a href='h&amp;i'>h</a><a href='http://[bad'>x</a><a>y</a>\
            <meta http-equiv=Refresh content='3; URL=\"j\"'>";
        let expected = ["docs/b.html", "c#d", "docs/page.html?page=2", "docs/f", "docs/g", "docs/h&i", "docs/j"];
        assert_eq!(links(html), expected.map(|path| format!("https://a.example/{path}")));
        assert_eq!(links("<base href=/x/><base href=/y/><a href=z>"), ["https://a.example/x/z"]);
        assert_eq!(links(&"<a href=x>".repeat(20_000)).len(), MAX_LINKS);
        assert_eq!(links("<a href=x"), Vec::<String>::new());
    }

    #[test]
    fn it_says_what_it_is_a_copy_of_and_whether_it_wants_to_be_found() {
        let page = read("<link rel=canonical href=/original><meta name=ROBOTS content='noindex, follow'>");
        assert_eq!(page.canonical.as_ref().map(Url::as_str), Some("https://a.example/original"));
        assert!(page.is_noindex && !page.is_nofollow);
        let page = read("<meta name=quarry content=none><meta name=googlebot content=noindex>");
        assert!(page.is_noindex && page.is_nofollow);
        assert_eq!(read("<meta name=googlebot content=noindex>"), Page::default());
    }

    #[test]
    fn nothing_that_a_site_sends_takes_long() {
        let started = std::time::Instant::now();
        for hostile in ["<div>".repeat(1 << 20), "<a ".repeat(1 << 20), "<!--".repeat(1 << 20), "&".repeat(1 << 22)] {
            read(&hostile);
        }
        let attributes: String = (0..2_000).map(|number| format!(" a{number}=b")).collect();
        read(&format!("<a{attributes}>"));
        assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
    }
}
