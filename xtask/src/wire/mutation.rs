//! Proof that no value can change unseen: every value is changed in a copy of the crate, and each change is named.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use fedcell_protocol_defs::registry;

use super::check;
use super::line::{self, Line, Problem};
use crate::{process, repo};

const PRINTER: &str = r#"fn main() {
    for (group, entry) in fedcell_protocol_defs::registry() {
        println!("{}\t{}\t{}\t{}\t{}", group.name, entry.name, entry.value, entry.since, entry.status);
    }
}
"#;

/// Copies the crate and changes the literal of every constant; returns how many it changed.
fn mutate(source: &Path, copy: &Path) -> Result<usize> {
    let mut changed = 0;
    for path in repo::sources(&source.join("src"))? {
        let (text, count) = changed_source(&repo::read(&path)?)?;
        changed += count;
        let to = copy.join(path.strip_prefix(source)?);
        fs::create_dir_all(to.parent().context("a source file has a folder")?)?;
        fs::write(to, text)?;
    }
    fs::copy(source.join("README.md"), copy.join("README.md"))?;
    fs::write(
        copy.join("Cargo.toml"),
        "[package]\nname = \"fedcell-protocol-defs\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n",
    )?;
    fs::write(copy.join("src/main.rs"), PRINTER)?;
    Ok(changed)
}

/// A line of a table is `NAME = literal` or `NAME: type = literal`, with `,` or `;` behind it.
fn changed_source(text: &str) -> Result<(String, usize)> {
    let mut output = String::new();
    let mut changed = 0;
    let mut in_table = false;
    let mut wants_value = false;
    for line in text.lines() {
        in_table = (in_table || line.starts_with("wire_table! {")) && line != "}";
        let trimmed = line.trim_start();
        let name_ends = trimmed.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
        let is_entry = in_table
            && name_ends.is_some_and(|end| end > 0 && trimmed[end..].trim_start().starts_with([':', '=']))
            && trimmed.starts_with(|c: char| c.is_ascii_uppercase());
        let value_at = if wants_value {
            Some(line.len() - trimmed.len())
        } else if is_entry {
            line.find('=').map(|at| at + 1)
        } else {
            None
        };
        let Some(value_at) = value_at else {
            output.push_str(line);
            output.push('\n');
            continue;
        };
        let (head, tail) = line.split_at(value_at);
        let value = tail.trim_start();
        wants_value = value.is_empty();
        output.push_str(head);
        if wants_value {
            output.push('\n');
            continue;
        }
        output.push(' ');
        output.push_str(&changed_literal(value).with_context(|| format!("in `{line}`"))?);
        output.push('\n');
        changed += 1;
    }
    Ok((output, changed))
}

/// The rest of a line that begins with a literal, with another literal of the same type.
fn changed_literal(text: &str) -> Result<String> {
    if let Some(inner) = text.strip_prefix('"') {
        let mut escaped = false;
        let end = inner.find(|c: char| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let (value, rest) = inner.split_at(end.context("a text without its end")?);
        return Ok(format!("\"{value}~{rest}"));
    }
    let end = text.find([',', ';', ' ']).context("a value without its end")?;
    let (value, rest) = text.split_at(end);
    let value = match value {
        "true" => "false".to_owned(),
        "false" => "true".to_owned(),
        _ if value.contains('.') => format!("{:?}", value.replace('_', "").parse::<f64>()? + 0.25),
        _ => {
            let digits = value.replace('_', "");
            let number = match digits.split_at_checked(2) {
                Some(("0x", hex)) => i128::from_str_radix(hex, 16)?,
                Some(("0o", octal)) => i128::from_str_radix(octal, 8)?,
                _ => digits.parse()?,
            };
            // Another number that the same type holds, and distinct wherever the first ones were.
            (number ^ 64).to_string()
        }
    };
    Ok(value + rest)
}

fn lines_of_mutated_copy() -> Result<(Vec<Line>, usize)> {
    let copy = repo::target().join("wire-mutation");
    let _ = fs::remove_dir_all(copy.join("src"));
    let changed = mutate(&repo::root().join("crates/protocol-defs"), &copy)?;
    let text = process::output(
        Command::new(repo::cargo().get_program())
            .current_dir(&copy)
            .args(["run", "--quiet", "--offline"])
            .args(["--target-dir", "target"]),
    )?;
    Ok((line::parse(&text)?, changed))
}

#[test]
fn every_changed_value_is_named_with_old_and_new() -> Result<()> {
    let committed = line::parse(&repo::read(&super::path())?)?;
    let (mutated, changed) = lines_of_mutated_copy()?;
    assert_eq!(changed, registry().count(), "not every value was changed in the copy");
    let problems = check::history(&mutated, &committed);
    let said: BTreeSet<String> = problems.iter().map(ToString::to_string).collect();
    let new_value = |line: &Line| mutated.iter().find(|new| new.key() == line.key()).map(|new| new.value.clone());
    for old in &committed {
        let new = new_value(old).with_context(|| format!("{} {} is not in the copy", old.group, old.name))?;
        ensure!(new != old.value, "{} {} kept its value in the copy", old.group, old.name);
        let expected = Problem::Changed {
            group: old.group.clone(),
            name: old.name.clone(),
            field: "value",
            old: old.value.clone(),
            new,
        };
        assert!(said.contains(&expected.to_string()), "nothing said: {expected}");
    }
    assert_eq!(problems.len(), committed.len());
    Ok(())
}

#[test]
fn every_vanished_line_is_named() -> Result<()> {
    let committed = line::parse(&repo::read(&super::path())?)?;
    for at in 0..committed.len() {
        let mut current = committed.clone();
        let gone = current.remove(at);
        let problems = check::history(&current, &committed);
        assert_eq!(problems, [Problem::Vanished { group: gone.group, name: gone.name, old: gone.value }]);
    }
    Ok(())
}
