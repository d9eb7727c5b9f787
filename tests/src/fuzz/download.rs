//! The bodies of the download service, and the archives that arrays stand in.

use bytes::Bytes;
use fedcell_cell_proto::address::Fqcn;
use fedcell_cell_proto::download::archive::{Check, Part, RisingArchive, read, write};
use fedcell_cell_proto::download::body::{FromReceiver, FromSource};
use fedcell_cell_proto::download::failure::SourceFailure;
use fedcell_cell_proto::download::rising::RisingReply;
use fedcell_cell_proto::download::source::Offer;
use fedcell_fobs::array::Array;
use fedcell_fobs::{Blob, Text, decode};

/// A body of either direction: what is read says the same when it is written and read again, and a state leads somewhere.
pub fn body(bytes: &[u8]) {
    let Ok(value) = decode(&[Bytes::copy_from_slice(bytes)]) else { return };
    if let Ok(body) = FromReceiver::parse(value.clone()) {
        assert_eq!(FromReceiver::parse(body.clone().into_value()).as_ref(), Ok(&body));
        if let FromReceiver::Pull(pull) = body {
            for offer in [Offer::items([1, 2, 3]), Offer::bytes(12_345_678), Offer::Other] {
                let wanted = pull.piece.unwrap_or_default();
                let plan = offer.plan(pull.state.as_ref(), wanted);
                for state in offer.ahead(&plan, wanted, pull.ahead.min(8)) {
                    assert!(
                        offer.plan(Some(&state), wanted).state().is_some(),
                        "with it there is a piece to be asked for"
                    );
                }
            }
        }
    }
    if let Ok(body) = FromSource::parse(value.clone()) {
        if let FromSource::Piece(piece) = &body {
            let _ = piece.is_intact();
        }
        assert_eq!(FromSource::parse(body.clone().into_value()).as_ref(), Ok(&body));
    }
    if let Ok(origin) = Fqcn::parse("site-1.job")
        && let Ok(failure) = SourceFailure::parse(origin, &value)
    {
        assert_eq!(SourceFailure::parse(origin, &failure.clone().into_value()), Ok(failure));
    }
}

/// An archive, whole and while it arrives; the first byte says in how large pieces. Where both readers take it, they see
/// the same array.
pub fn archive(bytes: &[u8]) {
    let Some((&every, bytes)) = bytes.split_first() else { return };
    let chunks: Vec<Bytes> = bytes.chunks(usize::from(every) + 1).map(Bytes::copy_from_slice).collect();
    let whole = read(&Blob::from_segments(chunks.clone()), Check::Sums);
    let _ = read(&Blob::from_segments(chunks.clone()), Check::Nothing);
    let (mut rising, mut begun, mut elements) = (RisingArchive::new(), None, Vec::new());
    let risen = chunks.iter().try_for_each(|chunk| {
        rising.push(chunk.clone(), &mut |part| match part {
            Part::Begins { item, layout } => begun = Some((item, layout)),
            Part::Elements(bytes) => elements.push(bytes),
            _ => {}
        })
    });
    if let (Ok(()), true, Some((item, layout))) = (risen, rising.is_complete(), begun) {
        let array =
            Array::with_layout(layout, Blob::from_segments(elements)).expect("the reader has compared the lengths");
        if let Ok([(name, whole)]) = whole.as_deref()
            && *name == item
            && whole.layout() == array.layout()
        {
            let again = read(&write(name.as_str(), whole), Check::Sums).expect("what was written is read");
            assert_eq!(again, [(Text::from(name.as_str()), whole.clone())]);
        }
    }
    let mut reply = RisingReply::new(64, 4096, true);
    if chunks.iter().try_for_each(|chunk| reply.push(chunk.clone(), &mut drop)).is_ok() {
        let _ = reply.finish().map(|collected| decode(&collected));
    }
}
