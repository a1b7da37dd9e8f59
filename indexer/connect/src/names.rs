//! The names of mirrored files: what others call their things, made into paths that every file system takes, below one folder,
//! and never two of them into the same file.

use unicode_normalization::UnicodeNormalization as _;

/// Bytes of one part of a path; systems take 255, and an ending may be put to it.
const MOST_OF_PART: usize = 180;
/// Bytes of a path.
const MOST: usize = 900;
/// Characters of the mark that tells names apart that would be the same.
const MARK: usize = 12;

/// Why a name becomes no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameFault {
    /// It is hidden, or below what is hidden: such files are read in no folder.
    Hidden,
    /// There is nothing in it.
    Empty,
}

/// A path below a folder, with `/` between its parts, that a name becomes by itself.
///
/// # Errors
/// It becomes none.
pub(crate) fn path_of(name: &str) -> Result<String, NameFault> {
    let composed: String = name.nfc().collect();
    let mut parts = Vec::new();
    for part in composed.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part.starts_with('.') {
            return Err(NameFault::Hidden);
        }
        parts.push(safe_part(part));
    }
    if parts.is_empty() {
        return Err(NameFault::Empty);
    }
    let path = parts.join("/");
    if path.len() <= MOST {
        return Ok(path);
    }
    // Deeper than can be: the file alone, told apart by what is left out.
    Ok(format!("{}/{}", mark(&path), parts.last().map(String::as_str).unwrap_or_default()))
}

/// A title as one part of a path: what stands for folders in paths means nothing in it, and no title is hidden.
pub(crate) fn part_of(title: &str) -> String {
    let part = title.trim().replace('/', "_");
    if part.is_empty() || part.starts_with('.') { format!("_{part}") } else { part }
}

/// Another path for something whose own is taken: made of what it is known by, which is that of nothing else.
pub(crate) fn apart(path: &str, id: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    // In a folder of its own, as what is in its way may be a folder or a file anywhere above it.
    format!("{}/{name}", mark(id))
}

/// What two paths have in common that would be one file to a system that does not tell cases apart.
pub(crate) fn folded(path: &str) -> String {
    path.to_lowercase()
}

fn mark(of: &str) -> String {
    let hash = blake3::hash(of.as_bytes()).to_hex();
    format!("~{}", &hash[..MARK])
}

fn safe_part(part: &str) -> String {
    let is_odd = |c: char| c.is_control() || matches!(c, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|');
    let mut safe: String = part.chars().map(|c| if is_odd(c) { '_' } else { c }).collect();
    // Some systems drop them in silence.
    while safe.ends_with(['.', ' ']) {
        safe.pop();
        safe.push('_');
    }
    if is_device(&safe) {
        safe.insert(0, '_');
    }
    if safe.len() > MOST_OF_PART { shortened(&safe) } else { safe }
}

/// Names that mean devices on some systems, with whatever ending.
fn is_device(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let numbered = |name: &str| stem.strip_prefix(name).is_some_and(|rest| matches!(rest.as_bytes(), [b'1'..=b'9']));
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL") || numbered("COM") || numbered("LPT")
}

/// Its beginning, a mark of the whole, and its ending, which says what it is.
fn shortened(part: &str) -> String {
    let ending =
        part.rsplit_once('.').map(|(_, ending)| ending).filter(|ending| ending.len() <= 16).unwrap_or_default();
    let room = MOST_OF_PART - ending.len() - MARK - 2;
    let end = (0..=room).rev().find(|at| part.is_char_boundary(*at)).unwrap_or_default();
    let dot = if ending.is_empty() { "" } else { "." };
    format!("{}{}{dot}{ending}", &part[..end], mark(part))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_become_paths_that_people_know_again() {
        for (name, expected) in [
            ("a/b.md", "a/b.md"),
            ("/a//b.md", "a/b.md"),
            ("./a/./b.md", "a/b.md"),
            ("Übersicht 2026.docx", "Übersicht 2026.docx"),
            ("U\u{308}bersicht.md", "Übersicht.md"),
            ("what?.md", "what_.md"),
            ("c:\\windows", "c__windows"),
            ("a\0b\n.md", "a_b_.md"),
            ("con.md", "_con.md"),
            ("Com1", "_Com1"),
            ("comet.md", "comet.md"),
            ("end. ", "end._"),
        ] {
            assert_eq!(path_of(name).as_deref(), Ok(expected), "{name:?}");
        }
        for hidden in [".git/config", "a/.env", "..", "../../etc/passwd", "a/../b", ".well-known/x"] {
            assert_eq!(path_of(hidden), Err(NameFault::Hidden), "{hidden}");
        }
        for empty in ["", "/", "//./"] {
            assert_eq!(path_of(empty), Err(NameFault::Empty), "{empty}");
        }
        for (title, part) in [("AC/DC", "AC_DC"), (".NET", "_.NET"), ("..", "_.."), (" ", "_"), ("Plans", "Plans")] {
            assert_eq!(part_of(title), part);
            assert!(path_of(part).is_ok());
        }
        let long = format!("{}.html", "ü".repeat(300));
        let path = path_of(&long).unwrap();
        assert!(path.len() <= MOST_OF_PART && path.ends_with(".html") && path.starts_with('ü'), "{path}");
        assert_ne!(path, path_of(&format!("{}.html", "ü".repeat(301))).unwrap());
        let deep = path_of(&format!("{}/x.md", vec!["folder"; 300].join("/"))).unwrap();
        assert!(deep.len() < 40 && deep.ends_with("/x.md"), "{deep}");
        assert_ne!(apart("a/b.md", "1"), apart("a/b.md", "2"));
        assert_eq!(path_of(&apart("a/b.md", "1")).unwrap(), apart("a/b.md", "1"));
    }

    proptest! {
        #[test]
        fn no_name_leads_out_of_its_folder(name in "\\PC{0,60}|[./a\\\\]{0,20}") {
            if let Ok(path) = path_of(&name) {
                prop_assert!(path.len() <= MOST);
                for part in path.split('/') {
                    prop_assert!(!part.is_empty() && !part.starts_with('.') && part.len() <= MOST_OF_PART);
                    prop_assert!(!part.contains(['\0', '\\']));
                }
                // What is safe stays as it is.
                prop_assert_eq!(path_of(&path).unwrap(), path);
            }
        }
    }
}
