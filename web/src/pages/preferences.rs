//! `/preferences`: remembers language and colours in cookies and goes back. They hold nothing but the choice.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use super::language::Language;
use super::visit::{LANGUAGE_COOKIE, THEME_COOKIE, Theme};
use crate::guard;
use crate::json::Params;

/// A year in seconds.
const KEPT: u32 = 31_536_000;

/// What is chosen, and where to go on.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Chosen {
    language: String,
    theme: String,
    back: String,
}

/// `GET /preferences`.
pub(super) async fn preferences(request: HttpRequest, chosen: Params<Chosen>) -> HttpResponse {
    let mut response = super::see_other(local(&chosen.back));
    let site = request.headers().get("sec-fetch-site").and_then(|site| site.to_str().ok());
    // Other sites may lead here, but choose nothing.
    if site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return response;
    }
    let language = Language::of_code(&chosen.language).map(|language| (LANGUAGE_COOKIE, language.short()));
    let theme = Theme::of_name(&chosen.theme).map(|theme| (THEME_COOKIE, theme.name()));
    let base = guard::base(&request);
    for (name, value) in language.into_iter().chain(theme) {
        let cookie = format!("{name}={value}; Path={base}/; Max-Age={KEPT}; SameSite=Lax");
        if let Ok(cookie) = header::HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    response
}

/// A path of this site; the first page for everything else, so that nobody is led away.
pub(super) fn local(back: &str) -> &str {
    let is_path = back.starts_with('/') && !back.starts_with("//") && !back.starts_with("/\\");
    let plain = back.bytes().all(|byte| byte.is_ascii_graphic());
    if is_path && plain { back } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_another_site() {
        assert_eq!(local("/search?q=a%20b"), "/search?q=a%20b");
        for elsewhere in [
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "",
            "/a\r\nSet-Cookie: b=c",
            "javascript:alert(1)",
        ] {
            assert_eq!(local(elsewhere), "/", "{elsewhere}");
        }
    }
}
