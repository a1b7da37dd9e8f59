//! The visit of somebody who looks at a page: in which language, in which colours, from where.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};

use super::language::Language;
use super::strings::Strings;
use crate::app::App;
use crate::brand::Brand;
use crate::guard::{Caller, Scope, Visitor};
use crate::{guard, jobs};

/// Name of the cookie with the language.
pub(super) const LANGUAGE_COOKIE: &str = "quarry-language";
/// Name of the cookie with the colours; scripts of the page write it too.
pub(super) const THEME_COOKIE: &str = "quarry-theme";

/// The colours of a page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Theme {
    /// As the system has it.
    #[default]
    Auto,
    Light,
    Dark,
}

impl Theme {
    pub(super) fn of_name(name: &str) -> Option<Self> {
        [Self::Auto, Self::Light, Self::Dark].into_iter().find(|theme| theme.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The one that the switch leads to.
    pub(super) fn next(self) -> Self {
        match self {
            Self::Auto => Self::Light,
            Self::Light => Self::Dark,
            Self::Dark => Self::Auto,
        }
    }
}

/// One request for a page.
#[derive(Debug, Clone)]
pub(super) struct Visit {
    pub(super) language: Language,
    pub(super) theme: Theme,
    /// Path and query of the page itself.
    pub(super) here: String,
    /// Scheme and host, as the visitor sees them.
    pub(super) origin: String,
    /// Where the server lies below them: see [`guard::base`].
    pub(super) base: String,
    /// Whether only the middle of the page is wanted, by a script that has the rest.
    pub(super) part: bool,
    /// Seconds of Unix time.
    pub(super) now: i64,
    /// What the page shows of the company.
    pub(super) brand: Arc<Brand>,
    /// Whether the visitor looks after the server, and not only what it holds.
    pub(super) administers: bool,
    /// Whether is kept what is opened and liked.
    pub(super) insights: bool,
    /// Whether a model on another machine reads what the visitor types.
    pub(super) sends_texts: bool,
    /// Who it is, where that is known.
    pub(super) visitor: Option<Visitor>,
}

impl Visit {
    pub(super) fn of(request: &HttpRequest) -> Self {
        let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let cookies = text(header::COOKIE);
        let chosen = cookie(cookies, LANGUAGE_COOKIE).and_then(Language::of_code);
        let accepted = || Language::accepted(text(header::ACCEPT_LANGUAGE));
        let app = request.app_data::<web::Data<App>>();
        let caller = request.extensions();
        let here = request.uri().path_and_query().map_or("/", |path| path.as_str());
        Self {
            language: chosen.or_else(accepted).unwrap_or(Language::English),
            theme: cookie(cookies, THEME_COOKIE).and_then(Theme::of_name).unwrap_or_default(),
            here: here.to_string(),
            origin: guard::origin(request),
            base: guard::base(request),
            part: request.headers().contains_key("x-quarry-part"),
            now: jobs::now(),
            brand: app.map(|app| Arc::clone(&app.brand)).unwrap_or_default(),
            insights: app.is_some_and(|app| app.config.insights.enabled),
            sends_texts: app.and_then(|app| app.engine().ok()).is_some_and(|engine| engine.sends_texts()),
            administers: caller.get::<Caller>().is_some_and(|caller| caller.may(Scope::Admin)),
            visitor: caller.get::<Caller>().and_then(|caller| caller.visitor.clone()),
        }
    }

    pub(super) fn words(&self) -> &'static Strings {
        self.language.words()
    }
}

impl FromRequest for Visit {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(request)))
    }
}

fn cookie<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header.split(';').find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_choice_goes_before_what_the_browser_prefers() {
        let visit = |cookies: &str| {
            let request = TestRequest::with_uri("/search?q=a").insert_header(("accept-language", "zh"));
            Visit::of(&request.insert_header(("cookie", cookies.to_string())).to_http_request())
        };
        assert_eq!(visit("").language, Language::Chinese);
        let chosen = visit("a=b; quarry-language=en; quarry-theme=dark");
        assert_eq!(
            (chosen.language, chosen.theme, chosen.here.as_str()),
            (Language::English, Theme::Dark, "/search?q=a")
        );
        let broken = visit("quarry-language=xx; quarry-theme=<script>");
        assert_eq!((broken.language, broken.theme), (Language::Chinese, Theme::Auto));
    }
}
