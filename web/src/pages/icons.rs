//! Icons of the page, drawn for it: one hidden drawing per page, used by name, with no more symbols than the page needs.

use formats::{Format, Icon};
use maud::{Markup, PreEscaped};

/// All icons on a grid of 16, as lines of 1.4.
const SPRITE: &str = include_str!("../assets/icons.svg");

/// Symbols that scripts put on any page: the other states of the switch for the colours.
const SWITCHED: [&str; 3] = ["auto", "light", "dark"];
/// Symbols that scripts put on a page of results: buttons of their own, and previews.
const LIVELY: [&str; 4] = ["pane", "link", "doc", "file"];

/// Which symbols a page needs.
pub(super) enum Needs<'a> {
    /// Every one: other content may be put in its place later.
    All,
    /// Those that this markup uses or names for scripts.
    Of(&'a str),
}

/// The hidden drawing.
pub(super) fn sprite(needs: &Needs) -> Markup {
    let is_needed = |symbol: &&str| {
        let Needs::Of(markup) = needs else { return true };
        let Some((name, _)) = symbol.split_once('"') else { return false };
        SWITCHED.contains(&name)
            || LIVELY.contains(&name)
            || [format!("\"#i-{name}\""), format!("data-icon=\"{name}\"")].iter().any(|use_| markup.contains(use_))
    };
    let mut parts = SPRITE.trim_end().trim_end_matches("</svg>").split("<symbol id=\"i-");
    let mut drawing = parts.next().unwrap_or_default().to_string();
    for symbol in parts.filter(is_needed) {
        drawing.push_str("<symbol id=\"i-");
        drawing.push_str(symbol);
    }
    drawing.push_str("</svg>");
    PreEscaped(drawing)
}

/// An icon that stands beside words.
pub(super) fn icon(name: &str) -> Markup {
    // As short as it can be: a page of results has fifty of them. Names are constants of this room.
    PreEscaped(format!("<svg aria-hidden=\"true\"><use href=\"#i-{name}\"/></svg>"))
}

/// The icon for a type of documents.
pub(super) fn of_kind(kind: &str) -> Markup {
    icon(name_of_kind(kind))
}

/// The name of that icon. Of a type that is not known, as an index of another version may hold, that of a document.
pub(super) fn name_of_kind(kind: &str) -> &'static str {
    match Format::named(kind).map_or(Icon::Document, |format| format.icon) {
        Icon::Document => "doc",
        Icon::Web => "web",
        Icon::Pdf => "pdf",
        Icon::Table => "table",
        Icon::Slides => "slides",
        Icon::Mail => "mail",
        Icon::Settings => "settings",
        Icon::Code => "code",
        Icon::Picture => "picture",
        Icon::Folder => "folder",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_brings_the_symbols_it_uses() {
        let page = format!("{}<a data-icon=\"mail\">", icon("search").0);
        let drawing = sprite(&Needs::Of(&page)).0;
        for name in ["search", "mail", "dark", "pane"] {
            assert!(drawing.contains(&format!("<symbol id=\"i-{name}\"")), "{name}: {drawing}");
        }
        assert!(!drawing.contains("i-slides") && drawing.ends_with("</symbol></svg>"), "{drawing}");
        assert_eq!(sprite(&Needs::All).0, SPRITE.trim_end());
    }

    #[test]
    fn every_format_has_an_icon_that_is_drawn() {
        for format in Format::all() {
            let name = name_of_kind(format.name);
            assert!(SPRITE.contains(&format!("<symbol id=\"i-{name}\"")), "{}: {name}", format.name);
        }
        assert_eq!((name_of_kind("rst"), name_of_kind("odp"), name_of_kind("msg")), ("doc", "slides", "mail"));
        assert_eq!(name_of_kind("of another version"), "doc");
    }
}
