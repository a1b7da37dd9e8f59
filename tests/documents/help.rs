//! The commands and flags that `quarry` has, as its own help tells them.

use std::collections::BTreeMap;
use std::process::Command;

/// The help of every command, by its words: `["models", "pull"]`.
pub(super) struct Help(BTreeMap<Vec<String>, Page>);

struct Page {
    commands: Vec<String>,
    /// Flags, and whether each takes a value.
    flags: BTreeMap<String, bool>,
}

impl Help {
    pub(super) fn read() -> Self {
        let mut pages = BTreeMap::new();
        let mut open = vec![Vec::new()];
        while let Some(words) = open.pop() {
            let page = Page::read(&words);
            open.extend(page.commands.iter().map(|name| [words.clone(), vec![name.clone()]].concat()));
            pages.insert(words, page);
        }
        Self(pages)
    }

    pub(super) fn has_command(&self, name: &str) -> bool {
        self.0.contains_key(&vec![name.to_string()])
    }

    /// Whether any command has this flag.
    pub(super) fn has_flag(&self, flag: &str) -> bool {
        self.0.values().any(|page| page.flags.contains_key(flag))
    }

    /// What is wrong with a command line, given without the program's name.
    pub(super) fn fault(&self, line: &str) -> Option<String> {
        let mut words = Vec::new();
        let mut flags = Vec::new();
        let mut tokens = tokens(line).into_iter();
        while let Some(token) = tokens.next() {
            let page = &self.0[&words];
            if token.starts_with('-') && token.len() > 1 {
                let name = token.split('=').next().unwrap_or_default().to_string();
                // A global flag may stand before the command that has it too.
                if page.flags.get(&name).copied().unwrap_or(false) && !token.contains('=') {
                    tokens.next();
                }
                flags.push(name);
            } else if page.commands.contains(&token) {
                words.push(token);
            } else if words.is_empty() && token.starts_with(|c: char| c.is_lowercase()) {
                return Some(format!("no command {token:?}"));
            }
        }
        let page = &self.0[&words];
        // `-vv` is `-v` twice.
        let is_known = |flag: &String| {
            let short = !flag.starts_with("--");
            page.flags.contains_key(if short { flag.get(..2).unwrap_or(flag) } else { flag })
        };
        flags.iter().find(|flag| !is_known(flag)).map(|flag| format!("quarry {} has no {flag}", words.join(" ")))
    }
}

impl Page {
    fn read(words: &[String]) -> Self {
        let run = Command::new(env!("CARGO_BIN_EXE_quarry")).args(words).arg("--help").output().unwrap();
        let text = String::from_utf8(run.stdout).unwrap();
        assert!(run.status.success() && text.contains("Usage:"), "{words:?}: {text}");
        let listed = text.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        // What wraps is indented further.
        let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
        let commands = names.map(str::to_string).collect();
        let mut flags = BTreeMap::new();
        for line in text.lines().map(str::trim).filter(|line| line.starts_with('-')) {
            let names = line.split([' ', ',']).map(|name| name.trim_end_matches("...")).filter(|name| name.len() > 1);
            for name in names.filter(|name| name.starts_with('-')) {
                flags.insert(name.to_string(), line.contains(" <"));
            }
        }
        Self { commands, flags }
    }
}

/// The words of a line of the shell, to its comment.
fn tokens(line: &str) -> Vec<String> {
    let (mut all, mut token, mut quote) = (Vec::new(), None::<String>, None);
    for character in line.chars() {
        match (character, quote) {
            (c, Some(q)) if c == q => quote = None,
            (c, Some(_)) => token.get_or_insert_default().push(c),
            ('"' | '\'', None) => {
                quote = Some(character);
                // The argument of a flag, not a flag.
                token.get_or_insert_with(|| "\u{1}".to_string());
            }
            (c, None) if c.is_whitespace() => all.extend(token.take()),
            ('#', None) if token.is_none() => return all,
            (c, None) => token.get_or_insert_default().push(c),
        }
    }
    all.extend(token);
    all
}
