//! Languages of source code: which one a file is in, by its name or its first line, and the grammars of those that are
//! cut at their definitions. The languages themselves are rows of the table of formats; one without a grammar is cut at
//! blank lines.

use formats::Family;
use tree_sitter::Language as Grammar;

use crate::{Format, Input};

/// Makes a grammar.
type Load = fn() -> Grammar;

#[cfg(feature = "grammars")]
const GRAMMARS: &[(&Format, Load)] = &[
    (Format::of("rust"), || tree_sitter_rust::LANGUAGE.into()),
    (Format::of("python"), || tree_sitter_python::LANGUAGE.into()),
    (Format::of("javascript"), || tree_sitter_javascript::LANGUAGE.into()),
    (Format::of("typescript"), || tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into()),
    (Format::of("tsx"), || tree_sitter_typescript::LANGUAGE_TSX.into()),
    (Format::of("go"), || tree_sitter_go::LANGUAGE.into()),
    (Format::of("java"), || tree_sitter_java::LANGUAGE.into()),
    (Format::of("c"), || tree_sitter_c::LANGUAGE.into()),
    (Format::of("cpp"), || tree_sitter_cpp::LANGUAGE.into()),
    (Format::of("csharp"), || tree_sitter_c_sharp::LANGUAGE.into()),
    (Format::of("ruby"), || tree_sitter_ruby::LANGUAGE.into()),
    (Format::of("php"), || tree_sitter_php::LANGUAGE_PHP.into()),
    (Format::of("shell"), || tree_sitter_bash::LANGUAGE.into()),
];
#[cfg(not(feature = "grammars"))]
const GRAMMARS: &[(&Format, Load)] = &[];

/// The grammar of a language, by its name or another word that people use for it: the word behind a Markdown fence.
pub fn grammar(name: &str) -> Option<Grammar> {
    let language = Format::meant_by(name)?;
    GRAMMARS.iter().find(|(format, _)| *format == language).map(|(_, grammar)| grammar())
}

pub(crate) fn is_named(input: &Input<'_>) -> bool {
    by_name(input).is_some()
}

pub(crate) fn has_shebang(bytes: &[u8]) -> bool {
    by_shebang(bytes).is_some()
}

/// The language of a file, by its name or else by its first line.
pub(crate) fn language_of(input: &Input<'_>) -> Option<&'static Format> {
    by_name(input).or_else(|| by_shebang(input.bytes))
}

fn by_name(input: &Input<'_>) -> Option<&'static Format> {
    Format::of_file(&input.file_name()).filter(is_code)
}

/// The language of an interpreter in a first line `#!..`.
fn by_shebang(bytes: &[u8]) -> Option<&'static Format> {
    let line = bytes.strip_prefix(b"#!")?;
    let end = line.iter().take(128).position(|&byte| byte == b'\n').unwrap_or(line.len().min(128));
    let line = std::str::from_utf8(&line[..end]).ok()?;
    let program = line.split_whitespace().find(|word| !word.ends_with("/env") && !word.starts_with('-'))?;
    let program = program.rsplit('/').next()?.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    Format::meant_by(program).filter(is_code)
}

fn is_code(format: &&Format) -> bool {
    format.family == Family::Code
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::ExtractLimits;

    fn name_of(path: &str, text: &str) -> Option<&'static str> {
        language_of(&Input::new(Path::new(path), text.as_bytes(), &ExtractLimits::default()))
            .map(|language| language.name)
    }

    #[test]
    fn languages_are_known_by_name_and_first_line() {
        assert_eq!(name_of("a/B.RS", ""), Some("rust"));
        assert_eq!(name_of("CMakeLists.txt", ""), Some("cmake"));
        assert_eq!(name_of("tool", "#!/usr/bin/env -S python3.11 -u\n"), Some("python"));
        assert_eq!(name_of("tool", "#!/bin/sh\n"), Some("shell"));
        assert_eq!(name_of("tool", "words"), None);
    }

    #[test]
    fn every_grammar_loads() {
        for (language, grammar) in GRAMMARS {
            let mut parser = tree_sitter::Parser::new();
            assert!(parser.set_language(&grammar()).is_ok(), "{} has an incompatible grammar", language.name);
        }
        assert!(grammar("ts").is_some() && grammar("C++").is_some() && grammar("text").is_none());
    }
}
