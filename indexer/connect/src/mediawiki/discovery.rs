//! The way to a wiki's `api.php`: the wiki names it on each of its pages (`<link rel="EditURI">`), to those who may not read it
//! as well.

use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use url::Url;

use crate::error::ConnectError;
use crate::http::{Client, host_of, refused};

/// Bytes of a page that are looked through.
const MOST: u64 = 8 << 20;
/// Redirects in a row that are followed.
const MAX_HOPS: usize = 8;

/// The address of the `api.php` of the wiki that a page belongs to.
///
/// # Errors
/// The page cannot be had, or names none at the same host.
pub(super) fn find(client: &mut Client, page: &Url) -> Result<Url, ConnectError> {
    let mut url = page.clone();
    for _ in 0..MAX_HOPS {
        let answer = client.ask(&url, &crate::http::Ask::default(), MOST, |status, _| status != 304)?;
        if let 300..=399 = answer.status {
            let target = answer.header("location").and_then(|to| url.join(to.trim()).ok());
            match target.filter(|to| to.origin() == page.origin()) {
                Some(to) => url = to,
                None => return Err(refused(&url, answer.status)),
            }
            continue;
        }
        // Who may not read a private wiki is told so on a page that names it all the same.
        let named = named(&answer.body, &url).filter(|api| api.origin() == page.origin());
        return match named {
            Some(api) => Ok(api),
            None if !answer.is_success() => Err(refused(&url, answer.status)),
            None => Err(none(page)),
        };
    }
    Err(none(page))
}

fn none(page: &Url) -> ConnectError {
    let reason = format!(
        "{page} is no page of a wiki that runs MediaWiki, or its interface for programs is switched off; give the address of \
         its api.php, such as mediawiki+https://wiki.example/w/api.php"
    );
    ConnectError::Nonsense { host: host_of(page), reason }
}

/// The `api.php` that a page names.
fn named(html: &[u8], at: &Url) -> Option<Url> {
    let tokenizer = Tokenizer::new(Sink(RefCell::default()), TokenizerOpts::default());
    let text = BufferQueue::default();
    text.push_back(StrTendril::from(String::from_utf8_lossy(html).as_ref()));
    while let html5ever::TokenizerResult::Script(()) = tokenizer.feed(&text) {}
    tokenizer.end();
    let href = tokenizer.sink.0.into_inner()?;
    let mut api = at.join(href.trim()).ok()?;
    api.set_query(None);
    api.set_fragment(None);
    api.path().ends_with("/api.php").then_some(api)
}

struct Sink(RefCell<Option<String>>);

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        let Token::TagToken(tag) = token else { return TokenSinkResult::Continue };
        if tag.kind == TagKind::StartTag && &*tag.name == "link" {
            let value =
                |name: &str| tag.attrs.iter().find(|found| &*found.name.local == name).map(|found| &*found.value);
            let is_it = value("rel").is_some_and(|rel| rel.eq_ignore_ascii_case("EditURI"));
            if let Some(href) = value("href").filter(|_| is_it) {
                self.0.borrow_mut().get_or_insert_with(|| href.to_owned());
            }
        }
        TokenSinkResult::Continue
    }
}
