//! The direction of imports: a search is a line, so no module of the searcher leads back to itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What each top-level module of a crate imports from the others, outside of tests.
fn imports(source: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut imports = BTreeMap::new();
    let mut folders = vec![source.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let relative = path.strip_prefix(source).unwrap();
            let module = relative.components().next().unwrap().as_os_str().to_string_lossy().replace(".rs", "");
            if module == "lib" {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            let names = code.split("crate::").skip(1).map(|rest| {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                rest[..end].to_owned()
            });
            let own: &mut BTreeSet<String> = imports.entry(module.clone()).or_default();
            own.extend(names.filter(|name| *name != module && name.chars().next().is_some_and(char::is_lowercase)));
        }
    }
    imports
}

/// All that a module reaches by imports.
fn reached<'a>(imports: &'a BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&str> = imports.get(from).into_iter().flatten().map(String::as_str).collect();
    while let Some(module) = next.pop() {
        if reached.insert(module) {
            next.extend(imports.get(module).into_iter().flatten().map(String::as_str));
        }
    }
    reached
}

#[test]
fn the_modules_of_the_searcher_import_in_one_direction() {
    let imports = imports(&Path::new(env!("CARGO_MANIFEST_DIR")).join("searcher/src"));
    assert!(imports["search"].contains("recall"), "the imports are read: {imports:?}");
    for module in imports.keys() {
        assert!(!reached(&imports, module).contains(module.as_str()), "{module} imports itself over others");
    }
}
