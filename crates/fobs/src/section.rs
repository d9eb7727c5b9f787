//! Sections of a container: the main body, and the datums beside it.

use std::sync::Arc;

use fedcell_protocol_defs::fobs::{DatumObjectType, SectionLayout, SectionMarker};

use crate::budget::Ledger;
use crate::download;
use crate::error::{Error, ErrorKind};
use crate::object::{Datum, DatumContent, DatumId, DownloadRef};
use crate::reader::Reader;

/// A container taken apart.
#[derive(Debug)]
pub(crate) struct Sections<'a> {
    pub(crate) main: Reader<'a>,
    /// Ordered by id.
    datums: Vec<Datum>,
    /// Where arrays and tensors are, if they are not here.
    downloads: Vec<Arc<DownloadRef>>,
}

struct Header {
    marker: SectionMarker,
    dot: u8,
    size: usize,
    at: usize,
}

impl<'a> Sections<'a> {
    pub(crate) fn split(mut reader: Reader<'a>, ledger: &mut Ledger<'_>) -> Result<Self, Error> {
        if reader.remaining() == 0 {
            return Err(Error::at(ErrorKind::Empty, 0));
        }
        let header = Header::take(&mut reader)?;
        if header.marker != SectionMarker::MAIN {
            return Err(header.unexpected("the main section"));
        }
        let main = reader.section(header.size).ok_or_else(|| header.cut(&reader))?;
        let mut sections = Self { main, datums: Vec::new(), downloads: Vec::new() };
        if reader.remaining() > 0 {
            let count = count(reader.clone())?;
            ledger.vec::<Datum>(count).map_err(|error| error.or_at(reader.offset()))?;
            sections.datums.reserve_exact(count);
            for _ in 0..count {
                sections.datum(&mut reader, ledger)?;
            }
            sections.order()?;
        }
        Ok(sections)
    }

    fn datum(&mut self, reader: &mut Reader<'_>, ledger: &mut Ledger<'_>) -> Result<(), Error> {
        let header = Header::take(reader)?;
        let mut body = reader.section(header.size).ok_or_else(|| header.cut(reader))?;
        let id = body
            .array()
            .map(DatumId::from_bytes)
            .ok_or_else(|| Error::at(ErrorKind::DatumIdCut { declared: header.size as u64 }, header.at))?;
        let len = body.remaining();
        if len == 0 {
            return Err(Error::at(ErrorKind::EmptyDatum(id), header.at));
        }
        let content = match header.marker {
            SectionMarker::DATUM_TEXT => DatumContent::Text(body.text(len, ledger)?),
            SectionMarker::DATUM_BLOB => DatumContent::Blob(body.blob(len, ledger)?),
            SectionMarker::DATUM_FILE => DatumContent::File(body.blob(len, ledger)?),
            _ => return Err(header.unexpected("a datum section")),
        };
        match DatumObjectType::new(header.dot) {
            DatumObjectType::NONE => {}
            DatumObjectType::NUMPY_DOWNLOAD | DatumObjectType::TENSOR_DOWNLOAD => {
                let DatumContent::Text(json) = &content else {
                    return Err(Error::at(ErrorKind::DownloadDatum("it must be text"), header.at));
                };
                if self.download(header.dot).is_some() {
                    return Err(Error::at(ErrorKind::AmbiguousDownload(header.dot), header.at));
                }
                ledger.heap(json.len().saturating_mul(2)).map_err(|error| error.or_at(header.at))?;
                let source = download::parse(json, header.dot).map_err(|error| error.or_at(header.at))?;
                self.downloads.push(Arc::new(source));
            }
            _ => return Err(Error::at(ErrorKind::UnknownDot(header.dot), header.at)),
        }
        self.datums.push(Datum { id, dot: header.dot, content });
        Ok(())
    }

    /// Orders the datums for look-ups.
    fn order(&mut self) -> Result<(), Error> {
        self.datums.sort_unstable_by_key(|datum| datum.id);
        let mut last = None;
        for datum in &self.datums {
            if last == Some(datum.id) {
                return Err(ErrorKind::RepeatedDatum(datum.id).into());
            }
            last = Some(datum.id);
        }
        Ok(())
    }

    pub(crate) fn find(&self, id: DatumId) -> Option<&Datum> {
        let at = self.datums.binary_search_by_key(&id, |datum| datum.id).ok()?;
        self.datums.get(at)
    }

    /// Where the items of this datum object type are to be had.
    pub(crate) fn download(&self, dot: u8) -> Option<&Arc<DownloadRef>> {
        self.downloads.iter().find(|source| source.dot == dot)
    }
}

/// Counts the datum sections, and finds out whether their sizes add up, before anything is kept of them.
fn count(mut reader: Reader<'_>) -> Result<usize, Error> {
    let mut count = 0;
    while reader.remaining() > 0 {
        let header = Header::take(&mut reader)?;
        if header.marker == SectionMarker::MAIN {
            return Err(header.unexpected("a datum section"));
        }
        reader.section(header.size).ok_or_else(|| header.cut(&reader))?;
        count += 1;
    }
    Ok(count)
}

impl Header {
    fn take(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let (at, have) = (reader.offset(), reader.remaining());
        let header: [u8; SectionLayout::HEADER_SIZE] =
            reader.array().ok_or_else(|| Error::at(ErrorKind::SectionHeaderCut { have }, at))?;
        let [marker, dot, size @ ..] = header;
        let declared = u64::from_be_bytes(size);
        if declared == 0 {
            return Err(Error::at(ErrorKind::EmptySection, at));
        }
        let available = reader.remaining();
        let size = usize::try_from(declared)
            .ok()
            .filter(|size| *size <= available)
            .ok_or_else(|| Error::at(ErrorKind::SectionCut { declared, available }, at))?;
        Ok(Self { marker: SectionMarker::new(marker), dot, size, at })
    }

    fn unexpected(&self, expected: &'static str) -> Error {
        Error::at(ErrorKind::Marker { found: self.marker.get(), expected }, self.at)
    }

    fn cut(&self, reader: &Reader<'_>) -> Error {
        let (declared, available) = (self.size as u64, reader.remaining());
        Error::at(ErrorKind::SectionCut { declared, available }, self.at)
    }
}
