//! Kits on disk, right and wrong: what is read of them, and what is said when they cannot be read.

use std::fs;
use std::path::Path;

use fedcell_cell_proto::cause::with_causes;
use serde_json::{Value, json};

use super::*;

/// A kit with these files.
fn kit(files: &[(&str, Value)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("startup")).unwrap();
    fs::create_dir(folder.path().join("local")).unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content.to_string()).unwrap();
    }
    folder
}

fn site() -> Value {
    json!({
        "servers": [{"name": "p", "identity": "hub", "service": {"scheme": "tcp", "target": "hub.example:8002"}}],
        "client": {"fqsn": "north.site-1", "auth_identity": "site-1", "is_leaf": false, "connection_security": "mtls",
                   "auth_identity_map": {"relay-1": "relay-one"}},
    })
}

fn relayed(security: &str) -> Value {
    json!({"relay_config": {
        "address": "relay.example:8102", "fqcn": "relay-1", "identity": "relay-one", "scheme": "tcp",
        "connection_security": security,
    }})
}

fn relay() -> [(&'static str, Value); 2] {
    let up = json!({
        "address": "hub.example:8002", "fqcn": "server", "identity": "hub", "scheme": "tcp",
        "connection_security": "clear",
    });
    let config = json!({"project_name": "p", "identity": "relay-1", "server_identity": "hub", "connect_to": up});
    let resources = json!({"host": "relay.example", "port": 8102, "connection_security": "tls"});
    let comm = json!({"internal": {"scheme": "tcp", "resources": resources}});
    [("startup/fed_relay.json", config), ("local/comm_config.json", comm)]
}

#[test]
fn a_site_dials_its_server_or_its_relay() {
    let direct = kit(&[("startup/fed_client.json", site())]);
    let read = Kit::open(direct.path()).unwrap();
    assert_eq!((read.role, read.project.as_deref(), read.name.as_deref()), (Role::Site, Some("p"), Some("site-1")));
    assert_eq!((read.fqsn.as_deref(), read.is_leaf), (Some("north.site-1"), false));
    assert_eq!(read.uplink.as_ref().unwrap().url(), "tcp://hub.example:8002");
    assert_eq!((read.address(), read.listen), ("site-1".to_owned(), None));
    // The inner folder is the same kit.
    assert_eq!(Kit::open(direct.path().join("startup")).unwrap().startup, read.startup);

    let mut unnamed = site();
    unnamed["servers"][0].as_object_mut().unwrap().remove("identity");
    let unnamed = kit(&[("startup/fed_client.json", unnamed)]);
    assert_eq!(Kit::open(unnamed.path()).unwrap().server_identity.as_deref(), Some("hub.example"));

    for (word, security) in [("clear", SecurityMode::Clear), ("None", SecurityMode::Mtls)] {
        let behind = kit(&[("startup/fed_client.json", site()), ("local/relay__resources.json", relayed(word))]);
        let read = Kit::open(behind.path().join("startup")).unwrap();
        let uplink = read.uplink.as_ref().unwrap();
        assert_eq!((read.address().as_str(), uplink.security), ("relay-1.site-1", security), "{word}");
        assert_eq!(
            (uplink.url().as_str(), uplink.identity.as_deref()),
            ("tcp://relay.example:8102", Some("relay-one"))
        );
    }
}

#[test]
fn each_side_of_a_relay_has_its_own_protection() {
    let read = Kit::open(kit(&relay()).path()).unwrap();
    let listen = read.listen.as_ref().unwrap();
    assert_eq!((read.role, read.security, listen.security), (Role::Relay, SecurityMode::Clear, SecurityMode::Tls));
    assert_eq!(listen.places, [("relay.example".to_owned(), 8102)]);
    // Only one of them is in clear: its certificates are needed.
    let error = read.cell().map(drop).unwrap_err();
    assert!(matches!(error, KitError::Credentials(_)), "{error:?}");
}

#[test]
fn a_server_has_a_port_for_administrators() {
    let entry = json!({
        "name": "p", "admin_port": 8003, "service": {"scheme": "grpc", "target": "hub.example:8002"},
        "connection_security": "clear",
    });
    let read = Kit::open(kit(&[("startup/fed_server.json", json!({"servers": [entry]}))]).path()).unwrap();
    let listen = read.listen.as_ref().unwrap();
    assert_eq!(listen.places, [("hub.example".to_owned(), 8002), ("hub.example".to_owned(), 8003)]);
    assert_eq!((listen.scheme.as_str(), read.address().as_str(), &read.uplink), ("grpc", "server", &None));
    // In clear nothing else is needed.
    assert!(read.cell().is_ok());
    let error = read.config().unwrap_err();
    assert_eq!(error.to_string(), "the kit does not name its server");
}

/// The files make no kit; what is said of them ends so.
#[track_caller]
fn refused(files: &[(&str, Value)], expected: &str) {
    let folder = kit(files);
    let error = Kit::open(folder.path()).unwrap_err();
    let said = with_causes(&error);
    assert!(said.ends_with(expected), "{said}");
    let path: &Path = folder.path();
    assert!(said.contains(&path.display().to_string()), "{said}: no place");
}

#[test]
fn what_is_wrong_is_named_with_its_file() {
    let changed = |pointer: &str, to: Value| {
        let mut config = site();
        *config.pointer_mut(pointer).unwrap() = to;
        [("startup/fed_client.json", config)]
    };
    refused(&[], "it has no fed_server.json, fed_client.json, fed_relay.json or fed_admin.json");
    refused(&changed("/servers", json!([])), "fed_client.json cannot be used: there is no server in it");
    refused(&changed("/servers/0/service/target", json!("hub")), "\"hub\" is no host and port");
    refused(&changed("/servers/0/identity", json!(7)), "identity is missing or no text");
    refused(
        &changed("/client/connection_security", json!("safe")),
        "`safe` is no connection security, expected clear, tls or mtls",
    );
    let [config, mut comm] = relay();
    refused(core::slice::from_ref(&config), "local/comm_config.json is missing, it says where the relay listens");
    comm.1["internal"]["resources"]["port"] = json!(70_000);
    refused(
        &[config, comm],
        "local/comm_config.json cannot be used: it does not say on which host and port the relay listens",
    );
    let resources = ("local/relay__resources.json", json!({"relay_config": {"address": "relay.example:8102"}}));
    refused(
        &[("startup/fed_client.json", site()), resources],
        "relay__resources.json cannot be used: fqcn is missing or no text",
    );
    let folder = kit(&[]);
    fs::write(folder.path().join("startup/fed_client.json"), vec![b' '; 1 + (1 << 20)]).unwrap();
    assert!(matches!(Kit::open(folder.path()), Err(KitError::Length { length: 1_048_577, .. })));
}
