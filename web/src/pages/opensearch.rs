//! `/opensearch.xml`: so that a browser can add quarry as a search engine (OpenSearch 1.1 description document).

use actix_web::HttpResponse;
use maud::{PreEscaped, html};

use super::visit::Visit;

/// Characters that the description allows for a short name.
const SHORT_NAME: usize = 16;

/// `GET /opensearch.xml`.
pub(super) async fn opensearch(visit: Visit) -> HttpResponse {
    let root = format!("{}{}", visit.origin, visit.base);
    let description = html! {
        (PreEscaped("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"))
        OpenSearchDescription xmlns="http://a9.com/-/spec/opensearch/1.1/" {
            ShortName { (visit.brand.name.chars().take(SHORT_NAME).collect::<String>()) }
            LongName { (visit.brand.name) }
            Description { (visit.words().opensearch) }
            InputEncoding { "UTF-8" }
            Image width="16" height="16" type="image/svg+xml" { (root) "/favicon.ico" }
            Url type="text/html" template={ (root) "/search?q={searchTerms}" } {}
        }
    };
    HttpResponse::Ok()
        .content_type("application/opensearchdescription+xml; charset=utf-8")
        .body(description.into_string())
}
