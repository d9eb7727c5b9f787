//! The pages of `docs/guide`: what stands there as Rust is a part of an example, and what is linked is there.

use std::fs;
use std::path::{Path, PathBuf};

fn guide() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide")
}

/// Targets of links in a page, without those to other places.
fn links(page: &str) -> Vec<&str> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    targets.filter(|target| !target.starts_with("http")).collect()
}

/// Blocks of code of one language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("```{language}\n");
    page.split(&opening).skip(1).filter_map(|rest| rest.split_once("\n```")).map(|(block, _)| block).collect()
}

#[test]
fn code_is_of_an_example_and_links_lead_somewhere() {
    let mut count = 0;
    for entry in fs::read_dir(guide()).unwrap() {
        let path = entry.unwrap().path();
        let page = fs::read_to_string(&path).unwrap();
        let name = path.display();
        let linked: Vec<PathBuf> = links(&page).into_iter().map(|target| guide().join(target)).collect();
        for target in &linked {
            assert!(target.exists(), "{name} links {}, which is not there", target.display());
        }
        let examples: Vec<String> = linked
            .iter()
            .filter(|target| target.extension().is_some_and(|extension| extension == "rs"))
            .map(|target| fs::read_to_string(target).unwrap())
            .collect();
        for block in blocks(&page, "rust") {
            let is_there = examples.iter().any(|example| example.contains(block));
            assert!(is_there, "{name}: this is in none of the examples that the page links\n{block}");
            count += 1;
        }
    }
    assert!(count >= 3, "{count} blocks");
}
