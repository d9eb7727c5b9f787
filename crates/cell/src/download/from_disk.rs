//! A piece that is one large array on disk: its reply is written while the disk is read, and never in memory as a whole.
//!
//! The container of such a reply ends with the archive of the array. It is encoded with zeros in the archive's place, all
//! of them the same mebibyte; what stands before them is sent, and then what belongs there.

use std::io;

use bytes::{Bytes, BytesMut};
use fedcell_cell_proto::download::body::{Content, FromSource, Piece};
use fedcell_cell_proto::download::source::Production;
use fedcell_cell_proto::frame::Payload;
use fedcell_cell_proto::request::{Body, Reply};
use fedcell_cell_proto::stream::{StreamHead, call};
use fedcell_fobs::{Blob, Map, encode};

use super::batch::{DISK_PART, Item};
use super::service::Downloads;
use super::spill::SpilledArray;
use crate::handler::HandlerError;
use crate::stream::StreamWriter;

/// What is sent before the elements, and what behind.
pub(super) struct Around {
    head: Vec<Bytes>,
    tail: Bytes,
}

/// Makes what is around the elements of an array. Reads the array once or twice, if its sums are not known yet.
pub(super) fn around(item: &Item, state: Map, ahead: Vec<Map>, digests: bool) -> io::Result<Around> {
    let digests = if digests { Some(vec![item.digest()?]) } else { None };
    let (archive_head, tail) = item.around()?;
    let length = usize::try_from(item.archive_len()).map_err(io::Error::other)?;
    let part = Bytes::from(vec![0; DISK_PART]);
    let mut zeros = vec![part.clone(); length / DISK_PART];
    zeros.push(part.slice(..length % DISK_PART));
    let data = Content::Items(vec![Blob::from_segments(zeros)]);
    let body = FromSource::Piece(Piece { state, ahead, data, digests, cancels: true }).into_value();
    let encoded = encode(&body).map_err(io::Error::other)?;
    let mut left = encoded.len() - length;
    let mut head = Vec::new();
    for segment in encoded.segments() {
        let part = segment.slice(..left.min(segment.len()));
        left -= part.len();
        head.push(part);
    }
    head.push(archive_head);
    Ok(Around { head, tail })
}

/// Answers a streamed request with the array. Returns when all of it has arrived; the receiver is told if it will not.
pub(super) async fn send(
    downloads: &Downloads,
    request: &StreamHead,
    production: &Production,
    around: Around,
    elements: &SpilledArray,
) -> Result<(), HandlerError> {
    let Around { head, tail } = around;
    let reply = Reply::ok(Body::fobs(Payload::default()));
    let Some((target, mut stream, _)) = call::reply_stream(request, reply) else { return Ok(()) };
    let before: usize = head.iter().map(Bytes::len).sum();
    stream.size = Some((before + tail.len()) as u64 + elements.data_len());
    let mut writer = StreamWriter::open(downloads.endpoint().clone(), target, stream)?;
    for part in head {
        writer.send(part).await?;
    }
    let mut offset = 0;
    while offset < elements.data_len() {
        let array = elements.clone();
        let part = tokio::task::spawn_blocking(move || read(&array, offset)).await.map_err(io::Error::other)?;
        let part = match part {
            Ok(part) => part,
            Err(error) => {
                writer.cancel("the source cannot read the array from its disk");
                return Err(error.into());
            }
        };
        let length = part.len() as u64;
        writer.send(part).await?;
        offset += length;
        downloads.shared().drive(|source, now| source.handle_produced(now, production, length));
    }
    writer.send(tail).await?;
    writer.finish().await?;
    Ok(())
}

fn read(array: &SpilledArray, offset: u64) -> io::Result<Bytes> {
    let left = array.data_len() - offset;
    let mut part = BytesMut::zeroed(usize::try_from(left).unwrap_or(DISK_PART).min(DISK_PART));
    array.read_at(offset, &mut part)?;
    Ok(part.freeze())
}
