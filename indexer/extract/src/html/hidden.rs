//! Hidden text: what a page or a mail keeps from whoever looks at it, by an attribute or an inline style. It is not what the
//! document says; text for other eyes (search engines, language models) is put there.
//!
//! Style sheets are not read, so what a class hides is kept. White is taken for hidden only where nothing around it may be dark.

use ego_tree::NodeRef;
use scraper::Node;
use scraper::node::Element;

/// Elements that pages hide only until they have loaded.
const LOADING: &[&str] = &["html", "body", "main", "article"];
/// Letters up to this size are not seen, in pixels or points.
const SMALLEST: f64 = 1.0;
const WHITE: &[&str] = &["white", "#fff", "#ffffff", "#ffffffff", "rgb(255,255,255)", "rgba(255,255,255,1)"];

/// Whether an element and all in it is kept from the eye.
pub(super) fn is_hidden(node: NodeRef<'_, Node>, element: &Element) -> bool {
    if LOADING.contains(&element.name()) {
        return false;
    }
    // The panels of tabs are shown one by one.
    let is_panel = element.attr("role") == Some("tabpanel");
    let is_switched_off = element.attr("hidden").is_some_and(|until| !until.eq_ignore_ascii_case("until-found"));
    let Some(style) = element.attr("style") else { return is_switched_off && !is_panel };
    let declarations = declarations(style);
    let is_off = declarations.iter().any(|(name, value)| is_unseen(name, value));
    let is_white = declarations.iter().any(|(name, value)| name == "color" && WHITE.contains(&value.as_str()));
    (is_switched_off || is_off) && !is_panel || is_white && is_on_white(node)
}

/// Names and values of a style, in small letters and without blanks.
fn declarations(style: &str) -> Vec<(String, String)> {
    let plain = |text: &str| text.to_lowercase().replace(char::is_whitespace, "").replace("!important", "");
    let pairs = style.split(';').filter_map(|declaration| declaration.split_once(':'));
    pairs.map(|(name, value)| (plain(name), plain(value))).collect()
}

fn is_unseen(name: &str, value: &str) -> bool {
    match (name, value) {
        ("display", "none")
        | ("visibility", "hidden" | "collapse")
        | ("color", "transparent")
        | ("mso-hide", "all") => true,
        ("opacity", value) => value.parse() == Ok(0.0),
        ("font-size", value) => {
            let number = value.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%');
            let is_absolute = value.ends_with("px") || value.ends_with("pt");
            number.parse().is_ok_and(|size: f64| size == 0.0 || size <= SMALLEST && is_absolute)
        }
        _ => false,
    }
}

/// Whether nothing says that what is behind an element has a colour: no style, no attribute, no class of it or around it.
fn is_on_white(node: NodeRef<'_, Node>) -> bool {
    let around = std::iter::once(node).chain(node.ancestors());
    let mut elements = around.filter_map(|node| node.value().as_element());
    elements.all(|element| {
        let has_background = element.attr("style").is_some_and(|style| style.to_lowercase().contains("background"));
        let may_have = ["bgcolor", "background", "class", "id"].iter().any(|name| element.attr(name).is_some());
        !has_background && !may_have
    })
}

#[cfg(test)]
mod tests {
    use scraper::Html;

    use super::*;

    fn shown(html: &str) -> String {
        let tree = Html::parse_document(html);
        let hidden = |node: NodeRef<'_, Node>| {
            let mut around = std::iter::once(node).chain(node.ancestors());
            around.any(|node| node.value().as_element().is_some_and(|element| is_hidden(node, element)))
        };
        let texts = tree.tree.root().descendants().filter(|node| node.value().is_text() && !hidden(*node));
        texts.filter_map(|node| node.value().as_text().map(|text| text.to_string())).collect()
    }

    #[test]
    fn what_nobody_sees_is_told_from_what_is_seen() {
        for hidden in [
            "<p hidden>x</p>",
            "<p style='display: none'>x</p>",
            "<div style='VISIBILITY:hidden'><p>x</p></div>",
            "<span style='font-size:0px'>x</span>",
            "<span style='font-size:1px;line-height:1px'>x</span>",
            "<span style='opacity:0'>x</span>",
            "<span style='color: #FFFFFF'>x</span>",
            "<span style='color:white !important'>x</span>",
            "<span style='color:transparent'>x</span>",
            "<div style='mso-hide:all'>x</div>",
        ] {
            assert_eq!(shown(hidden), "", "{hidden}");
        }
        for seen in [
            "<p>x</p>",
            "<p style='display:block;font-size:1em;opacity:.9'>x</p>",
            "<p style='font-size:100%'>x</p>",
            "<p style='font-size:1vw'>x</p>",
            "<p style='color:#fff;background:#003'>x</p>",
            "<table><tr bgcolor='#003366'><td><b style='color:#ffffff'>x</b></table>",
            "<div class='dark'><p style='color:white'>x</p></div>",
            "<div role='tabpanel' hidden>x</div>",
            "<p hidden='until-found'>x</p>",
            "<body style='opacity:0'>x</body>",
        ] {
            assert_eq!(shown(seen), "x", "{seen}");
        }
    }
}
