//! Header maps of messages that come again and again: written once, then copied, with only the id and the time anew.

use fedcell_auth::UnixTime;

use crate::clock;
use crate::headers::{HeaderMap, HeaderValue, Known, Patch, RawValue, fingerprint};
use crate::message::{Head, Message, Payload, ReplyHead, RequestHead};

/// How many templates are kept; a new one takes the place of another.
const KEPT: usize = 16;

/// Longest header map that is kept as a template, in bytes: what a peer names at length is not kept.
const LONGEST: usize = 1024;

/// Templates for the messages that a cell makes itself.
#[derive(Debug, Default)]
pub(super) struct Templates([Option<Box<Template>>; KEPT]);

#[derive(Debug)]
struct Template {
    of: Kind,
    headers: HeaderMap,
    id: Option<Patch>,
    time: Patch,
}

/// What makes two header maps the same but for id and time. The texts are compared where the template has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    is_reply: bool,
    id_len: Option<usize>,
    is_secure: bool,
    is_optional: bool,
}

impl Templates {
    /// The headers of [`Message::request`] without headers of the application.
    pub(super) fn request(&mut self, head: &RequestHead<'_>, now: UnixTime) -> HeaderMap {
        self.headers(false, head, head.ids, now, || Message::request(HeaderMap::new(), head, Payload::empty(), now))
    }

    /// The headers of [`Message::reply`] without headers of the application, for one request; all is well. None if it is
    /// for several.
    pub(super) fn reply(&mut self, head: &ReplyHead<'_>, now: UnixTime) -> Option<HeaderMap> {
        let HeaderValue::Text(id) = head.ids else { return None };
        let make = || Message::reply(HeaderMap::new(), head, Payload::empty(), now);
        Some(self.headers(true, head, Some(id), now, make))
    }

    fn headers<Ids>(
        &mut self,
        is_reply: bool,
        head: &Head<'_, Ids>,
        id: Option<&str>,
        now: UnixTime,
        make: impl FnOnce() -> Message,
    ) -> HeaderMap {
        let Head { is_secure, is_optional, .. } = *head;
        let of = Kind { is_reply, id_len: id.map(str::len), is_secure, is_optional };
        let texts = [
            (Known::Topic, head.topic),
            (Known::Channel, head.channel),
            (Known::Destination, head.destination.as_str()),
            (Known::ToCell, head.next_hop.as_str()),
            (Known::Origin, head.origin.as_str()),
        ];
        let mark = texts
            .iter()
            .fold(u32::from(of.is_reply), |mark, (_, text)| mark.rotate_left(7) ^ fingerprint(text.as_bytes()));
        let Some(place) = self.0.get_mut(mark as usize % KEPT) else { return make().headers };
        if let Some(known) = place
            && known.of == of
            && texts.iter().all(|(key, text)| known.has(*key, text))
            && let Some(headers) = known.copy(id, now)
        {
            return headers;
        }
        let headers = make().headers;
        if headers.encoded_len() <= LONGEST {
            *place = Template::of(of, &headers).map(Box::new);
        }
        headers
    }
}

impl Template {
    fn of(of: Kind, headers: &HeaderMap) -> Option<Self> {
        let id = match of.id_len {
            Some(len) => Some(headers.patch(Known::ReqId, len)?),
            None => None,
        };
        // The time is the last that stands in the route, as a number of 64 bits.
        let time = headers.patch(Known::Route, size_of::<f64>())?;
        Some(Self { of, headers: headers.clone(), id, time })
    }

    fn has(&self, key: Known, text: &str) -> bool {
        self.headers.known(key).and_then(RawValue::as_text) == Some(text)
    }

    fn copy(&self, id: Option<&str>, now: UnixTime) -> Option<HeaderMap> {
        let mut headers = self.headers.copy_to_be_extended();
        if let Some(patch) = self.id {
            headers.overwrite(patch, id?.as_bytes())?;
        }
        headers.overwrite(self.time, &clock::seconds(now).to_be_bytes())?;
        Some(headers)
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::address::Fqcn;

    fn encoded(headers: &HeaderMap) -> Vec<u8> {
        let mut bytes = Vec::new();
        headers.write_to(&mut bytes);
        bytes
    }

    #[track_caller]
    fn check(templates: &mut Templates, head: &RequestHead<'_>, now: UnixTime) {
        let from_scratch = Message::request(HeaderMap::new(), head, Payload::empty(), now).headers;
        let mut templated = templates.request(head, now);
        assert_eq!(templated, from_scratch);
        assert_eq!(encoded(&templated), encoded(&from_scratch));
        assert_eq!(templated.encoded_len(), encoded(&from_scratch).len());
        assert_eq!(templates.request(head, now), from_scratch);
        // What is set afterwards stands where it would.
        let mut extended = from_scratch;
        for headers in [&mut templated, &mut extended] {
            headers.set(Known::PayloadLen, 7_usize);
            headers.set(Known::ToCell, "elsewhere");
        }
        assert_eq!(encoded(&templated), encoded(&extended));
        let Some(id) = head.ids else { return };
        let reply = ReplyHead {
            origin: head.origin,
            destination: head.destination,
            next_hop: head.next_hop,
            channel: head.channel,
            topic: head.topic,
            ids: HeaderValue::Text(id),
            is_secure: head.is_secure,
            is_optional: head.is_optional,
        };
        let from_scratch = Message::reply(HeaderMap::new(), &reply, Payload::empty(), now).headers;
        assert_eq!(templates.reply(&reply, now).unwrap(), from_scratch);
        assert_eq!(encoded(&templates.reply(&reply, now).unwrap()), encoded(&from_scratch));
    }

    #[test]
    fn what_is_copied_is_what_would_have_been_written() {
        let mut templates = Templates::default();
        let cell = |text| Fqcn::parse(text).unwrap();
        let (long, mut now) = ("t".repeat(3000), UnixTime::since_epoch(Duration::from_secs(1_700_000_000)));
        for turn in 0..3 {
            for (target, next) in [("server", "server"), ("site-2", "server"), ("site-2", "site-2")] {
                for topic in ["echo", "", &long] {
                    for id in [None, Some("0ceb9e5d-0000-4000-8000-000000000000"), Some("1"), Some(&long[..300])] {
                        for (is_secure, is_optional) in [(false, false), (true, false), (false, true)] {
                            now = now.saturating_add(Duration::from_micros(1 + turn));
                            let head = RequestHead {
                                origin: cell("site-1"),
                                destination: cell(target),
                                next_hop: cell(next),
                                channel: "channel",
                                topic,
                                ids: id,
                                is_secure,
                                is_optional,
                            };
                            check(&mut templates, &head, now);
                        }
                    }
                }
            }
        }
        assert!(templates.0.iter().flatten().all(|template| template.headers.encoded_len() <= LONGEST));
        assert!(templates.0.iter().flatten().count() > 0);
    }
}
