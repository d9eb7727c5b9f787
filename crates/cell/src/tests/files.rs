//! Files over streams: complete or not there, under safe names.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::stream::{FileError, StreamReader};

type Told = mpsc::UnboundedReceiver<Result<PathBuf, FileError>>;

/// A server that receives into that folder, and a site.
async fn pair(folder: &Path) -> (Cell, Cell, Told) {
    let network = MemoryNetwork::new();
    let server = builder("server", &network).root_url("memory://hub").start().await.unwrap();
    let (sender, told) = mpsc::unbounded_channel();
    let folder = folder.to_owned();
    server.handle_stream("test", "files", move |stream: StreamReader| {
        let (folder, sender) = (folder.clone(), sender.clone());
        async move { sender.send(stream.into_file(folder).await).unwrap() }
    });
    let site = builder("site-1", &network).root_url("memory://hub").start().await.unwrap();
    site.ready().await;
    (server, site, told)
}

async fn next(told: &mut Told) -> Result<PathBuf, FileError> {
    timeout(PATIENCE, told.recv()).await.unwrap().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn files_of_every_size_arrive() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_server, site, mut told) = pair(to.path()).await;
    for size in [0_usize, 1, 1024 * 1024, 3_000_001] {
        let name = format!("model-{size}.bin");
        let bytes: Vec<u8> = (0..size).map(|number| number.to_le_bytes()[0]).collect();
        fs::write(from.path().join(&name), &bytes).unwrap();
        let sent = site.send_file("server", "test", "files", from.path().join(&name)).send().await.unwrap();
        let received = next(&mut told).await.unwrap();
        assert_eq!((sent, &received), (size as u64, &to.path().join(&name)));
        assert!(fs::read(received).unwrap() == bytes, "{name}");
    }
    assert_eq!(names(to.path()).len(), 4);
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_refused() {
    let to = tempfile::tempdir().unwrap();
    let folder = to.path().join("inbox");
    fs::create_dir(&folder).unwrap();
    let (_server, site, mut told) = pair(&folder).await;
    for name in ["../b", "/tmp/b", "..", ".bashrc", "x/y", "x\\y", ""] {
        let mut writer = site.open_stream("server", "test", "files").file_name(name).reliable(true).open().unwrap();
        let sent = writer.send(Bytes::from(vec![1; 3_000_000])).await.is_ok() && writer.finish().await.is_ok();
        assert!(!sent, "{name}");
        assert!(matches!(next(&mut told).await, Err(FileError::Name { name: told }) if told == name), "{name}");
    }
    assert_eq!((names(&folder), names(to.path())), (Vec::new(), vec!["inbox".to_owned()]));
}

#[tokio::test]
async fn a_file_is_there_completely_or_not_at_all() {
    let to = tempfile::tempdir().unwrap();
    let (_server, site, mut told) = pair(to.path()).await;
    let draft = || site.open_stream("server", "test", "files").file_name("model.bin");
    let piece = Bytes::from(vec![7; 3_000_000]);
    // Given up half way.
    let mut writer = draft().open().unwrap();
    writer.send(piece.clone()).await.unwrap();
    drop(writer);
    assert!(matches!(next(&mut told).await, Err(FileError::Stream(_))));
    // Shorter than said.
    let mut writer = draft().size(4_000_000).open().unwrap();
    writer.send(piece.clone()).await.unwrap();
    drop(writer.finish().await);
    assert!(next(&mut told).await.is_err());
    assert_eq!(names(to.path()), Vec::<String>::new());
    // One that is there is replaced at the end, and not before.
    fs::write(to.path().join("model.bin"), b"old").unwrap();
    let mut writer = draft().open().unwrap();
    writer.send(piece.clone()).await.unwrap();
    assert_eq!(fs::read(to.path().join("model.bin")).unwrap(), b"old");
    writer.finish().await.unwrap();
    assert_eq!(fs::read(next(&mut told).await.unwrap()).unwrap(), piece);
    assert_eq!(names(to.path()), ["model.bin"]);
}
