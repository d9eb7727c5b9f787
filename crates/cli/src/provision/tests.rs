//! Kits as they are on disk, read with the loaders of `auth`.

use std::os::unix::fs::PermissionsExt as _;

use fedcell_auth::identity::{Identity, Kit, KitRole, ProjectRoot, Purpose};
use fedcell_auth::{CommonName, UnixTime};
use fedcell_cell::security::Credentials;

use super::*;

fn project() -> Project {
    let arguments = [
        "provision",
        "--project",
        "proj",
        "--server",
        "server.example",
        "--host",
        "localhost",
        "--host",
        "127.0.0.1",
        "--relay",
        "relay-1@localhost:8102",
        "--relay",
        "relay-2@localhost:8103=relay-1",
        "--site",
        "site-1",
        "--site",
        "site-2=relay-1",
        "--site",
        "site-3=relay-2",
        "--admin",
        "admin@nvidia.com",
    ];
    read(&command().get_matches_from(arguments)).unwrap()
}

fn now() -> UnixTime {
    UnixTime::from_secs(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs())
}

/// Paths below a folder, with the access rights of files.
fn tree(folder: &Path) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() {
                open.push(entry.path());
            } else {
                let name = entry.path().strip_prefix(folder).unwrap().display().to_string();
                found.push((name, metadata.permissions().mode() & 0o777));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn kits_are_believed_and_complete() {
    let folder = tempfile::tempdir().unwrap();
    let kits = create(&project(), 30, folder.path()).unwrap();
    assert_eq!(kits, folder.path().join("proj/prod_00"));
    for (name, role) in [
        ("server.example", KitRole::Server),
        ("relay-1", KitRole::Client),
        ("relay-1", KitRole::Server),
        ("relay-2", KitRole::Client),
        ("site-1", KitRole::Client),
        ("site-2", KitRole::Client),
        ("site-3", KitRole::Client),
        ("admin@nvidia.com", KitRole::Client),
    ] {
        let startup = kits.join(name).join("startup");
        let report = Kit::read(&startup, role).examine(role, Some(&CommonName::parse(name).unwrap()), now());
        assert!(report.is_usable(), "{name}: {:?}", report.findings);
        // Thirty days are soon over, and nothing else is to be said.
        assert!(report.findings.iter().all(|finding| finding.problem.contains("30 days")), "{:?}", report.findings);
        let (file, purpose) = match role {
            KitRole::Server => ("server", Purpose::Server),
            _ => ("client", Purpose::Client),
        };
        let own = Identity::load(&startup.join(format!("{file}.crt")), &startup.join(format!("{file}.key"))).unwrap();
        assert_eq!(own.name().as_str(), name);
        ProjectRoot::load(&startup.join("rootCA.pem")).unwrap().verify(own.chain(), now(), purpose).unwrap();
        Credentials::from_kit(&startup).unwrap();
    }
    for (path, mode) in tree(folder.path()) {
        let is_secret = path.ends_with(".key") || path.ends_with("cert.json");
        let expected = match path.as_str() {
            _ if is_secret => 0o600,
            path if path.ends_with(".sh") => 0o755,
            _ => 0o644,
        };
        assert_eq!(mode, expected, "{path}");
    }
}

#[test]
fn nothing_is_overwritten_and_nothing_half_made_stays() {
    let small = || Project { relays: Vec::new(), sites: Vec::new(), ..project() };
    let authority = Authority::new("proj", 30, SystemTime::now()).unwrap();
    let mut kits = small().kits(&authority).unwrap();
    let folder = tempfile::tempdir().unwrap();
    write::write(folder.path(), "proj", &authority, &kits).unwrap();
    let before = tree(folder.path());
    let text = format!("{:#}", write::write(folder.path(), "proj", &authority, &kits).unwrap_err());
    assert!(text.contains("is there already"), "{text}");
    assert_eq!(tree(folder.path()), before);

    // The folder of the last kit is taken when its turn comes.
    let twin = twin(&authority, kits.last().unwrap());
    kits.insert(0, twin);
    let second = tempfile::tempdir().unwrap();
    write::write(second.path(), "proj", &authority, &kits).unwrap_err();
    assert_eq!(std::fs::read_dir(second.path()).unwrap().count(), 0);
}

/// A kit of the same name as another one.
fn twin(authority: &Authority, other: &kit::Kit) -> kit::Kit {
    let pair = authority.issue(&authority::Subject { name: &other.name, ..authority::Subject::default() }).unwrap();
    kit::Kit { name: other.name.clone(), files: Vec::new(), pair }
}

#[test]
fn the_files_say_what_the_project_says() {
    let folder = tempfile::tempdir().unwrap();
    let kits = create(&project(), 30, folder.path()).unwrap();
    let read =
        |path: &str| -> serde_json::Value { serde_json::from_slice(&std::fs::read(kits.join(path)).unwrap()).unwrap() };
    let site = read("site-3/local/relay__resources.json");
    assert_eq!(site["relay_config"]["fqcn"], "relay-1.relay-2");
    assert_eq!(site["relay_config"]["address"], "localhost:8103");
    let relay = read("relay-2/startup/fed_relay.json");
    assert_eq!(
        (&relay["connect_to"]["fqcn"], &relay["connect_to"]["identity"]),
        (&json!("relay-1"), &json!("relay-1"))
    );
    assert_eq!(read("relay-1/local/comm_config.json")["internal"]["resources"]["port"], 8102);
    let server = &read("server.example/startup/fed_server.json")["servers"][0];
    assert_eq!(server["service"]["target"], "server.example:8002");
    assert_eq!(server["auth_identity_map"]["relay-1.relay-2.site-3"], "site-3");
    assert_eq!(read("site-1/startup/fed_client.json")["client"]["fqsn"], "site-1");
    assert!(!kits.join("site-1/local/comm_config.json").exists());
}

#[track_caller]
fn check_usage(arguments: &[&str], expected: &str) {
    let all = ["provision"].iter().chain(arguments);
    let read = read(&command().get_matches_from(all)).and_then(|project| project.check());
    let text = format!("{:#}", read.unwrap_err());
    assert!(text.contains(expected), "{text}");
}

#[test]
fn mistakes_on_the_command_line_are_named() {
    check_usage(&["--relay", "relay-1"], "expected NAME@HOST:PORT");
    check_usage(&["--relay", "relay-1@localhost:http"], "http is no port");
    check_usage(&["--site", "a=relay-1"], "there is no relay relay-1");
    check_usage(&["--site", "a", "--site", "a"], "two participants");
}
