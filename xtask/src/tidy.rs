//! `cargo xtask tidy`: rules of the house that no other tool keeps.

use std::path::Path;

use anyhow::{Result, bail};
use clap::{ArgMatches, Command};

use crate::repo;

/// Crates whose input comes from a stranger: their lints forbid every way to panic.
const NO_PANIC: &[&str] = &["protocol-defs", "fobs", "auth", "cell-proto"];
const NO_PANIC_LINTS: &[&str] =
    &["clippy::unwrap_used", "clippy::expect_used", "clippy::panic", "clippy::indexing_slicing"];

/// Crates that take time and randomness as arguments.
const SANS_IO: &[&str] = &["protocol-defs", "fobs", "auth", "cell-proto", "netsim"];
const CLOCKS_AND_GENERATORS: &[&str] =
    &["Instant::now", "SystemTime::now", "thread::sleep", "SystemRandom", "SysRng", "OsRng", "getrandom"];

/// Files that name a generator for a reason.
const GENERATORS_ALLOWED: &[(&str, &str)] = &[(
    "crates/auth/src/identity/key.rs",
    "the salt of a signature is drawn inside the crypto library, which asks for its own",
)];

/// Crates whose public functions may be asynchronous.
const ASYNC: &[&str] = &["cell", "client", "server", "trainer"];

/// A file longer than this has more than one job, or a reason here.
const LINES: usize = 600;
const LONG_FILES: &[(&str, &str)] = &[];

/// Words that have no place in the repo, parted so that this list does not contain them.
const ATTRIBUTES: &[(&str, &str)] = &[
    (concat!("#![deny(", "warnings)]"), "warnings fail by environment, in CI, never by attribute"),
    (concat!("#[ig", "nore"), "a test that does not run tests nothing"),
    (concat!("#[should_", "panic"), "assert on the error instead"),
];

pub(crate) fn command() -> Command {
    Command::new("tidy").about("Check module docs, file sizes, cancel safety, panics, clocks and generators")
}

pub(crate) fn run(_: &ArgMatches) -> Result<()> {
    let problems = problems()?;
    for problem in &problems {
        println!("tidy: {problem}");
    }
    if !problems.is_empty() {
        bail!("{} untidy places", problems.len());
    }
    println!("tidy: nothing to put away");
    Ok(())
}

fn problems() -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for folder in ["crates", "xtask", "tests"] {
        for path in repo::sources(&repo::root().join(folder))? {
            let text = repo::read(&path)?;
            let name = repo::shown(&path);
            problems.extend(any_file(&name, &text).map(|problem| format!("{name}: {problem}")));
            problems.extend(by_crate(&name, &text).into_iter().map(|(line, what)| format!("{name}:{line}: {what}")));
        }
    }
    for name in NO_PANIC {
        let path = repo::root().join("crates").join(name).join("src/lib.rs");
        let text = repo::read(&path)?;
        let missing: Vec<&str> = NO_PANIC_LINTS.iter().filter(|lint| !text.contains(**lint)).copied().collect();
        if !missing.is_empty() {
            problems.push(format!("{}: does not warn of {}", repo::shown(&path), missing.join(", ")));
        }
    }
    Ok(problems)
}

/// What holds in every source file.
fn any_file<'a>(name: &'a str, text: &'a str) -> impl Iterator<Item = String> + 'a {
    let first = text.lines().find(|line| !line.is_empty()).unwrap_or_default();
    let undocumented = !first.starts_with("//!") && !first.starts_with("#![doc = include_str!");
    let lines = text.lines().count();
    let too_long = lines > LINES && !LONG_FILES.iter().any(|(file, _)| *file == name);
    let words = ATTRIBUTES.iter().filter(|(word, _)| text.contains(word));
    undocumented
        .then(|| "its first line is not a module doc".to_owned())
        .into_iter()
        .chain(too_long.then(|| format!("{lines} lines; split it, or give a reason in xtask/src/tidy.rs")))
        .chain(words.map(|(word, why)| format!("{word}: {why}")))
}

/// What holds in some crates only, outside of their tests.
fn by_crate(name: &str, text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let Some(in_crates) = name.strip_prefix("crates/") else { return found };
    let Some((krate, rest)) = in_crates.split_once('/') else { return found };
    if !rest.starts_with("src/") || Path::new(rest).file_stem().is_some_and(|stem| stem == "tests") {
        return found;
    }
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut docs = String::new();
    for (at, line) in code.lines().enumerate() {
        let line = line.trim_start();
        if line.starts_with("//") {
            docs.push_str(line);
            continue;
        }
        if SANS_IO.contains(&krate) && !GENERATORS_ALLOWED.iter().any(|(file, _)| *file == name) {
            for word in CLOCKS_AND_GENERATORS.iter().filter(|word| line.contains(**word)) {
                found.push((at + 1, format!("{word}: time and randomness are arguments here")));
            }
        }
        if krate == "protocol-defs" && rest != "src/table.rs" && line.starts_with("pub const ") && line.contains(" = ")
        {
            found.push((at + 1, "a constant outside of the tables, unknown to the registry".to_owned()));
        }
        if ASYNC.contains(&krate) && line.starts_with("pub async fn") && !docs.contains("# Cancel safety") {
            found.push((at + 1, "a public async function says what happens when it is dropped".to_owned()));
        }
        if !line.starts_with("#[") {
            docs.clear();
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, text: &str, expected: &[&str]) {
        let mut said: Vec<String> = any_file(name, text).collect();
        said.extend(by_crate(name, text).into_iter().map(|(line, what)| format!("{line}: {what}")));
        assert_eq!(said.len(), expected.len(), "{said:?}");
        for (said, expected) in said.iter().zip(expected) {
            assert!(said.contains(expected), "{said:?} does not say {expected:?}");
        }
    }

    #[test]
    fn each_rule_finds_its_break() {
        check("xtask/src/a.rs", "//! A room.\n", &[]);
        check("xtask/src/a.rs", "fn main() {}\n", &["module doc"]);
        check("xtask/src/a.rs", &format!("//! A room.\n{}", "\n".repeat(LINES)), &["601 lines"]);
        check("crates/auth/src/a.rs", "//! A room.\nlet now = Instant::now();\n", &["2: Instant::now"]);
        check("crates/cell/src/a.rs", "//! A room.\nlet now = Instant::now();\n", &[]);
        check("crates/auth/src/a.rs", "//! A room.\n// Instant::now is not read here.\n", &[]);
        check("crates/protocol-defs/src/a.rs", "//! A room.\npub const A: u8 = 1;\n", &["2: a constant outside"]);
        check("crates/cell/src/a.rs", "//! A room.\npub async fn send() {}\n", &["2: a public async"]);
        check("crates/cell/src/a.rs", "//! A room.\n/// # Cancel safety\n/// Yes.\npub async fn send() {}\n", &[]);
    }

    #[test]
    fn the_repo_is_tidy() {
        assert_eq!(problems().unwrap_or_else(|error| vec![format!("{error:#}")]), Vec::<String>::new());
    }
}
