//! Version 1 of the Client API session protocol, pinned literally: a change of any of these words breaks the protocol.

use std::collections::BTreeSet;

use fedcell_protocol_defs::client_api::{Channel, Key, LegacyChannel, LegacyTopic, Topic, Version};
use fedcell_protocol_defs::registry::{self, Group, Status, Value};

const TOPICS: [(Topic<'static>, &str); 17] = [
    (Topic::HELLO, "client_api.hello"),
    (Topic::HELLO_CHALLENGE, "client_api.hello_challenge"),
    (Topic::HELLO_PROOF, "client_api.hello_proof"),
    (Topic::HELLO_ACCEPTED, "client_api.hello_accepted"),
    (Topic::HELLO_REJECTED, "client_api.hello_rejected"),
    (Topic::TASK_READY, "client_api.task_ready"),
    (Topic::TASK_ACCEPTED, "client_api.task_accepted"),
    (Topic::TASK_FAILED, "client_api.task_failed"),
    (Topic::RESULT_READY, "client_api.result_ready"),
    (Topic::RESULT_ACCEPTED, "client_api.result_accepted"),
    (Topic::RESULT_REJECTED, "client_api.result_rejected"),
    (Topic::LOG, "client_api.log"),
    (Topic::HEARTBEAT, "client_api.heartbeat"),
    (Topic::ABORT, "client_api.abort"),
    (Topic::SHUTDOWN, "client_api.shutdown"),
    (Topic::BYE, "client_api.bye"),
    (Topic::ERROR, "client_api.error"),
];

const KEYS: [(Key<'static>, &str); 19] = [
    (Key::SESSION_ID, "session_id"),
    (Key::ATTACH_ID, "attach_id"),
    (Key::JOB_ID, "job_id"),
    (Key::SITE_NAME, "site_name"),
    (Key::TRAINER_FQCN, "trainer_fqcn"),
    (Key::TARGET_FQCN, "target_fqcn"),
    (Key::RANK, "rank"),
    (Key::RANK_POLICY, "rank_policy"),
    (Key::PROTOCOL_VERSION, "protocol_version"),
    (Key::NONCE, "nonce"),
    (Key::PROOF, "proof"),
    (Key::REASON, "reason"),
    (Key::TASK_ID, "task_id"),
    (Key::TASK_NAME, "task_name"),
    (Key::MODEL, "model"),
    (Key::PARAMS, "params"),
    (Key::RESULT_ID, "result_id"),
    (Key::TRANSFER_ID, "transfer_id"),
    (Key::MANIFEST, "manifest"),
];

const LEGACY_TOPICS: [(LegacyTopic<'static>, &str); 6] = [
    (LegacyTopic::GET_TASK, "get_task"),
    (LegacyTopic::SUBMIT_RESULT, "submit_result"),
    (LegacyTopic::HEARTBEAT, "heartbeat"),
    (LegacyTopic::HELLO, "hello"),
    (LegacyTopic::BYE, "bye"),
    (LegacyTopic::ABORT, "abort"),
];

/// The constants have the pinned values, and the group holds these words and no others.
#[track_caller]
fn check(group: &str, pinned: &[(&str, &str)]) {
    for (constant, literal) in pinned {
        assert_eq!(constant, literal, "{group}: the constant is not what the protocol says");
    }
    let expected: BTreeSet<&str> = pinned.iter().map(|(_, literal)| *literal).collect();
    assert_eq!(expected.len(), pinned.len(), "{group}: a word stands twice");
    let registered = words(group);
    assert_eq!(registered.len(), pinned.len(), "{group}: as many entries as words");
    assert_eq!(registered.into_iter().collect::<BTreeSet<_>>(), expected, "{group}: the registry has other words");
}

fn group(name: &str) -> &'static Group {
    registry::groups().find(|group| group.name == name).unwrap_or_else(|| panic!("no group {name}"))
}

fn words(name: &str) -> Vec<&'static str> {
    group(name)
        .entries
        .iter()
        .map(|entry| match entry.value {
            Value::Str(word) => word,
            other => panic!("{name} {}: {other} is no word", entry.name),
        })
        .collect()
}

#[test]
fn seventeen_topics() {
    check("client_api.topic", &TOPICS.map(|(topic, literal)| (topic.as_str(), literal)));
}

#[test]
fn nineteen_keys() {
    check("client_api.key", &KEYS.map(|(key, literal)| (key.as_str(), literal)));
}

#[test]
fn legacy_agent_protocol() {
    check("client_api.legacy_topic", &LEGACY_TOPICS.map(|(topic, literal)| (topic.as_str(), literal)));
    check("client_api.legacy_channel", &[(LegacyChannel::FLARE_AGENT.as_str(), "flare_agent")]);
}

#[test]
fn channel_and_version() {
    check("client_api.channel", &[(Channel::CLIENT_API.as_str(), "client_api")]);
    assert_eq!(Version::V1.get(), 1);
}

/// Each topic is the channel, a point, and the name of its constant in lower case; each key is that name alone.
#[test]
fn words_follow_their_names() {
    for entry in group("client_api.topic").entries {
        assert_eq!(entry.value, Value::Str(&format!("client_api.{}", entry.name.to_lowercase()).leak()[..]));
    }
    for entry in group("client_api.key").entries {
        assert_eq!(entry.value, Value::Str(&entry.name.to_lowercase().leak()[..]));
    }
}

/// A cell may serve both protocols: no topic of one, with or without its channel, may be taken for one of the other.
#[test]
fn no_collision_with_the_legacy_agent_protocol() {
    assert_ne!(Channel::CLIENT_API.as_str(), LegacyChannel::FLARE_AGENT.as_str());
    let legacy: BTreeSet<&str> = words("client_api.legacy_topic").into_iter().collect();
    for topic in words("client_api.topic").into_iter().chain(words("client_api.release_topic")) {
        assert!(!legacy.contains(topic), "{topic} is a topic of the legacy agent protocol");
        assert!(!topic.starts_with(LegacyChannel::FLARE_AGENT.as_str()), "{topic} begins with the legacy channel");
    }
}

/// What a release added stands beside version 1, never in its place.
#[test]
fn no_collision_with_the_words_of_a_release() {
    for (frozen, added) in
        [("client_api.topic", "client_api.release_topic"), ("client_api.key", "client_api.release_key")]
    {
        let frozen: BTreeSet<&str> = words(frozen).into_iter().collect();
        for word in words(added) {
            assert!(!frozen.contains(word), "{word} stands in {added} and in version 1");
        }
    }
}

/// The words of version 1 that release 2.9.0 does not speak are marked so, and only those.
#[test]
fn unspoken_words_are_marked() {
    let unspoken = |name| -> Vec<&str> {
        group(name).entries.iter().filter(|entry| entry.status == Status::Unspoken).map(|entry| entry.name).collect()
    };
    assert_eq!(unspoken("client_api.topic"), ["HELLO_CHALLENGE", "HELLO_PROOF", "BYE"]);
    assert_eq!(
        unspoken("client_api.key"),
        ["TARGET_FQCN", "RANK_POLICY", "NONCE", "PARAMS", "TRANSFER_ID", "MANIFEST"]
    );
}
