//! The languages of source code, configuration and data that quarry knows by name: a new one is one line in
//! [`LANGUAGES`]. Those with a grammar are cut at their definitions, the others at blank lines.

use tree_sitter::Language as Grammar;

use crate::Input;

/// A language of source code or data.
pub(crate) struct Language {
    /// What a document's kind says.
    pub(crate) name: &'static str,
    extensions: &'static [&'static str],
    /// Whole file names, lower case.
    names: &'static [&'static str],
    grammar: Option<fn() -> Grammar>,
}

const fn plain(name: &'static str, extensions: &'static [&'static str], names: &'static [&'static str]) -> Language {
    Language { name, extensions, names, grammar: None }
}

const fn parsed(name: &'static str, extensions: &'static [&'static str], grammar: fn() -> Grammar) -> Language {
    Language { name, extensions, names: &[], grammar: Some(grammar) }
}

const LANGUAGES: &[Language] = &[
    parsed("rust", &["rs"], || tree_sitter_rust::LANGUAGE.into()),
    parsed("python", &["py", "pyi", "pyw"], || tree_sitter_python::LANGUAGE.into()),
    parsed("javascript", &["js", "mjs", "cjs", "jsx"], || tree_sitter_javascript::LANGUAGE.into()),
    parsed("typescript", &["ts", "mts", "cts"], || tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into()),
    parsed("tsx", &["tsx"], || tree_sitter_typescript::LANGUAGE_TSX.into()),
    parsed("go", &["go"], || tree_sitter_go::LANGUAGE.into()),
    parsed("java", &["java"], || tree_sitter_java::LANGUAGE.into()),
    parsed("c", &["c", "h"], || tree_sitter_c::LANGUAGE.into()),
    parsed("cpp", &["cc", "cpp", "cxx", "hh", "hpp", "hxx", "ipp"], || tree_sitter_cpp::LANGUAGE.into()),
    parsed("csharp", &["cs", "csx"], || tree_sitter_c_sharp::LANGUAGE.into()),
    Language {
        names: &["gemfile", "rakefile"],
        ..parsed("ruby", &["rb", "rake", "gemspec"], || tree_sitter_ruby::LANGUAGE.into())
    },
    parsed("php", &["php", "phtml"], || tree_sitter_php::LANGUAGE_PHP.into()),
    Language {
        names: &[".bashrc", ".profile", ".zshrc"],
        ..parsed("shell", &["sh", "bash", "zsh"], || tree_sitter_bash::LANGUAGE.into())
    },
    plain("kotlin", &["kt", "kts"], &[]),
    plain("swift", &["swift"], &[]),
    plain("scala", &["scala", "sbt"], &[]),
    plain("perl", &["pl", "pm"], &[]),
    plain("lua", &["lua"], &[]),
    plain("r", &["r"], &[]),
    plain("julia", &["jl"], &[]),
    plain("haskell", &["hs"], &[]),
    plain("elixir", &["ex", "exs"], &[]),
    plain("erlang", &["erl", "hrl"], &[]),
    plain("clojure", &["clj", "cljs", "edn"], &[]),
    plain("dart", &["dart"], &[]),
    plain("zig", &["zig"], &[]),
    plain("powershell", &["ps1", "psm1"], &[]),
    plain("batch", &["bat", "cmd"], &[]),
    plain("sql", &["sql"], &[]),
    plain("css", &["css", "scss", "sass", "less"], &[]),
    plain("fish", &["fish"], &[]),
    plain("vue", &["vue"], &[]),
    plain("svelte", &["svelte"], &[]),
    plain("protobuf", &["proto"], &[]),
    plain("graphql", &["graphql", "gql"], &[]),
    plain("terraform", &["tf", "tfvars", "hcl"], &[]),
    plain("nix", &["nix"], &[]),
    plain("dockerfile", &["dockerfile"], &["dockerfile", "containerfile"]),
    plain("makefile", &["mk", "mak"], &["makefile", "gnumakefile", "justfile"]),
    plain("cmake", &["cmake"], &["cmakelists.txt"]),
    plain("toml", &["toml"], &["cargo.lock"]),
    plain("yaml", &["yaml", "yml"], &[]),
    plain("ini", &["ini", "cfg", "conf", "properties", "env", "editorconfig"], &[]),
    plain("diff", &["diff", "patch"], &[]),
];

/// Interpreters in a first line `#!..`, and the language each runs.
const INTERPRETERS: &[(&str, &str)] = &[
    ("python", "python"),
    ("node", "javascript"),
    ("bash", "shell"),
    ("sh", "shell"),
    ("zsh", "shell"),
    ("ruby", "ruby"),
    ("perl", "perl"),
    ("php", "php"),
];

/// Words after a Markdown fence that mean a language by another name.
const ALIASES: &[(&str, &str)] = &[
    ("rs", "rust"),
    ("py", "python"),
    ("js", "javascript"),
    ("jsx", "javascript"),
    ("ts", "typescript"),
    ("golang", "go"),
    ("c++", "cpp"),
    ("c#", "csharp"),
    ("cs", "csharp"),
    ("rb", "ruby"),
    ("sh", "shell"),
    ("bash", "shell"),
    ("zsh", "shell"),
];

/// The grammar of a language, by the name that blocks carry.
pub fn grammar(name: &str) -> Option<Grammar> {
    let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name);
    let language = LANGUAGES.iter().find(|language| language.name == name)?;
    language.grammar.map(|grammar| grammar())
}

pub(crate) fn is_named(input: &Input<'_>) -> bool {
    by_name(input).is_some()
}

pub(crate) fn has_shebang(bytes: &[u8]) -> bool {
    by_shebang(bytes).is_some()
}

/// The language of a file, by its name or else by its first line.
pub(crate) fn language_of(input: &Input<'_>) -> Option<&'static Language> {
    by_name(input).or_else(|| by_shebang(input.bytes))
}

fn by_name(input: &Input<'_>) -> Option<&'static Language> {
    let (name, extension) = (input.file_name().to_lowercase(), input.extension());
    let whole = LANGUAGES.iter().find(|language| language.names.contains(&name.as_str()));
    whole.or_else(|| LANGUAGES.iter().find(|language| language.extensions.contains(&extension.as_str())))
}

fn by_shebang(bytes: &[u8]) -> Option<&'static Language> {
    let line = bytes.strip_prefix(b"#!")?;
    let end = line.iter().take(128).position(|&byte| byte == b'\n').unwrap_or(line.len().min(128));
    let line = std::str::from_utf8(&line[..end]).ok()?;
    let program = line.split_whitespace().find(|word| !word.ends_with("/env") && !word.starts_with('-'))?;
    let program = program.rsplit('/').next()?.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let (_, name) = INTERPRETERS.iter().find(|(interpreter, _)| *interpreter == program)?;
    LANGUAGES.iter().find(|language| language.name == *name)
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
        for language in LANGUAGES {
            let Some(grammar) = super::grammar(language.name) else { continue };
            let mut parser = tree_sitter::Parser::new();
            assert!(parser.set_language(&grammar).is_ok(), "{} has an incompatible grammar", language.name);
        }
        assert!(grammar("ts").is_some() && grammar("text").is_none());
    }
}
