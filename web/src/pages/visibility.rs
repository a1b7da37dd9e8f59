//! Who can see a document, and by what: for administrators, below its title.

use maud::{Markup, html};
use storage::{Access, AccessList, DocumentAccess};

use super::strings::{Strings, fill};
use super::text::clean;
use super::visit::Visit;

/// Who can see a document of which anything is said.
pub(super) fn visibility(visit: &Visit, access: &DocumentAccess) -> Markup {
    let words = visit.words();
    html! {
        details.visibility {
            summary { (words.visible_to) ": " (in_words(words, &access.together())) }
            ul {
                @if let Some((place, rule)) = &access.rule {
                    li { (fill(words.by_rule, &[&(place + 1).to_string(), &in_words(words, &rule.access)])) }
                }
                @if let Some(own) = &access.own { li { (fill(words.by_document, &[&in_words(words, own)])) } }
            }
        }
    }
}

fn in_words(words: &Strings, access: &Access) -> String {
    if access.is_open() {
        return words.visible_to_all.to_string();
    }
    if access.is_closed() {
        return words.visible_to_nobody.to_string();
    }
    let list =
        |list: &AccessList| list.entries().iter().map(|entry| clean(entry).into_owned()).collect::<Vec<_>>().join(", ");
    access.lists().map(list).collect::<Vec<_>>().join(" & ")
}
