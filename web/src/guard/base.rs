//! The path below which the server lies, where a proxy shows it as a part of another site: it is taken off the address of
//! a request, and put before the addresses that answers name.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Uri;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpRequest, web};

use super::forwarded;
use crate::app::App;
use crate::json;

tokio::task_local! {
    /// Where the server lies for the request that this task answers.
    static BASE: String;
}

/// Where the server lies for the request that is being answered.
pub(crate) fn current_base() -> String {
    BASE.try_with(Clone::clone).unwrap_or_default()
}

/// Where the server lies, as the one who looks at it sees it: empty, or a path such as `/quarry`.
pub(crate) fn base(request: &HttpRequest) -> String {
    let Ok(app) = json::app(request) else { return String::new() };
    let told = forwarded::prefix(request, &app.config.auth).map(|prefix| prefix.trim_end_matches('/'));
    told.filter(|prefix| is_base(prefix)).unwrap_or(&app.config.server.base_path).to_owned()
}

/// Whether a path is one that a server may lie below: plain segments behind slashes, and no slash at the end.
pub(crate) fn is_base(path: &str) -> bool {
    let is_plain = |segment: &str| {
        let is_dots = matches!(segment, "" | "." | "..");
        !is_dots && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
    };
    path.strip_prefix('/').is_some_and(|path| path.split('/').all(is_plain))
}

/// The middleware: what lies behind it sees addresses as if the server lay at the root. A proxy may have taken the path
/// off already.
pub(crate) async fn beneath<B: MessageBody>(
    app: web::Data<App>,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    strip(&mut request, &app.config.server.base_path);
    let base = base(request.request());
    let mut response = BASE.scope(base.clone(), next.call(request)).await?;
    let place = response.headers().get(header::LOCATION).and_then(|place| place.to_str().ok());
    if let Some(place) = place.filter(|place| place.starts_with('/') && !base.is_empty())
        && let Ok(place) = HeaderValue::from_str(&format!("{base}{place}"))
    {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

fn strip(request: &mut ServiceRequest, base: &str) {
    let Some(uri) = stripped(request.uri(), base) else { return };
    request.match_info_mut().get_mut().update(&uri);
    request.head_mut().uri = uri;
}

/// An address without the base, if it has it.
fn stripped(uri: &Uri, base: &str) -> Option<Uri> {
    let is_below = |rest: &&str| !base.is_empty() && (rest.is_empty() || rest.starts_with('/'));
    let rest = uri.path().strip_prefix(base).filter(is_below)?;
    let path = if rest.is_empty() { "/" } else { rest };
    let target = uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(target.parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_paths_are_bases() {
        for good in ["/quarry", "/tools/search-2", "/a.b~c"] {
            assert!(is_base(good), "{good}");
        }
        for bad in
            ["", "/", "quarry", "/quarry/", "//quarry", "/a/../b", "/a b", "/a?b", "/\"", "https://a/b", "/a%2fb"]
        {
            assert!(!is_base(bad), "{bad}");
        }
    }

    #[test]
    fn the_base_is_taken_off_whole_segments_alone() {
        let stripped = |target: &str| stripped(&target.parse().unwrap(), "/quarry").map(|uri| uri.to_string());
        assert_eq!(stripped("/quarry").as_deref(), Some("/"));
        assert_eq!(stripped("/quarry/").as_deref(), Some("/"));
        assert_eq!(stripped("/quarry?q=1").as_deref(), Some("/?q=1"));
        assert_eq!(stripped("/quarry/search?q=/quarry/").as_deref(), Some("/search?q=/quarry/"));
        assert_eq!(stripped("/quarry//search").as_deref(), Some("//search"));
        assert_eq!(stripped("/quarrying"), None);
        assert_eq!(stripped("/search"), None);
        assert_eq!(super::stripped(&"/search".parse().unwrap(), ""), None);
    }
}
