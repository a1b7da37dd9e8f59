//! Front matter: the block of `key: value` (YAML) or `key = value` (TOML) lines that opens many Markdown files. Only
//! its flat part is read (text, lists of text); nested values are left out. It never fails: what is not understood
//! is not metadata.

use std::collections::BTreeMap;

/// The flat keys of a front matter, lower case; lists are joined by commas.
pub(crate) fn parse(text: &str) -> BTreeMap<String, String> {
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    // The key whose value is a list on the lines below it.
    let mut open: Option<String> = None;
    for line in text.lines() {
        if let (Some(key), Some(item)) = (&open, line.trim_start().strip_prefix("- ")) {
            let list = fields.entry(key.clone()).or_default();
            if !list.is_empty() {
                list.push_str(", ");
            }
            list.push_str(unquote(item));
            continue;
        }
        open = None;
        // Indented lines belong to a nested value.
        let Some((key, value)) = split_field(line) else { continue };
        if matches!(value, "" | "|" | ">" | ">-" | "|-") {
            open = Some(key);
            continue;
        }
        let list = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let value = match list {
            Some(items) => items.split(',').map(unquote).collect::<Vec<_>>().join(", "),
            None => unquote(value).to_owned(),
        };
        fields.insert(key, value);
    }
    fields.retain(|_, value| !value.is_empty());
    fields
}

/// Whether lines between two rules are a front matter and not a text between rules: every line is a field, belongs to
/// one, or is a comment.
pub(crate) fn is_mapping(text: &str) -> bool {
    let mut fields = 0;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let belongs = line.starts_with([' ', '\t', '#', '-', '[', ']', '}']);
        let key = line.split([':', '=']).next().filter(|key| key.len() < line.len()).map(str::trim);
        let is_field = key.is_some_and(|key| !key.is_empty() && key.split_whitespace().count() <= 4);
        fields += usize::from(is_field && !belongs);
        if !is_field && !belongs {
            return false;
        }
    }
    fields > 0
}

fn split_field(line: &str) -> Option<(String, &str)> {
    if line.starts_with([' ', '\t', '#', '-', '[']) {
        return None;
    }
    let at = line.find([':', '='])?;
    let key = line[..at].trim().trim_matches('"');
    let named = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
    named.then(|| (key.to_lowercase(), line[at + 1..].trim()))
}

fn unquote(value: &str) -> &str {
    let value = value.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner.trim();
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_fields_are_read() {
        let yaml = "title: \"Travel: the rules\"\nauthor: 'Ana'\ndate: 2024-05-01 10:30\ntags: [hr, \"travel\"]\n\
                    aliases:\n  - one\n  - two\nnested:\n  key: value\n# comment\nempty:\n";
        let fields = parse(yaml);
        let expected = [
            ("aliases", "one, two"),
            ("author", "Ana"),
            ("date", "2024-05-01 10:30"),
            ("tags", "hr, travel"),
            ("title", "Travel: the rules"),
        ];
        let expected: BTreeMap<_, _> = expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        assert_eq!(fields, expected);
    }

    #[test]
    fn text_between_rules_is_no_mapping() {
        for text in ["A rule, then words", "Note: this\nand more words", "# only a comment", "- a\n- b", ""] {
            assert!(!is_mapping(text), "{text}");
        }
        for text in ["a: b", "a:\n  - b\n# c\n\nd e: f", "tags:\n- x\n- y", "a = 1\n[b]\nc = 2"] {
            assert!(is_mapping(text), "{text}");
        }
    }

    #[test]
    fn toml_is_read_too() {
        assert_eq!(parse("title = \"On call\"\nweight = 3\n")["title"], "On call");
    }

    #[test]
    fn a_comma_in_a_title_stays() {
        assert_eq!(parse("title: Meals, lodging")["title"], "Meals, lodging");
        assert_eq!(parse("title: \"Meals, lodging\"")["title"], "Meals, lodging");
    }
}
