//! Permissions from the file system: what is found as somebody is what that user could read, whatever modes, lists and folders
//! say, and changes of permissions alone are noticed. Only root can make files of others: without its rights these tests are
//! left out, and say so.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use crate::server::{PATIENCE, Server};
use crate::support::Bench;

/// The name under which Linux keeps access control lists.
const LIST: &str = "system.posix_acl_access";
/// Rounds in which all permissions are drawn anew; more of them by `QUARRY_ROUNDS`.
const ROUNDS: usize = 3;

/// A user of the tests, whom the system need not know: their number, their own group and the others.
const USERS: [(u32, u32, &[u32]); 5] = [
    (70_001, 70_011, &[]),
    (70_002, 70_012, &[70_013]),
    (70_003, 70_013, &[70_011, 70_014]),
    (70_004, 70_014, &[]),
    (70_005, 70_015, &[]),
];

/// Whether files of others can be made and read as others.
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
fn is_root(bench: &Bench) -> bool {
    let probe = bench.root.path().join("probe");
    fs::write(&probe, "x").unwrap();
    let is_root = chown(&probe, Some(70_001), Some(70_011)).is_ok();
    if !is_root {
        eprintln!("LEFT OUT: only root can make files of other users");
    }
    // The folder of a test is its user's alone; what lies above a source counts as well.
    fs::set_permissions(bench.root.path(), Permissions::from_mode(0o755)).unwrap();
    is_root
}

/// A generator that gives the same numbers in each run (xorshift; Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }

    fn of<T: Copy>(&mut self, some: &[T]) -> T {
        some[self.next(some.len())]
    }
}

/// The rights of one file or folder, as they were drawn.
struct Drawn {
    /// Whether others have the right and a group has not, which a list of some without others cannot tell of those who have
    /// it as owner or by name.
    is_beyond_lists: bool,
}

/// Draws owner, group, mode and perhaps a list anew.
fn draw(path: &Path, right: u16, dice: &mut Dice) -> Drawn {
    let users: Vec<u32> = USERS.iter().map(|(user, ..)| *user).chain([0]).collect();
    let groups: Vec<u32> = USERS.iter().map(|(_, group, _)| *group).collect();
    chown(path, Some(dice.of(&users)), Some(dice.of(&groups))).unwrap();
    remove_list(path);
    let bits =
        |dice: &mut Dice| if dice.next(3) == 0 { dice.next(8) as u16 & !right } else { dice.next(8) as u16 | right };
    let mode = bits(dice) << 6 | bits(dice) << 3 | if dice.next(2) == 0 { 0 } else { bits(dice) };
    fs::set_permissions(path, Permissions::from_mode(u32::from(mode))).unwrap();
    let lacks = |bits: u16| bits & right == 0;
    if dice.next(2) == 0 {
        return Drawn { is_beyond_lists: !lacks(mode) && lacks(mode >> 3) };
    }
    let mut named: BTreeMap<(u16, u32), u16> = BTreeMap::new();
    for _ in 0..1 + dice.next(3) {
        let entry = if dice.next(2) == 0 { (0x02, dice.of(&users[..5])) } else { (0x08, dice.of(&groups)) };
        named.insert(entry, bits(dice));
    }
    // A mask of nothing at all is no mask to the kernel, which then looks at the mode alone.
    let mask = bits(dice).max(1);
    let (owner, group, others) = (mode >> 6 & 7, bits(dice), mode & 7);
    let mut entries = vec![(0x01, owner, u32::MAX)];
    let of =
        |tag: u16| named.iter().filter(move |((of, _), _)| *of == tag).map(move |((_, id), bits)| (tag, *bits, *id));
    entries.extend(of(0x02));
    entries.push((0x04, group, u32::MAX));
    entries.extend(of(0x08));
    entries.extend([(0x10, mask, u32::MAX), (0x20, others, u32::MAX)]);
    set_list(path, &entries);
    let has_group_without = entries.iter().any(|(tag, bits, _)| [0x04, 0x08].contains(tag) && lacks(bits & mask));
    Drawn { is_beyond_lists: !lacks(others) && has_group_without }
}

fn set_list(path: &Path, entries: &[(u16, u16, u32)]) {
    let mut value = 2u32.to_le_bytes().to_vec();
    for (tag, bits, id) in entries {
        value.extend([tag.to_le_bytes(), bits.to_le_bytes()].concat());
        value.extend(id.to_le_bytes());
    }
    rustix::fs::setxattr(path, LIST, &value, rustix::fs::XattrFlags::empty()).unwrap();
}

fn remove_list(path: &Path) {
    // Most have none.
    let _ = rustix::fs::removexattr(path, LIST);
}

/// The files that a user can really open: asked as that user, in a process of its own.
fn readable(user: (u32, u32, &[u32]), root: &Path, files: &[PathBuf]) -> BTreeSet<String> {
    let (id, group, others) = user;
    let groups = match others {
        [] => "--clear-groups".to_owned(),
        others => format!("--groups={}", others.iter().map(u32::to_string).collect::<Vec<_>>().join(",")),
    };
    let asked = Command::new("setpriv")
        .args([format!("--reuid={id}"), format!("--regid={group}"), groups])
        .args([
            "sh",
            "-c",
            "for file in \"$@\"; do if (exec < \"$file\") 2>/dev/null; then echo \"$file\"; fi; done",
            "sh",
        ])
        .args(files)
        .output()
        .unwrap();
    assert!(asked.status.success(), "{asked:?}");
    let told = String::from_utf8(asked.stdout).unwrap();
    told.lines().map(|line| below(root, Path::new(line))).collect()
}

fn below(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()
}

/// All that a user is, as a search is told.
fn principals(user: (u32, u32, &[u32])) -> String {
    let (id, group, others) = user;
    let groups = std::iter::once(&group).chain(others).map(|group| format!("posix-group:{group}"));
    std::iter::once(format!("posix-user:{id}")).chain(groups).collect::<Vec<_>>().join(",")
}

fn found(bench: &Bench, seen_as: &str) -> BTreeSet<String> {
    paths(&bench.search(&["pump", "--lexical", "-n", "200", "--as", seen_as]))
}

/// All that an answer names, near-duplicates as well.
fn paths(answer: &Value) -> BTreeSet<String> {
    let results = answer["results"].as_array().unwrap();
    let copies = results.iter().flat_map(|hit| hit["copies"].as_array().into_iter().flatten());
    results.iter().chain(copies).map(|hit| hit["path"].as_str().unwrap().to_owned()).collect()
}

/// Words that no other path has: texts that are almost the same would be one result.
fn words(path: &Path) -> String {
    let hash = blake3::hash(path.as_os_str().as_encoded_bytes()).to_hex();
    hash.as_bytes().chunks(3).map(|part| format!("w{} ", String::from_utf8_lossy(part))).collect()
}

/// Folders of a source, each with files in it, some deep.
fn tree(bench: &Bench) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (mut folders, mut files) = (Vec::new(), Vec::new());
    for number in 0..16 {
        let folder = match number % 4 {
            3 => bench.docs().join(format!("f{}/f{number}", number - 1)),
            _ => bench.docs().join(format!("f{number}")),
        };
        fs::create_dir_all(&folder).unwrap();
        for file in 0..5 {
            let file = folder.join(format!("{file}.md"));
            fs::write(&file, format!("# Pump\n\nThe pump {}.\n", words(&file))).unwrap();
            files.push(file);
        }
        folders.push(folder);
    }
    folders.push(bench.docs());
    (folders, files)
}

#[test]
fn everybody_finds_what_they_can_read_and_nothing_else() {
    let bench = Bench::new();
    if !is_root(&bench) {
        return;
    }
    let (folders, files) = tree(&bench);
    let docs = bench.docs().canonicalize().unwrap();
    let rounds = std::env::var("QUARRY_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    let (mut dice, mut equal, mut seen, mut hidden, mut stricter) = (Dice(0x5EED), 0, 0, 0, 0);
    for round in 0..rounds {
        let mut beyond: BTreeSet<PathBuf> = BTreeSet::new();
        for path in &folders {
            // The source itself is closed to few, or nothing would be compared.
            let drawn = if *path == bench.docs() {
                fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
                chown(path, Some(USERS[round % 5].0), Some(0)).unwrap();
                Drawn { is_beyond_lists: false }
            } else {
                draw(path, 1, &mut dice)
            };
            beyond.extend(drawn.is_beyond_lists.then(|| path.clone()));
        }
        for path in &files {
            beyond.extend(draw(path, 4, &mut dice).is_beyond_lists.then(|| path.clone()));
        }
        let run = bench.run(&["index", "--permissions", "posix", bench.docs().to_str().unwrap()]).succeeded();
        if round > 0 {
            assert!(run.stdout().contains("0 indexed") || !run.stdout().contains("80 indexed"), "{}", run.stdout());
        }
        for user in USERS {
            let (can, finds) = (readable(user, &docs, &files), found(&bench, &principals(user)));
            assert!(finds.is_subset(&can), "round {round}, user {user:?} finds {:?}", finds.difference(&can));
            for file in &files {
                let path = below(&bench.docs(), file);
                let is_exact = !file.ancestors().any(|part| beyond.contains(part));
                if is_exact {
                    assert_eq!(finds.contains(&path), can.contains(&path), "round {round}, user {user:?}, {path}");
                    equal += 1;
                }
                *if finds.contains(&path) { &mut seen } else { &mut hidden } += 1;
                stricter += usize::from(can.contains(&path) && !finds.contains(&path));
            }
        }
        // Who has shown nobody who they are finds what is open to all.
        let anybody = found(&bench, "everyone");
        USERS.iter().for_each(|user| assert!(anybody.is_subset(&readable(*user, &docs, &files)), "round {round}"));
    }
    println!("{equal} of {} compared for equality, {seen} found, {hidden} not, {stricter} stricter", seen + hidden);
    assert!(seen > 40 * rounds && hidden > 40 * rounds && equal > 100 * rounds, "{seen} {hidden} {equal}");
}

#[test]
fn folders_above_and_files_inside_count_and_links_do_not() {
    let bench = Bench::new();
    if !is_root(&bench) {
        return;
    }
    let (anna, ben) = ("posix-user:70001,posix-group:70011", "posix-user:70002,posix-group:70012");
    for folder in ["open", "closed"] {
        fs::create_dir(bench.docs().join(folder)).unwrap();
    }
    let letter = "From: a@x.example\r\nSubject: Pump\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
        --b\r\nContent-Type: text/plain\r\n\r\nThe pump is here.\r\n--b\r\nContent-Type: text/plain; name=more.txt\r\n\
        Content-Disposition: attachment; filename=more.txt\r\n\r\nMore of the pump.\r\n--b--\r\n";
    fs::write(bench.docs().join("closed/a.eml"), letter).unwrap();
    bench.write("closed/b.md", "# Pump\n\nThe pump in the closed folder.\n");
    fs::hard_link(bench.docs().join("closed/b.md"), bench.docs().join("open/b.md")).unwrap();
    std::os::unix::fs::symlink(bench.docs().join("closed"), bench.docs().join("open/link")).unwrap();
    bench.write("open/none.md", "# Pump\n\nThe pump that nobody may read.\n");
    fs::set_permissions(bench.docs().join("open/none.md"), Permissions::from_mode(0o200)).unwrap();
    let closed = bench.docs().join("closed");
    chown(&closed, Some(70_001), Some(70_011)).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    let index = || bench.run(&["index", "--permissions", "posix", bench.docs().to_str().unwrap()]).succeeded();
    index();
    let set = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<BTreeSet<_>>();
    let all = ["closed/a.eml", "closed/a.eml/more.txt", "closed/b.md", "open/b.md"];
    assert_eq!(found(&bench, anna), set(&all), "the same file is found under each name that leads to it");
    assert_eq!(found(&bench, ben), set(&["open/b.md"]));
    // The folder above the source: nobody but its owner gets to any of it.
    chown(bench.root.path(), Some(70_002), Some(0)).unwrap();
    fs::set_permissions(bench.root.path(), Permissions::from_mode(0o700)).unwrap();
    index();
    assert_eq!((found(&bench, anna), found(&bench, ben)), (set(&[]), set(&["open/b.md"])));
    let told = bench.run(&["access", "explain", "docs/open/b.md", "--as", anna]).succeeded().stdout();
    assert!(told.contains("[posix-user:70002]") && told.contains("may not see it"), "{told}");
    assert!(bench.run(&["access", "list"]).succeeded().stdout().contains("as the file system says"));
}

#[test]
fn mail_is_for_its_owner_and_what_files_say_is_switched_on_and_off() {
    let bench = Bench::new();
    if !is_root(&bench) {
        return;
    }
    for (name, owner) in [("anna.eml", 70_001), ("ben.eml", 70_002)] {
        bench.write(name, &format!("From: a@x.example\r\nSubject: Pump\r\n\r\nThe pump of {name}.\r\n"));
        let path = bench.docs().join(name);
        chown(&path, Some(owner), Some(0)).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    }
    let (anna, docs) = ("posix-user:70001", bench.docs().display().to_string());
    let index = |permissions: &str| bench.run(&["index", "--permissions", permissions, &docs]).succeeded();
    let set = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<BTreeSet<_>>();
    bench.index();
    assert_eq!(found(&bench, "everyone").len(), 2, "files say nothing unless they are asked");
    index("owner");
    assert_eq!((found(&bench, anna), found(&bench, "everyone")), (set(&["anna.eml"]), set(&[])));
    // Any later run asks them again, and new ones too, without being told.
    bench.write("new.eml", "From: a@x.example\r\nSubject: Pump\r\n\r\nA new pump.\r\n");
    chown(bench.docs().join("anna.eml"), Some(70_002), None).unwrap();
    bench.index();
    assert_eq!((found(&bench, anna), found(&bench, "everyone")), (set(&[]), set(&[])));
    assert_eq!(found(&bench, "posix-user:70002"), set(&["anna.eml", "ben.eml"]));
    // A rebuild hides what was hidden.
    bench.run(&["index", "--rebuild"]).succeeded();
    assert_eq!((found(&bench, "posix-user:70002").len(), found(&bench, "everyone").len()), (2, 0));
    bench.verify();
    index("posix");
    assert_eq!(found(&bench, "everyone").len(), 3);
    index("none");
    assert_eq!(found(&bench, "everyone").len(), 3);
    let refused = bench.run(&["index", "--permissions", "acl", &docs]);
    assert!(!refused.0.status.success() && refused.stderr().contains("possible values: posix, owner, none"));
}

#[test]
fn a_server_notices_permissions_that_change() {
    let bench = Bench::new();
    if !is_root(&bench) {
        return;
    }
    // A user that every Debian has, whose number and groups the system knows.
    const DAEMON: u32 = 1;
    bench.write("deep/below/a.md", "# Pump\n\nThe pump below.\n");
    bench.write("b.md", "# Pump\n\nThe pump above.\n");
    bench.write("other.md", "# Pump\n\nThe pump of others.\n");
    for path in ["deep/below/a.md", "b.md"] {
        chown(bench.docs().join(path), Some(DAEMON), Some(0)).unwrap();
        fs::set_permissions(bench.docs().join(path), Permissions::from_mode(0o600)).unwrap();
    }
    fs::set_permissions(bench.docs().join("other.md"), Permissions::from_mode(0o600)).unwrap();
    let made = |name: &str, rest: &[&str]| {
        let run = bench.run(&[&["keys", "create", name], rest].concat()).succeeded();
        format!("Bearer {}", run.stdout().trim())
    };
    let (anna, stranger) = (made("anna", &["--as", "user:anna"]), made("daemon", &["--as", "user:daemon"]));
    let admin = made("admin", &["--scope", "admin"]);
    let config = format!(
        "[auth]\nposix_users = {{ \"user:anna\" = \"daemon\" }}\n[index]\nsources = [{{ name = \"docs\", folder = {:?}, permissions = \"posix\" }}]\n",
        bench.docs().display().to_string()
    );
    let server = Server::configured(&bench, &config, &[]).ready();
    let seen_by = |key: &str| {
        let answer = server.request("GET", "/api/v1/search?q=pump&mode=lexical", &[("authorization", key)], &[]);
        let answer = answer.expect(200);
        paths(&answer)
    };
    let set = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<BTreeSet<_>>();
    let eventually = |what: &str, key: &str, expected: &[&str]| {
        let started = Instant::now();
        while seen_by(key) != set(expected) {
            assert!(started.elapsed() < PATIENCE, "not in time: {what}: {:?}", seen_by(key));
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    };
    eventually("the first pass", &anna, &["b.md", "deep/below/a.md"]);
    assert_eq!(seen_by(&stranger), set(&[]), "nobody is a user of the system by their name alone");
    assert_eq!(seen_by(&admin).len(), 3);
    let set_mode = |path: &str, mode: u32| {
        fs::set_permissions(bench.docs().join(path), Permissions::from_mode(mode)).unwrap();
    };
    set_mode("deep", 0o700);
    eventually("a folder that is closed", &anna, &["b.md"]);
    set_mode("deep", 0o701);
    eventually("a folder that is opened", &anna, &["b.md", "deep/below/a.md"]);
    set_list(&bench.docs().join("b.md"), &[(0x01, 0, u32::MAX), (0x04, 6, u32::MAX), (0x20, 6, u32::MAX)]);
    eventually("an owner that is kept out", &anna, &["deep/below/a.md"]);
    set_mode("other.md", 0o604);
    eventually("a file that is opened", &anna, &["deep/below/a.md", "other.md"]);
    eventually("to those who are no user of the system as well, once nobody is kept out", &stranger, &[]);
    set_mode("other.md", 0o644);
    eventually("a file that is open to all", &stranger, &["other.md"]);
    // Over the API: switched off, nothing is hidden; on again, all is as before.
    let put = |permissions: &str| {
        let body = format!("{{\"rules\": [], \"permissions\": {permissions:?}}}");
        let headers = [("authorization", admin.as_str()), ("content-type", "application/json")];
        server.request("PUT", "/api/v1/sources/docs/access", &headers, body.as_bytes()).expect(200)
    };
    assert_eq!(put("none")["permissions"], "none");
    assert_eq!(seen_by(&stranger).len(), 3);
    put("posix");
    eventually("switched on again", &anna, &["deep/below/a.md", "other.md"]);
    assert_eq!(seen_by(&stranger), set(&["other.md"]));
}
