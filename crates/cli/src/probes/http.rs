//! As much of HTTP as probes need: the head of one request, one answer, and the connection ends.

use core::time::Duration;
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// Longest head of a request, in bytes.
const HEAD: usize = 8 * 1024;

/// Most headers of a request.
const HEADERS: usize = 64;

/// Connections that are answered at a time; others wait.
const AT_ONCE: usize = 16;

/// How long a request and its answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait when the system has no socket for another connection.
const PAUSE: Duration = Duration::from_millis(100);

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Fine,
    Malformed,
    Unknown,
    WrongMethod,
    NotReady,
}

impl Status {
    const fn line(self) -> &'static str {
        match self {
            Self::Fine => "200 OK",
            Self::Malformed => "400 Bad Request",
            Self::Unknown => "404 Not Found",
            Self::WrongMethod => "405 Method Not Allowed\r\nAllow: GET, HEAD",
            Self::NotReady => "503 Service Unavailable",
        }
    }
}

/// An answer in plain text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: Status,
    pub(super) body: String,
}

impl Reply {
    pub(super) fn line(status: Status, text: &str) -> Self {
        Self { status, body: format!("{text}\n") }
    }

    /// As it goes over the wire; without its body for HEAD.
    fn render(&self, is_head: bool) -> String {
        let Self { status, body } = self;
        // The type is the one of Prometheus' text format, and readable as what it is by everybody else.
        format!(
            "HTTP/1.1 {}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\n\
             Cache-Control: no-store\r\nConnection: close\r\n\r\n{}",
            status.line(),
            body.len(),
            if is_head { "" } else { body }
        )
    }
}

/// Answers what is asked there, for ever; `answer` gets the path.
pub(super) async fn serve(listener: TcpListener, answer: impl Fn(&str) -> Reply + Send + Sync + 'static) {
    let (answer, turns) = (Arc::new(answer), Arc::new(Semaphore::new(AT_ONCE)));
    loop {
        // The semaphore is never closed.
        let Ok(turn) = Arc::clone(&turns).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        let answer = Arc::clone(&answer);
        tokio::spawn(async move {
            // Who asked may be gone before the answer.
            _ = timeout(PATIENCE, exchange(stream, &*answer)).await;
            drop(turn);
        });
    }
}

async fn exchange(mut stream: TcpStream, answer: &(impl Fn(&str) -> Reply + Sync)) -> io::Result<()> {
    let mut head = Vec::new();
    let rendered = loop {
        match reply(&head, answer) {
            Some(rendered) => break rendered,
            None if head.len() >= HEAD => break malformed(),
            None => {}
        }
        let room = HEAD - head.len();
        if (&mut stream).take(room as u64).read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    };
    stream.write_all(rendered.as_bytes()).await?;
    stream.shutdown().await
}

/// The answer to a request, as it goes over the wire; none while its head is not all here.
fn reply(head: &[u8], answer: impl Fn(&str) -> Reply) -> Option<String> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(httparse::Status::Partial) => None,
        Ok(httparse::Status::Complete(_)) => {
            let target = request.path.unwrap_or_default();
            let path = target.split_once('?').map_or(target, |(path, _)| path);
            let method = request.method.unwrap_or_default();
            let reply = match method {
                "GET" | "HEAD" => answer(path),
                _ => Reply::line(Status::WrongMethod, "only GET and HEAD"),
            };
            Some(reply.render(method == "HEAD"))
        }
        Err(_) => Some(malformed()),
    }
}

fn malformed() -> String {
    Reply::line(Status::Malformed, "this is no request of HTTP/1").render(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(head: &str, first: Option<&str>, last: &str) {
        let rendered = reply(head.as_bytes(), |path| Reply::line(Status::Fine, path));
        assert_eq!(rendered.as_deref().and_then(|text| text.lines().next()), first, "{head:?}");
        let body = rendered.as_deref().and_then(|text| text.split_once("\r\n\r\n")).map_or("", |(_, body)| body);
        assert_eq!(body, last, "{head:?}");
    }

    #[test]
    fn requests() {
        check("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", Some("HTTP/1.1 200 OK"), "/livez\n");
        check("GET /livez?full=1 HTTP/1.0\r\n\r\n", Some("HTTP/1.1 200 OK"), "/livez\n");
        check("HEAD /livez HTTP/1.1\r\n\r\n", Some("HTTP/1.1 200 OK"), "");
        check("GET /livez HTTP/1.1\r\nHost: a\r\n", None, "");
        check("", None, "");
        check("POST /livez HTTP/1.1\r\n\r\n", Some("HTTP/1.1 405 Method Not Allowed"), "only GET and HEAD\n");
        check("\u{1}\u{2}", Some("HTTP/1.1 400 Bad Request"), "this is no request of HTTP/1\n");
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(HEADERS + 1));
        check(&many, Some("HTTP/1.1 400 Bad Request"), "this is no request of HTTP/1\n");
    }
}
