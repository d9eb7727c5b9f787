//! Admin messages to a site, written, and its replies, read.

use core::time::Duration;

use fedcell_auth::Nonce;
use fedcell_cell::{RequestError, Response, SystemRandom};
use fedcell_fobs::typed::{AdminMessage, FlContext, FobsType as _, Shareable};
use fedcell_fobs::{Map, Value};
use fedcell_protocol_defs::address::ReservedSegment;
use fedcell_protocol_defs::federation::{
    AdminCode, AdminHeader, AdminReplyHeader, AdminText, AdminTimeout, ClientDictKey, ContextKey, JobMetaKey, JobTopic,
    ResourceHeader, ServerCommandKey,
};

use super::JobOrder;
use crate::membership::Member;

/// The sites of a job that are members, as sites are told of each other.
pub(super) fn clients<'m>(order: &JobOrder, sites: impl Iterator<Item = &'m Member>) -> Vec<Value> {
    let told = |site: &Member| {
        Map::from([
            (ClientDictKey::NAME.as_str(), Value::from(site.name.as_str())),
            (ClientDictKey::FQCN.as_str(), site.fqcn.as_str().into()),
            (ClientDictKey::FQSN.as_str(), site.fqsn.as_str().into()),
            (ClientDictKey::IS_LEAF.as_str(), site.is_leaf.into()),
        ])
    };
    sites.filter(|site| order.is_for(&site.name)).map(|site| told(site).into()).collect()
}

/// A command about a job.
pub(super) fn command(
    topic: JobTopic<'_>,
    order: &JobOrder,
    clients: Vec<Value>,
    reservation: Option<&str>,
) -> AdminMessage {
    let mut context = FlContext::new();
    context.put_public(ContextKey::RUN_NUM.as_str(), "");
    context.put_public(ContextKey::IDENTITY_NAME.as_str(), ReservedSegment::ROOT_SERVER.as_str());
    let mut headers = Map::new();
    headers.insert(AdminHeader::JOB_ID.as_str(), order.id.as_str());
    let mut meta = order.meta.clone();
    meta.insert(JobMetaKey::JOB_CLIENTS.as_str(), Value::List(clients));
    headers.insert(AdminHeader::JOB_META.as_str(), meta);
    headers.insert(ServerCommandKey::PEER_FL_CONTEXT.as_str(), context.into_value());
    if let Some(reservation) = reservation {
        headers.insert(ResourceHeader::RESOURCE_RESERVE_TOKEN.as_str(), reservation);
    }
    let body = if topic == JobTopic::ABORT { Value::from("") } else { Map::new().into() };
    let id = Nonce::random(&mut SystemRandom::new()).as_str().to_owned();
    let mut message = AdminMessage { id: id.into(), topic: topic.as_str().into(), body, headers };
    if let (JobTopic::DEPLOY, Some(application)) = (topic, &order.application) {
        application.deploy(&mut message);
    }
    message
}

/// How long a command may take.
pub(super) fn timeout(topic: JobTopic<'_>) -> Duration {
    Duration::from_secs_f64(match topic {
        JobTopic::CHECK_RESOURCE => AdminTimeout::CHECK_RESOURCE,
        JobTopic::START_JOB => AdminTimeout::START_JOB,
        JobTopic::ABORT => AdminTimeout::ABORT,
        _ => AdminTimeout::DEFAULT,
    })
}

/// Why a site does not do what it was told.
#[derive(Debug)]
pub(super) enum NotDone {
    /// It does not answer.
    Silent(RequestError),
    /// It does not want to, for this reason.
    Refused(String),
}

/// The body of a reply that says that it was done.
pub(super) fn body(reply: Result<Response, RequestError>) -> Result<Value, NotDone> {
    let reply = reply.and_then(Response::success).map_err(NotDone::Silent)?;
    let message = reply.value().ok().and_then(|value| AdminMessage::from_value(value).ok());
    let message = message.ok_or_else(|| NotDone::Refused("the reply is no admin message".to_owned()))?;
    let code = message.headers.get(AdminReplyHeader::RETURN_CODE.as_str()).and_then(Value::as_str);
    let text = message.body.as_str().unwrap_or_default();
    if code.is_some_and(|code| AdminCode::new(code) == AdminCode::ERROR) {
        return Err(NotDone::Refused(said(text)));
    }
    if let Some(reason) = text.strip_prefix(AdminText::ERROR_PREFIX.as_str()) {
        return Err(NotDone::Refused(said(reason.trim_start_matches([':', ' ']))));
    }
    Ok(message.body)
}

/// What a site says for people, as much of it as they read.
pub(super) fn said(text: &str) -> String {
    const MOST: usize = 1000;
    text.chars().take(MOST).collect()
}

/// The reservation that a site has made for a job.
pub(super) fn reservation(body: Value) -> Result<String, NotDone> {
    let answer = Shareable::from_value(body).ok();
    let header = |key: ResourceHeader<'_>| answer.as_ref().and_then(|answer| answer.header(key.as_str()));
    let token = header(ResourceHeader::RESOURCE_RESERVE_TOKEN).and_then(Value::as_str).unwrap_or_default().to_owned();
    match header(ResourceHeader::IS_RESOURCE_ENOUGH).and_then(Value::as_bool) {
        Some(true) => Ok(token),
        _ if token.is_empty() => Err(NotDone::Refused("it has not the resources".to_owned())),
        _ => Err(NotDone::Refused(said(&token))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_site_is_kept_as_far_as_people_read_it() {
        let reason = |text: &str| {
            let mut answer = Shareable::new();
            answer.set_header(ResourceHeader::RESOURCE_RESERVE_TOKEN.as_str(), text);
            match reservation(answer.into_value()) {
                Err(NotDone::Refused(reason)) => reason,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(reason("no room"), "no room");
        assert_eq!(reason(&"ü".repeat(1 << 20)), "ü".repeat(1000));
    }
}
