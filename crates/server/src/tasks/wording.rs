//! Bodies of the messages about tasks, read and written.

use core::time::Duration;

use fedcell_cell::{HandlerError, Request};
use fedcell_fobs::Value;
use fedcell_fobs::typed::{FlContext, FobsType as _, Shareable};
use fedcell_protocol_defs::address::ReservedSegment;
use fedcell_protocol_defs::cell::ReturnCode;
use fedcell_protocol_defs::federation::{
    AuthHeaderKey, ContextKey, ServerCommandKey, ShareableCode, ShareableHeader, SpecialTaskName, TaskHeader,
};

use crate::controller::Task;

/// The site that asks. The root cell has checked the name against the token, or believes everybody.
pub(super) fn site(request: &Request) -> Result<String, HandlerError> {
    let name = request.headers().text(AuthHeaderKey::CLIENT_NAME).ok().flatten().unwrap_or_default();
    if name.is_empty() {
        return Err(HandlerError::new(ReturnCode::AUTHENTICATION_ERROR, "expected the header client_name"));
    }
    Ok(name.to_owned())
}

/// The body as a shareable, its arrays fetched.
pub(super) fn shareable(value: Value) -> Result<Shareable, HandlerError> {
    Shareable::from_value(value).map_err(|_| HandlerError::invalid_request("expected the payload to be a Shareable"))
}

/// Who answers, for which job.
pub(super) fn context(job: &str) -> FlContext {
    let mut context = FlContext::new();
    context.put_public(ContextKey::RUN_NUM.as_str(), job);
    context.put_public(ContextKey::IDENTITY_NAME.as_str(), ReservedSegment::ROOT_SERVER.as_str());
    context.put_public(ContextKey::CURRENT_JOB_ID.as_str(), job);
    context
}

/// A task as the answer to a request for one.
pub(super) fn task(job: &str, task: Task) -> Value {
    let mut data = task.data;
    data.set_header(ServerCommandKey::TASK_NAME.as_str(), task.name.as_str());
    data.set_header(ShareableHeader::TASK_NAME.as_str(), task.name.as_str());
    data.set_header(ShareableHeader::TASK_ID.as_str(), task.id.as_str());
    data.set_peer_context(context(job));
    data.into_value()
}

/// That there is nothing to do now.
pub(super) fn try_again(job: &str, after: Duration) -> Value {
    let mut answer = special(job, SpecialTaskName::TRY_AGAIN);
    answer.set_header(TaskHeader::WAIT_TIME.as_str(), after.as_secs_f64());
    answer.into_value()
}

/// That there will be nothing to do any more.
pub(super) fn end_run(job: &str) -> Value {
    special(job, SpecialTaskName::END_RUN).into_value()
}

fn special(job: &str, name: SpecialTaskName<'_>) -> Shareable {
    let mut answer = Shareable::new();
    answer.set_header(ServerCommandKey::TASK_NAME.as_str(), name.as_str());
    answer.set_header(ShareableHeader::TASK_ID.as_str(), "");
    answer.set_peer_context(context(job));
    answer
}

/// The answer to an application message: a code.
pub(super) fn aux(job: &str, code: ShareableCode<'_>) -> Value {
    let mut answer = Shareable::reply(code);
    answer.set_peer_context(context(job));
    answer.into_value()
}
