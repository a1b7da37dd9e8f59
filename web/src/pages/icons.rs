//! Icons of the page, drawn for it: one hidden drawing per page, used by name.

use maud::{Markup, PreEscaped, html};

/// All icons on a grid of 16, as lines of 1.4.
const SPRITE: &str = include_str!("../assets/icons.svg");

/// The hidden drawing.
pub(super) fn sprite() -> Markup {
    PreEscaped(SPRITE.trim_end().to_string())
}

/// An icon that stands beside words.
pub(super) fn icon(name: &str) -> Markup {
    html! { svg.icon aria-hidden="true" { use href=(format!("#i-{name}")) {} } }
}

/// The icon for a type of documents.
pub(super) fn of_kind(kind: &str) -> Markup {
    icon(name_of_kind(kind))
}

/// The name of that icon.
pub(super) fn name_of_kind(kind: &str) -> &'static str {
    match kind {
        "markdown" | "text" | "docx" | "odt" | "rtf" => "doc",
        "html" | "xml" | "epub" => "web",
        "pdf" => "pdf",
        "csv" | "tsv" | "xlsx" | "ods" => "table",
        "pptx" | "odp" => "slides",
        "eml" | "mbox" | "msg" => "mail",
        "json" | "yaml" | "toml" | "ini" => "settings",
        _ => "code",
    }
}
