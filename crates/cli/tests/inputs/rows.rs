//! The rows, by what is at fault.

use core::fmt::Write as _;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use rcgen::{ExtendedKeyUsagePurpose, date_time_ymd};

use crate::scene::{Ended, JOB, Running, Scene, new_key, words};
use crate::snapshot;

/// Collects what is said, and checks what must be true of every row.
struct Table {
    scene: Scene,
    before: BTreeSet<PathBuf>,
    text: String,
}

impl Table {
    fn new() -> Self {
        let scene = Scene::new(2);
        Self { before: scene.tree(), scene, text: String::new() }
    }

    #[track_caller]
    fn add(&mut self, name: &str, code: i32, ended: &Ended) {
        assert_eq!(ended.code, Some(code), "{name}\n{}{}", ended.out, ended.err);
        assert_eq!(ended.err.lines().count(), 1, "{name}\n{}", ended.err);
        assert!(ended.err.starts_with("fedcell: "), "{name}\n{}", ended.err);
        assert_eq!(self.scene.tree(), self.before, "{name}: something was left behind, or is gone");
        let said = self.scene.neutral(&ended.err);
        writeln!(self.text, "{name}\n  exit {code}\n  {}", said.trim_end()).expect("a text takes everything");
    }

    #[track_caller]
    fn check(&mut self, name: &str, code: i32, typed: &str, with: &[&Path]) {
        let ended = self.scene.fedcell(&words(typed, with));
        self.add(name, code, &ended);
    }

    /// A site with this kit, which waits a second for its server.
    #[track_caller]
    fn site(&mut self, name: &str, code: i32, kit: &Path) {
        self.check(name, code, &site("1"), &[kit]);
    }
}

fn site(wait: &str) -> String {
    format!("site --kit _ --job {JOB} --workspace work-of-site --wait {wait}")
}

fn server(more: &str) -> String {
    format!("server --kit _ --job {JOB} --workspace work-of-server --listen 127.0.0.1{more}")
}

#[test]
fn the_command_line() {
    let mut table = Table::new();
    let kit = table.scene.kit("p", "site-1");
    table.check("no such command", 2, "serve", &[]);
    table.check("no such option", 2, "server --kits _", &[&kit]);
    table.check("options are missing", 2, "site", &[]);
    table.check("no rounds", 2, &server(" --rounds 0"), &[&kit]);
    table.check("no sites", 2, &server(" --sites 0"), &[&kit]);
    table.check("more results than sites", 2, &server(" --min-sites 9"), &[&table.scene.kit("p", "localhost")]);
    table.check("shares that cannot be", 2, &server(" --alpha 0"), &[&kit]);
    table.check("a job that is no UUID", 2, "site --kit _ --workspace w --job digits", &[&kit]);
    table.check("no time", 2, &site("soon"), &[&kit]);
    let options = "--credentials _ --workspace w --sites 1";
    table.check("a kit and options instead of one", 2, &site("1 --credentials _"), &[&kit, &kit]);
    table.check("neither kit nor name", 2, &format!("site {options}"), &[&kit]);
    table.check("no way to the server", 2, &format!("site {options} --name site-1 --project p"), &[&kit]);
    let behind = format!("site {options} --name site-1 --project p --url tcp://h:1 --parent relay-1");
    table.check("a relay above and no name of the server", 2, &behind, &[&kit]);
    let nowhere = format!("site {options} --name site-1 --project p --url tcp://h");
    table.check("a URL without a port", 2, &nowhere, &[&kit.join("startup")]);
    let silent = format!("server {options} --name localhost --project p");
    table.check("a server that is told no port", 2, &silent, &[&table.scene.kit("p", "localhost").join("startup")]);
    table.check(
        "certificates of somebody else",
        3,
        &nowhere.replace("site-1", "site-2").replace("//h", "//h:1"),
        &[&kit.join("startup")],
    );
    table.check("no such protection", 2, "cell --fqcn server --root-url tcp://127.0.0.1:0 --security some", &[]);
    table.check("no port", 2, "provision --port 99999", &[]);
    table.check("options that exclude each other", 2, "cell --fqcn a --root-url tcp://h:1 --credentials a --ca b", &[]);
    let name = OsString::from_vec(b"caf\xe9".to_vec());
    let ended = table.scene.fedcell(&["provision".into(), "--project".into(), name]);
    table.add("a name that is no UTF-8", 2, &ended);
    table.check("no address of a cell", 3, "cell --fqcn a..b --root-url tcp://127.0.0.1:0 --security clear", &[]);
    table.check("no scheme of a URL", 3, "cell --fqcn server --root-url pigeon://loft:1 --security clear", &[]);
    table.check("TLS without certificates", 3, "cell --fqcn server --root-url tcp://127.0.0.1:0", &[]);
    table.check(
        "no object",
        2,
        "send --root-url tcp://h:1 --security clear --target a --channel b --topic c --fobs {",
        &[],
    );
    let cell = "cell --fqcn server --root-url tcp://127.0.0.1:0 --security clear";
    table.check("metrics at no address", 2, &format!("{cell} --metrics 9464"), &[]);
    table.check("metrics for everybody", 3, &format!("{cell} --metrics 0.0.0.0:0"), &[]);
    table.check("metrics for everybody in another spelling", 3, &format!("{cell} --metrics [::ffff:192.0.2.1]:0"), &[]);
    table.check("nobody else, and no metrics", 2, &format!("{cell} --metrics-exposed"), &[]);
    let taken = TcpListener::bind(("127.0.0.1", table.scene.ports[3])).expect("the port");
    let address = taken.local_addr().expect("an address");
    table.check("the port for metrics is taken", 3, &format!("{cell} --metrics {address}"), &[]);
    drop(taken);
    table.check("no such shell", 2, "completions tcsh", &[]);
    table.check("no folder for manuals", 1, "man --output /no/such/folder", &[]);
    snapshot::check("messages/command-line.txt", &table.text);
}

#[test]
fn provisioning() {
    let mut table = Table::new();
    let place = table.scene.path("");
    table.check("there is such a project", 1, "provision --project p --output _", &[&place]);
    table.check("a project of no possible name", 2, "provision --project ../up", &[]);
    table.check("a site of no possible name", 2, "provision --site a.b", &[]);
    table.check("two of one name", 2, "provision --site a --site a", &[]);
    table.check("no such relay", 2, "provision --site a=relay-9", &[]);
    table.check("a relay without a port", 2, "provision --relay relay-1@localhost", &[]);
    table.check("no host", 2, "provision --server a_host/", &[]);
    table.check("no days", 2, "provision --days 0", &[]);
    let file = table.scene.kit("p", "site-1").join("startup/client.crt");
    table.check("a file where a folder should be", 1, "provision --project new --output _", &[&file]);

    let locked = table.scene.path("locked");
    fs::create_dir(&locked).expect("a folder");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).expect("rights");
    table.before = table.scene.tree();
    let ended = table.scene.fedcell_as_nobody(&words("provision --project new --output _", &[&locked]));
    table.add("a folder that may not be written", 1, &ended);

    // A disk that takes no byte more.
    let shell = "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\"";
    let mut full = Command::new("bash");
    full.args(["-c", shell, env!("CARGO_BIN_EXE_fedcell"), "provision", "--project", "new"]);
    let ended = table.scene.run(&mut full);
    table.add("a disk that is full", 1, &ended);
    snapshot::check("messages/provision.txt", &table.text);
}

#[test]
fn kits() {
    let mut table = Table::new();
    let scene = &table.scene;
    let (own, other) = (scene.kit("p", "site-1"), scene.kit("p", "site-2"));
    let foreign = scene.kit("q", "site-1");
    let client = "startup/fed_client.json";
    table.site("no such folder", 3, Path::new("/no/such/kit"));
    table.site("a folder without a kit", 3, &own.join("local"));
    table.site("the kit of a relay", 3, &table.scene.kit("p", "relay-1"));
    table.check("the kit of a site", 3, &server(""), &[&own]);
    table.check(
        "a site that the job has not",
        3,
        &format!("{} --sites 2", site("1")),
        &[&table.scene.kit("p", "site-3")],
    );
    let write = |name: &'static str, file: &'static str, bytes: &'static [u8], scene: &Scene| {
        scene.flawed(name, |kit| fs::write(kit.join(file), bytes).expect("a write"))
    };
    table.site(
        "a site's configuration is cut off",
        3,
        &write("site-1", client, b"{\"format_version\": 2,", &table.scene),
    );
    table.site("it is no UTF-8", 3, &write("site-1", client, b"{\"servers\": [\"\xff\"]}", &table.scene));
    table.site("it is a list", 3, &write("site-1", client, b"[]", &table.scene));
    table.site(
        "it is a folder",
        3,
        &table.scene.flawed("site-1", |kit| {
            fs::remove_file(kit.join(client)).expect("it goes");
            fs::create_dir(kit.join(client)).expect("a folder");
        }),
    );
    let cut = write("localhost", "startup/fed_server.json", b"{", &table.scene);
    table.check("a server's configuration is cut off", 3, &server(""), &[&cut]);
    table.site("no such protection", 3, &table.scene.reworded("site-1", client, "mtls", "very safe"));
    table.site("a target without a port", 3, &table.scene.reworded("site-1", client, "localhost:", "localhost/"));
    table.site("no server in it", 3, &table.scene.reworded("site-1", client, "\"servers\"", "\"server\""));
    let relay =
        table.scene.flawed("relay-1", |kit| fs::remove_file(kit.join("local/comm_config.json")).expect("it goes"));
    table.check("a relay that is not told where to listen", 3, "relay --kit _ --wait 1", &[&relay]);
    let without = |file: &'static str, scene: &Scene| {
        scene.flawed("site-1", |kit| fs::remove_file(kit.join("startup").join(file)).expect("it goes"))
    };
    table.site("no root certificate", 3, &without("rootCA.pem", &table.scene));
    table.site("no certificate", 3, &without("client.crt", &table.scene));
    table.site("no key", 3, &without("client.key", &table.scene));
    table.site("a certificate that is none", 3, &write("site-1", "startup/client.crt", b"hello", &table.scene));
    let with = |from: PathBuf, to: &'static str, scene: &Scene| {
        scene.flawed("site-1", |kit| assert_ne!(fs::copy(from, kit.join("startup").join(to)).expect("a copy"), 0))
    };
    table.site("the key of another site", 3, &with(other.join("startup/client.key"), "client.key", &table.scene));
    let key = new_key();
    let fresh = table.scene.flawed("site-1", |kit| fs::write(kit.join("startup/client.key"), key).expect("a write"));
    table.site("a key that is nobody's", 3, &fresh);
    let locked = table.scene.flawed("site-1", |kit| {
        fs::set_permissions(kit.join("startup/client.key"), fs::Permissions::from_mode(0o000)).expect("rights");
    });
    let ended = table.scene.fedcell_as_nobody(&words(&site("1"), &[&locked]));
    table.add("a key that this user may not read", 3, &ended);
    table.site(
        "a root certificate of another project",
        3,
        &with(foreign.join("startup/rootCA.pem"), "rootCA.pem", &table.scene),
    );
    let expired = |params: &mut rcgen::CertificateParams| params.not_after = date_time_ymd(2020, 1, 1);
    let kit = table.scene.certified("site-1", "client.crt", expired);
    table.site("a certificate that has expired", 3, &kit);
    let early = |params: &mut rcgen::CertificateParams| params.not_before = date_time_ymd(2100, 1, 1);
    let kit = table.scene.certified("site-1", "client.crt", early);
    table.site("a certificate that is not valid yet", 3, &kit);
    let kit = table.scene.certified("site-1", "client.crt", |params| {
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    });
    table.site("a certificate for servers", 3, &kit);
    let kit = table.scene.flawed("site-1", |kit| {
        for file in ["client.crt", "client.key"] {
            fs::copy(other.join("startup").join(file), kit.join("startup").join(file)).expect("a copy");
        }
    });
    table.site("certificate and key of another site", 3, &kit);
    let kit = table.scene.certified("localhost", "server.crt", expired);
    table.check("the server's certificate has expired", 3, &server(""), &[&kit]);
    let kit = table.scene.certified("relay-1", "server.crt", expired);
    table.check("the relay's certificate for sites has expired", 3, "relay --kit _ --wait 1", &[&kit]);
    snapshot::check("messages/kits.txt", &table.text);
}

#[test]
fn the_network() {
    let mut table = Table::new();
    let own = table.scene.kit("p", "site-1");
    let [port, ..] = table.scene.ports;
    let client = "startup/fed_client.json";
    table.site("no server", 4, &own);
    table.check("no server for a relay", 4, "relay --kit _ --wait 1", &[&table.scene.kit("p", "relay-1")]);
    table.site("no relay", 4, &table.scene.kit("p", "site-3"));
    let away = table.scene.reworded("site-1", client, &format!("localhost:{port}"), "no.such.host.invalid:8002");
    table.site("no such host", 4, &away);
    let url = format!("--via tcp://127.0.0.1:{port} --security clear --timeout 1");
    table.check("no server for a tool", 4, &format!("net peers {url}"), &[]);

    let silent = TcpListener::bind(("127.0.0.1", port)).expect("the port");
    table.check("the port is taken", 3, &server(""), &[&table.scene.kit("p", "localhost")]);
    let closing = thread::spawn(move || {
        // Whoever connects is left alone until it gives up.
        let (mut stream, _) = silent.accept().expect("a connection");
        _ = stream.read_to_end(&mut Vec::new());
    });
    table.site("what listens there says nothing", 4, &own);
    closing.join().expect("the listener ends");

    let root = format!("cell --fqcn server --root-url tcp://127.0.0.1:{port} --security clear");
    let clear = Running::start(&words(&root, &[]));
    table.site("what listens there has no TLS", 4, &own);
    drop(clear);

    let kit = table.scene.kit("p", "localhost");
    let path = table.scene.path("work-of-running");
    let running = format!("server --kit _ --job {JOB} --workspace _ --sites 2 --listen 127.0.0.1");
    let running = Running::start(&words(&running, &[&kit, &path]));
    table.before = table.scene.tree();
    table.site("a kit of another project of the same name", 4, &table.scene.kit("q", "site-1"));
    let elsewhere =
        table.scene.reworded("site-1", client, "\"identity\": \"localhost\"", "\"identity\": \"elsewhere\"");
    table.site("a server of another name", 4, &elsewhere);
    let project = table.scene.reworded("site-1", client, "\"name\": \"p\"", "\"name\": \"another\"");
    table.site("another project", 6, &project);
    let unknown = site("1").replace(JOB, "ffffffff-8f0a-4a53-9d9f-0c2b8f1d2e11");
    table.check("a job that the server has not", 6, &unknown, &[&own]);
    let file = own.join("startup/client.crt");
    table.check("a workspace that is a file", 3, &site("1").replace("work-of-site", "_"), &[&own, &file]);
    let tool = format!("net peers --via tcp://localhost:{port} --timeout 1 --credentials _");
    table.check("a tool with a kit of another project", 4, &tool, &[&table.scene.kit("q", "site-1")]);
    let asked = format!("{tool} --target site-9");
    table.check("a cell that is not there, at a server that tells members only", 5, &asked, &[&own]);
    drop(running);
    snapshot::check("messages/network.txt", &table.text);
}
