//! The words of a piece of TeX: commands go, their texts stay, accents and special characters are resolved, formulas are
//! kept as they are written.

use unicode_normalization::char::compose;

/// Longest argument of a command.
const REACH: usize = 4000;

/// Commands whose arguments are not for readers, with the number of those.
const DROPPED: &[(&str, usize)] = &[
    ("label", 1),
    ("cite", 1),
    ("citep", 1),
    ("citet", 1),
    ("parencite", 1),
    ("textcite", 1),
    ("nocite", 1),
    ("ref", 1),
    ("eqref", 1),
    ("pageref", 1),
    ("autoref", 1),
    ("cref", 1),
    ("Cref", 1),
    ("index", 1),
    ("vspace", 1),
    ("hspace", 1),
    ("includegraphics", 1),
    ("bibliographystyle", 1),
    ("bibliography", 1),
    ("pagestyle", 1),
    ("thispagestyle", 1),
    ("setlength", 2),
    ("addtolength", 2),
    ("setcounter", 2),
    ("input", 1),
    ("include", 1),
    ("usepackage", 1),
    ("color", 1),
    ("textcolor", 1),
    ("colorbox", 1),
    ("href", 1),
    ("fontsize", 2),
    ("selectlanguage", 1),
    ("hypertarget", 1),
    ("hyperlink", 1),
    ("newcommand", 2),
    ("renewcommand", 2),
    ("providecommand", 2),
    ("newtheorem", 2),
    ("hyphenation", 1),
    ("rule", 2),
    ("raisebox", 1),
    ("parbox", 1),
    ("resizebox", 2),
    ("scalebox", 1),
    ("multirow", 2),
    ("multicolumn", 2),
    ("cline", 1),
    ("cmidrule", 1),
    ("rowcolor", 1),
    ("cellcolor", 1),
    ("phantom", 1),
    ("hfill", 0),
    ("addcontentsline", 3),
    ("markboth", 2),
    ("lstset", 1),
    ("hypersetup", 1),
    ("graphicspath", 1),
    ("bibitem", 1),
    ("vskip", 0),
];

/// Commands that stand for characters.
const CHARACTERS: &[(&str, &str)] = &[
    ("ss", "ß"),
    ("ae", "æ"),
    ("AE", "Æ"),
    ("oe", "œ"),
    ("OE", "Œ"),
    ("o", "ø"),
    ("O", "Ø"),
    ("aa", "å"),
    ("AA", "Å"),
    ("l", "ł"),
    ("L", "Ł"),
    ("i", "i"),
    ("j", "j"),
    ("S", "§"),
    ("P", "¶"),
    ("copyright", "©"),
    ("pounds", "£"),
    ("dots", "…"),
    ("ldots", "…"),
    ("textellipsis", "…"),
    ("textendash", "–"),
    ("textemdash", "—"),
    ("textbackslash", "\\"),
    ("textasciitilde", "~"),
    ("textasciicircum", "^"),
    ("textbar", "|"),
    ("textless", "<"),
    ("textgreater", ">"),
    ("textdegree", "°"),
    ("euro", "€"),
    ("texteuro", "€"),
    ("LaTeX", "LaTeX"),
    ("TeX", "TeX"),
    ("LaTeXe", "LaTeX2e"),
    ("quad", " "),
    ("qquad", " "),
    ("newline", "\n"),
    ("linebreak", "\n"),
    ("par", "\n"),
    ("glqq", "„"),
    ("grqq", "“"),
    ("textquotedblleft", "“"),
    ("textquotedblright", "”"),
    ("slash", "/"),
    ("and", ", "),
    ("today", ""),
];

/// The combining character of an accent command.
fn accent(name: &str) -> Option<char> {
    Some(match name {
        "\"" => '\u{308}',
        "'" => '\u{301}',
        "`" => '\u{300}',
        "^" => '\u{302}',
        "~" => '\u{303}',
        "=" => '\u{304}',
        "." => '\u{307}',
        "c" => '\u{327}',
        "v" => '\u{30c}',
        "u" => '\u{306}',
        "H" => '\u{30b}',
        "k" => '\u{328}',
        "r" => '\u{30a}',
        _ => return None,
    })
}

/// Name of the command at the start of a text behind its backslash: letters, or one other character.
pub(super) fn command(text: &str) -> &str {
    let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    let length = if letters > 0 { letters } else { text.chars().next().map_or(0, char::len_utf8) };
    &text[..length]
}

/// The argument in braces at the start of a text, and its length with them and the blanks before.
pub(super) fn argument(text: &str) -> Option<(&str, usize)> {
    enclosed(text, b'{', b'}')
}

/// The optional argument in brackets.
pub(super) fn optional(text: &str) -> Option<(&str, usize)> {
    enclosed(text, b'[', b']')
}

fn enclosed(text: &str, open: u8, close: u8) -> Option<(&str, usize)> {
    let start = text.len() - text.trim_start_matches([' ', '\n', '\t']).len();
    if text.as_bytes().get(start) != Some(&open) {
        return None;
    }
    let (mut depth, mut escaped) = (0_usize, false);
    for (at, &byte) in text.as_bytes().iter().enumerate().skip(start).take(REACH) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            // Brackets do not nest, but braces hide those inside of them.
            b'{' if open != b'{' => depth += 1,
            b'}' if open != b'{' => depth = depth.saturating_sub(1),
            byte if byte == close && depth == usize::from(open == b'{') => {
                return Some((&text[start + 1..at], at + 1));
            }
            byte if byte == open => depth += usize::from(open == b'{'),
            byte if byte == close => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// The words of a piece of TeX.
pub(super) fn plain(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find(['\\', '{', '}', '~', '$', '`', '\'', '-', '&']) {
        out.push_str(&rest[..at]);
        let tail = &rest[at..];
        let (text, length) = match tail.as_bytes()[0] {
            b'\\' => {
                rest = &tail[1..];
                rest = write_command(&mut out, rest);
                continue;
            }
            b'$' => formula(tail),
            b'~' | b'&' => (" ", 1),
            b'`' if tail.starts_with("``") => ("“", 2),
            b'\'' if tail.starts_with("''") => ("”", 2),
            b'-' if tail.starts_with("---") => ("—", 3),
            b'-' if tail.starts_with("--") => ("–", 2),
            b'{' | b'}' => ("", 1),
            _ => (&tail[..1], 1),
        };
        out.push_str(text);
        rest = &tail[length..];
    }
    out.push_str(rest);
    collapsed(&out)
}

/// A formula with its dollars: up to the next ones, or a lone dollar.
fn formula(tail: &str) -> (&str, usize) {
    let sign = if tail.starts_with("$$") { "$$" } else { "$" };
    let reach = crate::floor_boundary(tail, REACH);
    match tail[sign.len()..reach].find(sign) {
        Some(end) => (&tail[..end + 2 * sign.len()], end + 2 * sign.len()),
        None => (sign, sign.len()),
    }
}

/// Writes what a command stands for; what follows it.
fn write_command<'a>(out: &mut String, rest: &'a str) -> &'a str {
    let name = command(rest);
    let mut after = rest[name.len()..].strip_prefix('*').unwrap_or(&rest[name.len()..]);
    if let Some(mark) = accent(name) {
        return write_accent(out, mark, after, name);
    }
    if let Some((_, text)) = CHARACTERS.iter().find(|(known, _)| *known == name) {
        out.push_str(text);
        return after.strip_prefix("{}").unwrap_or_else(|| after.strip_prefix(' ').unwrap_or(after));
    }
    match name {
        "%" | "&" | "$" | "#" | "_" | "{" | "}" => out.push_str(name),
        "\\" => out.push('\n'),
        " " | "," | ";" | ":" | "\n" => out.push(' '),
        "(" | ")" => out.push('$'),
        "[" | "]" => out.push_str("$$"),
        "footnote" | "thanks" | "footnotetext" => {
            if let Some((text, length)) = argument(after) {
                out.push_str(" (");
                out.push_str(&flat(text));
                out.push(')');
                return &after[length..];
            }
        }
        "url" | "path" | "nolinkurl" => {
            if let Some((target, length)) = argument(after) {
                out.push_str(target);
                return &after[length..];
            }
        }
        "verb" | "lstinline" => {
            let sign = after.chars().next().unwrap_or(' ');
            let inside = after.get(sign.len_utf8()..).unwrap_or_default();
            if let Some((code, end)) = inside.split_once(if sign == '{' { '}' } else { sign }) {
                out.push_str(code);
                return end;
            }
        }
        _ => {
            let dropped = DROPPED.iter().find(|(known, _)| *known == name).map_or(0, |(_, count)| *count);
            if name.starts_with(|c: char| c.is_ascii_alphabetic()) {
                after =
                    optional(after).filter(|_| after.starts_with('[')).map_or(after, |(_, length)| &after[length..]);
            }
            for _ in 0..dropped {
                after = argument(after).map_or(after, |(_, length)| &after[length..]);
            }
            // A space that only ends the name of the command is no space.
            let ends_name = dropped == 0 && out.ends_with(char::is_whitespace);
            return if ends_name { after.trim_start_matches(' ') } else { after };
        }
    }
    after
}

/// The text of a footnote, without going into further ones: nesting costs no stack.
fn flat(text: &str) -> String {
    if text.contains("\\footnote") || text.contains("\\thanks") { text.to_owned() } else { plain(text) }
}

fn write_accent<'a>(out: &mut String, mark: char, after: &'a str, name: &str) -> &'a str {
    let (letter, rest) = match argument(after) {
        Some((inside, length)) => (inside, &after[length..]),
        None => {
            let trimmed = if name.starts_with(|c: char| c.is_ascii_alphabetic()) { after.trim_start() } else { after };
            let length = match trimmed.strip_prefix('\\') {
                Some(name) => 1 + command(name).len(),
                None => trimmed.chars().next().map_or(0, char::len_utf8),
            };
            trimmed.split_at(length)
        }
    };
    let letter = letter.trim_start_matches('\\');
    let mut letters = letter.chars();
    if let Some(base) = letters.next() {
        match compose(base, mark) {
            Some(composed) => out.push(composed),
            None => out.push(base),
        }
    }
    out.push_str(letters.as_str());
    rest
}

/// One space for each run of blanks, and single line ends.
fn collapsed(text: &str) -> String {
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay() {
        let source =
            r"\textbf{Bold} and \emph{it}, see~\ref{x} \href{https://x.y}{here}\footnote{A \emph{note}.} 50\% -- ``q''";
        assert_eq!(plain(source), "Bold and it, see here (A note.) 50% – “q”");
        assert_eq!(plain(r"\verb|a_b| \url{https://x.y/a_b} $E=mc^2$ \$5"), "a_b https://x.y/a_b $E=mc^2$ $5");
    }

    #[test]
    fn accents_are_composed() {
        assert_eq!(
            plain(r#"M\"uller, Stra\ss e, \'{e}t\'e, \v{c}, Garc\'{\i}a, na\"{\i}ve"#),
            "Müller, Straße, été, č, García, naïve"
        );
    }

    #[test]
    fn broken_tex_is_harmless() {
        for source in [r"\", r"\footnote{", r"\'", r#"\"{"#, "$", "$$x", r"\verb", r"\frac{", "{{{", r"\v", r"\href"] {
            let _ = plain(source);
        }
        assert!(!plain(&r"\footnote{".repeat(5000)).contains('x'));
        assert_eq!(argument("{a{b}c}d"), Some(("a{b}c", 7)));
        assert_eq!(optional("[a{]}b]c"), Some(("a{]}b", 7)));
    }
}
