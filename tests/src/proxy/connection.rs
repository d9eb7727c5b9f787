//! One connection through a proxy: two directions, each with a thread that reads and one that writes.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Instant;

use bytes::Bytes;
use fedcell_cell_proto::frame::Prefix;
use fedcell_cell_proto::headers::{HeaderLimits, HeaderMap};
use fedcell_protocol_defs::cell::HeaderKey;
use fedcell_protocol_defs::frame::FrameType;
use fedcell_protocol_defs::stream;

use super::shuffle::{Freedom, Shuffle};
use super::{Options, Proxy, lock};

/// Bytes that are read at a time.
const READ: usize = 256 << 10;
/// What is read but not written, at most, in reads or frames.
const QUEUE: usize = 16;
/// How long a frame is held back if no other comes.
const IDLE: Duration = Duration::from_millis(20);
/// Longest frame that is believed.
const LONGEST: usize = 64 << 20;

/// Both ends of a connection.
#[derive(Debug)]
pub(super) struct Ends {
    incoming: TcpStream,
    outgoing: TcpStream,
    open: Arc<AtomicBool>,
}

impl Ends {
    /// Starts to pass on in both directions.
    pub(super) fn join(
        proxy: &Arc<Proxy>,
        number: u64,
        incoming: TcpStream,
        outgoing: TcpStream,
    ) -> std::io::Result<Self> {
        let open = Arc::new(AtomicBool::new(true));
        for (direction, from, to) in [(0, &incoming, &outgoing), (1, &outgoing, &incoming)] {
            to.set_nodelay(true)?;
            let (from, to, proxy, open) = (from.try_clone()?, to.try_clone()?, Arc::clone(proxy), Arc::clone(&open));
            thread::spawn(move || {
                let seed = proxy.options.seed.wrapping_add(2 * number + direction);
                pass(&proxy, seed, &from, &to);
                open.store(false, Ordering::Release);
                // One direction alone is of no use to a cell.
                drop(from.shutdown(Shutdown::Both));
                drop(to.shutdown(Shutdown::Both));
            });
        }
        Ok(Self { incoming, outgoing, open })
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Ends the connection for both cells; what is on its way is lost.
    pub(super) fn cut(&self) {
        for end in [&self.incoming, &self.outgoing] {
            // It may be closed already.
            drop(end.shutdown(Shutdown::Both));
        }
    }
}

/// Passes one direction on until it ends.
fn pass(proxy: &Arc<Proxy>, seed: u64, from: &TcpStream, to: &TcpStream) {
    let (sender, receiver) = sync_channel(QUEUE);
    let Ok(mut source) = from.try_clone() else { return };
    let options = proxy.options;
    let reader = thread::spawn(move || {
        // The end of a connection, however it comes, is the end of the thread.
        _ = if options.looks_inside() { read_frames(source, &sender) } else { read_bytes(&mut source, &sender) };
    });
    _ = write(proxy, Shuffle::new(seed, options.late, options.twice), to, &receiver);
    drop(receiver);
    drop(from.shutdown(Shutdown::Both));
    drop(reader.join());
}

fn read_bytes(source: &mut TcpStream, sender: &SyncSender<Bytes>) -> std::io::Result<()> {
    loop {
        let mut piece = vec![0; READ];
        let length = source.read(&mut piece)?;
        piece.truncate(length);
        if length == 0 || sender.send(Bytes::from(piece)).is_err() {
            return Ok(());
        }
    }
}

fn read_frames(source: TcpStream, sender: &SyncSender<Bytes>) -> std::io::Result<()> {
    let mut source = BufReader::with_capacity(READ, source);
    loop {
        let mut frame = vec![0; Prefix::SIZE];
        source.read_exact(&mut frame)?;
        let length = Prefix::decode(&frame).map_or(0, |prefix| prefix.length as usize);
        if !(Prefix::SIZE..=LONGEST).contains(&length) {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        frame.resize(length, 0);
        source.read_exact(&mut frame[Prefix::SIZE..])?;
        if sender.send(Bytes::from(frame)).is_err() {
            return Ok(());
        }
    }
}

fn write(proxy: &Proxy, mut shuffle: Shuffle, mut to: &TcpStream, pieces: &Receiver<Bytes>) -> std::io::Result<()> {
    let options = proxy.options;
    let mut pace = Pace::new(&options);
    let mut out = Vec::new();
    loop {
        let patience = if shuffle.holds() { IDLE } else { Duration::MAX };
        match pieces.recv_timeout(patience.min(Duration::from_secs(3600))) {
            Ok(piece) => {
                if options.count {
                    lock(&proxy.account).note(&piece);
                }
                let freedom = freedom(&piece, &options);
                shuffle.pass(piece, freedom, &mut out);
            }
            Err(RecvTimeoutError::Timeout) => shuffle.flush(&mut out),
            Err(RecvTimeoutError::Disconnected) => break,
        }
        proxy.shuffled.fetch_add(core::mem::take(&mut shuffle.shuffled), Ordering::AcqRel);
        proxy.repeated.fetch_add(core::mem::take(&mut shuffle.repeated), Ordering::AcqRel);
        for piece in out.drain(..) {
            to.write_all(&piece)?;
            pace.keep(piece.len());
        }
    }
    shuffle.flush(&mut out);
    out.iter().try_for_each(|piece| to.write_all(piece))
}

/// What may happen to a frame: only those of streams may come in any order and more than once.
fn freedom(frame: &Bytes, options: &Options) -> Freedom {
    if options.late == 0.0 && options.twice == 0.0 {
        return Freedom::default();
    }
    let Some(headers) = stream_headers(frame) else { return Freedom::default() };
    let is = |key| headers.flag(key).ok().flatten().unwrap_or_default();
    let number = |key| headers.integer(key).ok().flatten().unwrap_or_default();
    // A stream that is one chunk and not reliable is a new one to a cell of the reference each time it comes.
    let is_whole = number(stream::HeaderKey::DATA_TYPE) == i64::from(stream::DataType::FINAL.get())
        && number(stream::HeaderKey::SEQUENCE) == 0
        && !is(stream::HeaderKey::RELIABLE);
    Freedom { late: true, twice: options.repeat_whole || !is_whole }
}

/// The headers of a frame on the channel of streams; `None` for all other frames.
pub(super) fn stream_headers(frame: &Bytes) -> Option<HeaderMap> {
    let prefix = Prefix::decode(frame).ok().filter(|prefix| prefix.frame_type == FrameType::DATA)?;
    let end = Prefix::SIZE + usize::from(prefix.header_len);
    if frame.len() < end {
        return None;
    }
    let headers = HeaderMap::decode(frame.slice(Prefix::SIZE..end), &HeaderLimits::default()).ok()?;
    let channel = headers.text(HeaderKey::CHANNEL).ok()?;
    (channel == Some(stream::Channel::STREAM.as_str())).then_some(headers)
}

/// Keeps a direction to its rate.
#[derive(Debug)]
struct Pace {
    rate: Option<f64>,
    start: Instant,
    bytes: f64,
}

impl Pace {
    fn new(options: &Options) -> Self {
        Self { rate: options.rate, start: Instant::now(), bytes: 0.0 }
    }

    #[expect(clippy::cast_precision_loss, reason = "a frame is far smaller than what a double counts exactly")]
    fn keep(&mut self, bytes: usize) {
        let Some(rate) = self.rate else { return };
        self.bytes += bytes as f64;
        let due = Duration::from_secs_f64(self.bytes / rate);
        match due.checked_sub(self.start.elapsed()) {
            Some(early) => thread::sleep(early),
            // What was not used is not saved up.
            None => (self.start, self.bytes) = (Instant::now(), 0.0),
        }
    }
}
