//! The reference's payload codec behind a pipe: `tests/reference/fobs_driver.py`, one answer to each request.

use std::io::{BufReader, BufWriter, Read, Write};
use std::process::{ChildStdin, ChildStdout, Stdio};

use anyhow::{Context, bail};

use crate::killed::Killed;
use crate::reference;

/// A running driver; ends with this value.
#[derive(Debug)]
pub(crate) struct Driver {
    /// Ends when its input does; it is not waited for beyond that.
    _child: Killed,
    requests: BufWriter<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Driver {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let mut child = reference::script("fobs_driver.py")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the reference's interpreter cannot be started: run `cargo xtask reference`")?;
        let requests = BufWriter::new(child.stdin.take().context("the driver has no input")?);
        let answers = BufReader::new(child.stdout.take().context("the driver has no output")?);
        Ok(Self { _child: Killed(child), requests, answers })
    }

    /// Asks, and returns the answer; an error of the reference is an error.
    pub(crate) fn ask(&mut self, tag: u8, body: &[u8]) -> anyhow::Result<Vec<u8>> {
        self.requests.write_all(&[tag])?;
        self.requests.write_all(&u32::try_from(body.len())?.to_be_bytes())?;
        self.requests.write_all(body)?;
        self.requests.flush()?;
        let mut head = [0; 5];
        self.answers.read_exact(&mut head).context("the driver has ended")?;
        let [tag, length @ ..] = head;
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        self.answers.read_exact(&mut answer)?;
        match tag {
            b'A' => Ok(answer),
            _ => bail!("the reference says: {}", String::from_utf8_lossy(&answer)),
        }
    }

    /// Asks with several parts, and returns the parts of the answer.
    pub(crate) fn ask_parts<const N: usize>(&mut self, tag: u8, parts: &[&[u8]]) -> anyhow::Result<[Vec<u8>; N]> {
        let mut body = Vec::new();
        for part in parts {
            body.extend_from_slice(&u32::try_from(part.len())?.to_be_bytes());
            body.extend_from_slice(part);
        }
        self.ask(tag, &body).and_then(|answer| split(&answer))
    }
}

/// Takes apart a list of byte strings, each with its length before it.
pub(crate) fn split<const N: usize>(mut answer: &[u8]) -> anyhow::Result<[Vec<u8>; N]> {
    let mut parts = Vec::new();
    while let Some((length, rest)) = answer.split_first_chunk() {
        let (part, rest) =
            rest.split_at_checked(u32::from_be_bytes(*length) as usize).context("the driver's answer is cut off")?;
        parts.push(part.to_vec());
        answer = rest;
    }
    parts.try_into().map_err(|parts: Vec<_>| anyhow::anyhow!("the driver's answer has {} parts, not {N}", parts.len()))
}
