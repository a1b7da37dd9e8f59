//! The address of Confluence, and of one of its spaces, as it stands in a browser.

use percent_encoding::percent_decode_str;
use url::Url;

/// Bytes of the key of a space.
const MAX_KEY: usize = 255;
/// Where Atlassian's own servers are, at which Confluence lies below `/wiki`.
pub(super) const CLOUD: &str = ".atlassian.net";

/// Confluence, and the space of it that is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Site {
    /// Its address, without a slash at its end unless it has no path.
    pub(super) root: Url,
    pub(super) space: Option<String>,
}

/// What an address stands for; `None` where the space that it names can be none.
pub(super) fn site(url: &Url) -> Option<Site> {
    let mut parts: Vec<&str> = url.path().split('/').filter(|part| !part.is_empty()).collect();
    let mut space = None;
    if let Some(at) = parts.iter().position(|part| matches!(*part, "spaces" | "display")) {
        let key = percent_decode_str(parts.get(at + 1)?).decode_utf8().ok()?.into_owned();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '~' | '-' | '_' | '.' | '@');
        if key.is_empty() || key.len() > MAX_KEY || !key.chars().all(is_plain) {
            return None;
        }
        space = Some(key);
        parts.truncate(at);
    }
    if parts.is_empty() && is_cloud(url) {
        parts.push("wiki");
    }
    let mut root = url.clone();
    root.set_query(None);
    root.set_fragment(None);
    root.set_path(&parts.join("/"));
    Some(Site { root, space })
}

/// Whether a server is one of Atlassian's own.
pub(super) fn is_cloud(url: &Url) -> bool {
    url.host_str().is_some_and(|host| host.ends_with(CLOUD))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_site_and_perhaps_a_space() {
        for (url, root, space) in [
            ("https://a.atlassian.net", "https://a.atlassian.net/wiki", None),
            ("https://a.atlassian.net/wiki/", "https://a.atlassian.net/wiki", None),
            ("https://a.atlassian.net/wiki/spaces/HR/overview?x=1", "https://a.atlassian.net/wiki", Some("HR")),
            ("https://c.example", "https://c.example/", None),
            ("https://c.example/display/HR", "https://c.example/", Some("HR")),
            ("https://c.example/confluence/spaces/%7Eanna", "https://c.example/confluence", Some("~anna")),
        ] {
            let found = site(&Url::parse(url).unwrap()).unwrap();
            assert_eq!((found.root.as_str(), found.space.as_deref()), (root, space), "{url}");
        }
        for odd in
            ["https://c.example/spaces", "https://c.example/spaces/a%22%20or%20b", "https://c.example/spaces/%2e%2e%2f"]
        {
            assert_eq!(site(&Url::parse(odd).unwrap()), None, "{odd}");
        }
    }
}
