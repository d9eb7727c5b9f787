//! Commands that measure: echoes between this cell and others.

use core::time::Duration;
use std::collections::BTreeMap;

use bytes::Bytes;
use fedcell_auth::rand_core::Rng;
use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::request::{Body, Reply};
use fedcell_fobs::{Map, Value};
use fedcell_protocol_defs::cell::{NetChannel, NetKey, NetTopic, ReturnCode};
use tokio::time::Instant;

use super::values::{number, reply, text, texts};
use crate::cell::Cell;
use crate::handler::{HandlerError, Request};
use crate::random::SystemRandom;

/// Echoes that one command may ask for, and their largest size in bytes: a peer chooses both.
const MAX_ECHOES: i64 = 100_000;
const MAX_ECHO_KIBIBYTES: i64 = 256 * 1024;

const ECHO_TIMEOUT: Duration = Duration::from_secs(10);
const STRESS_TIMEOUT: Duration = Duration::from_secs(1);
const STRESS_BYTES: usize = 1024;

/// `speed`: so many echoes of such a size with one cell.
pub(super) async fn speed(request: &Request) -> Result<Reply, HandlerError> {
    let params = request.value()?;
    if params.as_map().is_none() {
        let got = params.kind();
        return Err(HandlerError::invalid_request(format!("request body must be dict but got {got}")));
    }
    let to = text(&params, NetKey::TO).ok_or_else(|| HandlerError::invalid_request("missing 'to' param in request"))?;
    let to = FqcnBuf::parse(to).map_err(|bad| HandlerError::invalid_request(format!("bad target FQCN: {bad}")))?;
    let positive = |key, default, most| number(&params, key).filter(|&count| count > 0).unwrap_or(default).min(most);
    let count = positive(NetKey::NUM, 100, MAX_ECHOES);
    let size = positive(NetKey::SIZE, 1000, MAX_ECHO_KIBIBYTES);

    let cell = request.cell();
    let started = Instant::now();
    let payload = Bytes::from(vec![1_u8; usize::try_from(size).unwrap_or_default() * 1024]);
    let prepared = started.elapsed();
    let mut errors: BTreeMap<NetKey<'static>, i64> = BTreeMap::new();
    let started = Instant::now();
    for _ in 0..count {
        let outcome = cell
            .request(&to, NetChannel::NET_MANAGER, NetTopic::ECHO)
            .direct()
            .payload(payload.clone())
            .timeout(ECHO_TIMEOUT)
            .send()
            .await;
        let problem = match &outcome {
            Ok(response) if response.return_code() == ReturnCode::OK => {
                (response.bytes() != payload).then_some(NetKey::PROC_ERRORS)
            }
            Ok(response) => Some(kind_of(response.return_code())),
            Err(error) => Some(kind_of(error.return_code())),
        };
        if let Some(problem) = problem {
            *errors.entry(problem).or_default() += 1;
        }
    }
    let total = started.elapsed().as_secs_f64();
    let errors_of = |key| Value::from(errors.get(&key).copied().unwrap_or_default());
    let test = format!("{}KB {count} rounds between {} and {to}", grouped(size), cell.address());
    #[expect(clippy::cast_precision_loss, reason = "at most a hundred thousand")]
    let average = total / count as f64;
    Ok(reply(&Value::Map(Map::from([
        (NetKey::TEST.as_str(), Value::from(test)),
        (NetKey::PREP.as_str(), Value::from(prepared.as_secs_f64())),
        (NetKey::TIMEOUTS.as_str(), errors_of(NetKey::TIMEOUTS)),
        (NetKey::COMM_ERRORS.as_str(), errors_of(NetKey::COMM_ERRORS)),
        (NetKey::SIZE_ERRORS.as_str(), errors_of(NetKey::SIZE_ERRORS)),
        (NetKey::PROC_ERRORS.as_str(), errors_of(NetKey::PROC_ERRORS)),
        (NetKey::OTHER_ERRORS.as_str(), errors_of(NetKey::OTHER_ERRORS)),
        (NetKey::TOTAL.as_str(), Value::from(total)),
        (NetKey::AVERAGE.as_str(), Value::from(average)),
    ])))?)
}

fn kind_of(code: ReturnCode<'_>) -> NetKey<'static> {
    match code {
        ReturnCode::TIMEOUT => NetKey::TIMEOUTS,
        ReturnCode::COMM_ERROR => NetKey::COMM_ERRORS,
        ReturnCode::MSG_TOO_BIG => NetKey::SIZE_ERRORS,
        _ => NetKey::OTHER_ERRORS,
    }
}

/// A number with commas between the thousands, as the reference prints it.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `stress`: small echoes of random bytes with cells picked by chance.
pub(super) async fn stress(request: &Request) -> Result<Reply, HandlerError> {
    Ok(reply(&run_stress(request).await?)?)
}

async fn run_stress(request: &Request) -> Result<Value, HandlerError> {
    let params = request.value()?;
    let failed = |text: String| Value::Map(Map::from([(NetKey::ERROR.as_str(), Value::from(text))]));
    let Some(map) = params.as_map() else {
        return Ok(failed(format!("bad params - expect dict but got {}", params.kind())));
    };
    let cell = request.cell();
    let mut targets = map.get(NetKey::TARGETS.as_str()).and_then(texts).unwrap_or_default();
    if targets.is_empty() {
        return Ok(failed("no targets specified".to_owned()));
    }
    let Some(rounds) = number(&params, NetKey::NUM).filter(|&rounds| rounds > 0) else {
        return Ok(failed("missing num of rounds".to_owned()));
    };
    targets.retain(|target| *target != cell.address().as_str());
    if targets.is_empty() {
        return Ok(failed("no targets to try".to_owned()));
    }
    let (mut counts, mut errors) = (BTreeMap::<&str, i64>::new(), BTreeMap::<&str, i64>::new());
    let mut random = SystemRandom::new();
    let started = Instant::now();
    for _ in 0..rounds.min(MAX_ECHOES) {
        let mut payload = vec![0; STRESS_BYTES];
        random.fill_bytes(&mut payload);
        let Some(target) = pick(&mut random, &targets) else { break };
        *counts.entry(target).or_default() += 1;
        let payload = Bytes::from(payload);
        let draft = cell.request(target, NetChannel::NET_MANAGER, NetTopic::ECHO).direct().payload(payload.clone());
        let outcome = draft.timeout(STRESS_TIMEOUT).send().await;
        let is_good =
            outcome.is_ok_and(|response| response.return_code() == ReturnCode::OK && response.bytes() == payload);
        if !is_good {
            *errors.entry(target).or_default() += 1;
        }
    }
    let tally = |tally: BTreeMap<&str, i64>| Value::Map(tally.into_iter().collect::<Map>());
    Ok(Value::Map(Map::from([
        (NetKey::COUNTS.as_str(), tally(counts)),
        (NetKey::ERRORS.as_str(), tally(errors)),
        (NetKey::TIME.as_str(), Value::from(started.elapsed().as_secs_f64())),
    ])))
}

fn pick<'a>(random: &mut SystemRandom, targets: &'a [String]) -> Option<&'a str> {
    let count = u64::try_from(targets.len()).ok().filter(|&count| count > 0)?;
    targets.get(usize::try_from(random.next_u64() % count).ok()?).map(String::as_str)
}

/// `bulk_test`: so many numbers to the server, in bulks.
pub(super) fn bulk(cell: &Cell, request: &Request) -> Result<Reply, HandlerError> {
    let size = request.value()?.as_i64().ok_or_else(|| HandlerError::invalid_request("expected a whole number"))?;
    let mut random = SystemRandom::new();
    let mut numbers = Vec::new();
    for _ in 0..size.clamp(0, MAX_ECHOES) {
        let number = i64::from(random.next_u32() % 101);
        numbers.push(number.to_string());
        let body = crate::handler::fobs_body(&Value::from(number))?;
        let draft =
            cell.fire(fedcell_cell_proto::address::Fqcn::SERVER, NetChannel::NET_MANAGER, NetTopic::BULK_ITEM).direct();
        draft.body(body).queue()?;
    }
    Ok(reply(&Value::from(format!("queued: [{}]", numbers.join(", "))))?)
}

/// `echo`: the same body back.
pub(super) fn echo(request: &Request) -> Reply {
    let body: Body = request.body();
    Reply::ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (number, expected) in [(1, "1"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), expected);
        }
    }
}
