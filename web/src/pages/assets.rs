//! Styles, scripts and pictures: part of the binary, under addresses that change with their content, so that browsers
//! keep them for good and an upgrade is seen at once.

use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::app::App;
use crate::brand::BrandFile;
use crate::error::Error;
use crate::fresh::Tag;

struct Asset {
    name: &'static str,
    media_type: &'static str,
    text: &'static str,
}

impl Asset {
    /// Without comments and indentation, which are for readers of the source.
    fn slim(&self) -> String {
        let text = if self.media_type == STYLE { packed(&without_comments(self.text)) } else { self.text.to_string() };
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let lines = lines.filter(|line| self.media_type != SCRIPT || !line.starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Styles without `/* .. */`.
fn without_comments(text: &str) -> String {
    let mut parts = text.split("/*");
    let first = parts.next().unwrap_or_default();
    let others = parts.filter_map(|part| part.split_once("*/")).map(|(_, rest)| rest);
    std::iter::once(first).chain(others).collect()
}

const STYLE: &str = "text/css; charset=utf-8";
/// How long a browser keeps what has its content in its address.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";
const SCRIPT: &str = "text/javascript; charset=utf-8";

const ASSETS: [Asset; 17] = [
    Asset { name: "page.css", media_type: STYLE, text: include_str!("../assets/page.css") },
    Asset { name: "rest.css", media_type: STYLE, text: include_str!("../assets/rest.css") },
    Asset { name: "page.js", media_type: SCRIPT, text: include_str!("../assets/page.js") },
    Asset { name: "actions.js", media_type: SCRIPT, text: include_str!("../assets/actions.js") },
    Asset { name: "keys.js", media_type: SCRIPT, text: include_str!("../assets/keys.js") },
    Asset { name: "navigate.js", media_type: SCRIPT, text: include_str!("../assets/navigate.js") },
    Asset { name: "place.js", media_type: SCRIPT, text: include_str!("../assets/place.js") },
    Asset { name: "preview.js", media_type: SCRIPT, text: include_str!("../assets/preview.js") },
    Asset { name: "recent.js", media_type: SCRIPT, text: include_str!("../assets/recent.js") },
    Asset { name: "settle.js", media_type: SCRIPT, text: include_str!("../assets/settle.js") },
    Asset { name: "suggest.js", media_type: SCRIPT, text: include_str!("../assets/suggest.js") },
    Asset { name: "watch.js", media_type: SCRIPT, text: include_str!("../assets/watch.js") },
    Asset { name: "feedback.css", media_type: STYLE, text: include_str!("../assets/feedback.css") },
    Asset { name: "feedback.js", media_type: SCRIPT, text: include_str!("../assets/feedback.js") },
    Asset { name: "reply.css", media_type: STYLE, text: include_str!("../assets/reply.css") },
    Asset { name: "write.js", media_type: SCRIPT, text: include_str!("../assets/write.js") },
    Asset { name: "favicon.svg", media_type: "image/svg+xml", text: include_str!("../assets/favicon.svg") },
];

/// What is sent, in the order of [`ASSETS`].
static SLIM: LazyLock<Vec<String>> = LazyLock::new(|| ASSETS.iter().map(Asset::slim).collect());

/// Styles without the blanks that mean nothing.
fn packed(text: &str) -> String {
    let pairs = [(" {", "{"), ("{ ", "{"), ("; }", "}"), ("; ", ";"), (": ", ":"), (", ", ",")];
    pairs.iter().fold(text.to_string(), |text, (from, to)| text.replace(from, to))
}

/// Stands for the content of all assets: modules import each other by name within one folder.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = blake3::Hasher::new();
    for text in SLIM.iter() {
        hasher.update(text.as_bytes());
    }
    hasher.finalize().to_hex()[..12].to_string()
});

/// The address of an asset.
pub(super) fn address(name: &str) -> String {
    format!("/assets/{}/{name}", *VERSION)
}

/// `GET /assets/{version}/{name}`. Another version than the present one is answered too, for pages that were open during
/// an upgrade, but not to be kept.
pub(super) async fn asset(
    app: web::Data<App>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, Error> {
    let (version, name) = path.into_inner();
    if let Some(BrandFile { media_type, bytes }) = app.brand.file(&name) {
        let kept = if app.brand.is_version(&version) { FOR_GOOD } else { "no-cache" };
        return Ok(send(&request, media_type, bytes, kept));
    }
    let kept = if version == *VERSION { FOR_GOOD } else { "no-cache" };
    find(&name)
        .map(|(asset, text)| send(&request, asset.media_type, text.as_bytes(), kept))
        .ok_or(Error::NotFound { what: "this file" })
}

/// `GET /favicon.ico`.
pub(super) async fn favicon(request: HttpRequest) -> Result<HttpResponse, Error> {
    find("favicon.svg")
        .map(|(asset, text)| send(&request, asset.media_type, text.as_bytes(), "public, max-age=86400"))
        .ok_or(Error::NotFound { what: "this file" })
}

fn find(name: &str) -> Option<(&'static Asset, &'static str)> {
    ASSETS.iter().zip(SLIM.iter()).find(|(asset, _)| asset.name == name).map(|(asset, text)| (asset, text.as_str()))
}

fn send(request: &HttpRequest, media_type: &'static str, bytes: &[u8], kept: &'static str) -> HttpResponse {
    let tag = Tag::of_content(bytes);
    let whole = || HttpResponse::Ok().content_type(media_type).body(bytes.to_vec());
    let mut response = tag.kept_by(request).unwrap_or_else(|| tag.on(whole()));
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static(kept));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_and_scripts_stay_light() {
        // What is sent only where insights are switched on or a question is answered, and all the rest.
        let extra = ["feedback.", "reply.", "write."];
        let is_extra = |asset: &Asset| extra.iter().any(|name| asset.name.starts_with(name));
        let bytes = |extra: bool| -> usize {
            ASSETS
                .iter()
                .zip(SLIM.iter())
                .filter(|(asset, _)| is_extra(asset) == extra)
                .map(|(_, text)| text.len())
                .sum()
        };
        let (total, extra) = (bytes(false), bytes(true));
        assert!(total < 49_700, "styles and scripts have {total} bytes before they are packed");
        assert!((1..5_200).contains(&extra), "those for insights and answers have {extra} bytes");
    }

    #[test]
    fn scripts_import_what_exists() {
        for asset in ASSETS.iter().filter(|asset| asset.media_type == SCRIPT) {
            for line in asset.text.lines().filter(|line| line.starts_with("import ")) {
                let from = line.split('"').nth(1).and_then(|name| name.strip_prefix("./"));
                assert!(from.is_some_and(|name| find(name).is_some()), "{}: {line}", asset.name);
            }
        }
    }

    #[test]
    fn comments_are_left_behind() {
        assert_eq!(without_comments("a { } /* b */ c /* d\n */"), "a { }  c ");
        assert_eq!(
            packed("a, b > c { top: 0; margin: 0 calc(1px + 2px); }"),
            "a,b > c{top:0;margin:0 calc(1px + 2px)}"
        );
        let (_, script) = find("keys.js").unwrap();
        assert!(!script.contains("\n//") && script.contains("import { base, closeSuggestions, copyLink"), "{script}");
    }
}
