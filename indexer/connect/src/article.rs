//! The article: a file made of the title and the text (HTML) of a page that a system hands out without the rest of its page.

use std::fmt::Write as _;

/// A page of HTML that has this title and text. `language` is that of the text, such as `de`, where it is known.
pub(crate) fn article(title: &str, language: Option<&str>, text: &str) -> Vec<u8> {
    let mut title_text = String::new();
    escape(title, &mut title_text);
    let is_language = |language: &&str| {
        !language.is_empty() && language.len() <= 35 && language.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let said = language.filter(is_language).map(|language| format!(" lang=\"{language}\"")).unwrap_or_default();
    let mut page =
        format!("<!DOCTYPE html>\n<html{said}><head><meta charset=\"utf-8\"><title>{title_text}</title></head>\n");
    let _ = write!(page, "<body><main><h1>{title_text}</h1>\n{text}\n</main></body></html>\n");
    page.into_bytes()
}

/// Puts a text behind some HTML, so that it reads as it is.
pub(crate) fn escape(text: &str, html: &mut String) {
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            other => html.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_text_and_a_language_is_a_word() {
        let page = String::from_utf8(article("A <b> & \"c\"", Some("de"), "<p>x</p>")).unwrap();
        assert!(page.contains("<html lang=\"de\">") && page.contains("<title>A &lt;b&gt; &amp; &quot;c&quot;</title>"));
        assert!(page.contains("<p>x</p>"));
        for odd in ["", "\" onload=x", &"a".repeat(40)] {
            assert!(String::from_utf8(article("t", Some(odd), "")).unwrap().contains("<html><head>"), "{odd}");
        }
    }
}
