//! Downloads between whole cells: values and their arrays, bytes, files, what is handed on, what is given up.

use std::sync::Mutex;

use bytes::Bytes;
use fedcell_cell_proto::download::failure::SourceFailure;
use fedcell_cell_proto::download::source::{Outcome, Receivers, Verdict};
use fedcell_cell_proto::request::{Body, Reply};
use fedcell_fobs::array::{Array, DType, Order};
use fedcell_fobs::{Map, Text, Value};
use fedcell_protocol_defs::cell::HeaderKey;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::*;
use crate::download::{DownloadConfig, FetchError, Offer, Produced, Producer, SpilledArray};
use crate::{HandlerError, Limits};

/// An array of bytes that tell where they stand, and whose it is.
fn array(number: usize, length: usize) -> Array {
    let bytes: Vec<u8> = (0..length).map(|at| (at * 31 + at / 251 + number * 7).to_le_bytes()[0]).collect();
    Array::new(DType::parse(b"|u1").unwrap(), [length], Order::C, bytes).unwrap()
}

/// Arrays of these lengths in a map, one of them twice.
fn model(lengths: &[usize]) -> Value {
    let arrays = lengths.iter().enumerate().map(|(number, &length)| (format!("layer{number}"), array(number, length)));
    let mut map: Map = arrays.collect();
    let again = map.get("layer0").cloned();
    map.insert("again", again);
    map.insert("round", 3);
    Value::Map(map)
}

/// Fetches what comes and answers with it.
async fn fetch_and_answer(request: Request) -> Result<Body, HandlerError> {
    let value = request.fetch().await?;
    assert!(!value.has_remote());
    Ok(request.body_of(&value)?)
}

async fn outcome(offer: &Offer) -> Outcome {
    timeout(PATIENCE, offer.outcome()).await.expect("the offer does not end").unwrap()
}

/// Waits until nothing is on offer.
async fn released(cell: &Cell) {
    let quiet = async {
        while cell.downloads().open_offers() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, quiet).await.unwrap_or_else(|_| panic!("{cell:?} still offers"));
}

/// A server and a site in memory, both of which fetch and answer.
async fn pair() -> (Cell, Cell) {
    let network = MemoryNetwork::new();
    let server = builder("server", &network).root_url("memory://hub").start().await.unwrap();
    let site = builder("site-1", &network).root_url("memory://hub").start().await.unwrap();
    site.ready().await;
    for cell in [&server, &site] {
        cell.handle("test", "model", fetch_and_answer);
    }
    (server, site)
}

#[track_caller]
fn check_payload(payload: usize, most: usize) {
    assert!(payload < most, "{payload} bytes in a message whose arrays stay behind");
}

async fn check_exchange(from: &Cell, to: &str, lengths: &[usize]) {
    let value = model(lengths);
    let response = from.request(to, "test", "model").value(&value).timeout(PATIENCE).send().await.unwrap();
    let response = response.success().unwrap();
    check_payload(response.payload().len(), 4000 + 300 * lengths.len());
    let fetched = timeout(PATIENCE, response.fetch(from).into_future()).await.unwrap().unwrap();
    assert!(fetched == value, "what came back is something else");
}

#[tokio::test]
async fn values_leave_their_arrays_behind_and_get_them_back() {
    let (server, site) = pair().await;
    for lengths in [vec![0], vec![1, 5], vec![100; 300], vec![700_000; 9], vec![11 << 20, 3, 12 << 20]] {
        check_exchange(&site, "server", &lengths).await;
        check_exchange(&server, "site-1", &lengths).await;
    }
    released(&server).await;
    released(&site).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn downloads_go_over_tcp_and_through_relays() {
    let server = server().await;
    let (_relay, child) = relay_and_child(&server).await;
    for cell in [&server, &child] {
        cell.handle("test", "model", fetch_and_answer);
    }
    check_exchange(&child, "server", &[3 << 20, 10, 3 << 20]).await;
    check_exchange(&server, "relay-1.site-2", &[11 << 20, 10]).await;
    released(&server).await;
    released(&child).await;
}

#[tokio::test]
async fn arrays_travel_inside_if_they_are_told_to() {
    let (server, site) = pair().await;
    server.handle("test", "size", async |request: Request| {
        assert!(!request.value().unwrap().has_remote());
        Body::bytes(request.payload().len().to_string().into_bytes())
    });
    let value = model(&[50_000]);
    for draft in [site.request("server", "test", "size").direct(), site.request("server", "test", "size").inline()] {
        let response = draft.value(&value).send().await.unwrap();
        assert!(response.bytes().len() >= "100000".len());
    }
    let network = MemoryNetwork::new();
    let config = DownloadConfig { arrays: false, ..DownloadConfig::default() };
    let alone = builder("server", &network).root_url("memory://x").downloads(config).start().await.unwrap();
    alone
        .handle("test", "size", async |request: Request| Body::bytes(request.payload().len().to_string().into_bytes()));
    let response = alone.request("server", "test", "size").streamed().value(&value).send().await.unwrap();
    assert!(response.bytes().len() >= "100000".len());
    assert_eq!((site.downloads().open_offers(), alone.downloads().open_offers()), (0, 0));
}

#[tokio::test]
async fn a_cell_that_only_hands_on_never_downloads() {
    let (server, middle) = pair().await;
    let network = MemoryNetwork::new();
    drop(network);
    let (sender, receiver) = oneshot::channel();
    let sender = Mutex::new(Some(sender));
    server.handle("test", "last", move |request: Request| {
        let sender = sender.lock().unwrap().take();
        async move {
            let value = request.fetch().await.unwrap();
            sender.unwrap().send(value).unwrap();
            Reply::ok(Body::none())
        }
    });
    middle.handle("test", "on", async |request: Request| {
        let value = request.fetch().await.unwrap();
        assert!(value.has_remote(), "it is to be handed on untouched");
        let on = request.cell().request("server", "test", "last").value(&value).timeout(PATIENCE).send().await;
        on.unwrap().success().unwrap();
        Reply::ok(Body::none())
    });
    let value = model(&[10, 1_000_000]);
    let asked = server.request("site-1", "test", "on").header(HeaderKey::PASS_THROUGH, true).timeout(PATIENCE);
    asked.value(&value).send().await.unwrap().success().unwrap();
    assert_eq!(receiver.await.unwrap(), value);
    released(&server).await;
    assert_eq!(middle.downloads().open_offers(), 0);
    // The same if the cell says so itself for these words.
    middle.downloads().pass_through("test", "mine");
    middle.handle("test", "mine", async |request: Request| {
        assert!(request.fetch().await.unwrap().has_remote());
        assert!(!request.fetch().eagerly().await.unwrap().has_remote());
        Reply::ok(Body::none())
    });
    let asked = server.request("site-1", "test", "mine").value(&value).timeout(PATIENCE).send().await.unwrap();
    asked.success().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_arrays_go_to_disk_and_are_served_from_there() {
    let (server, site) = pair().await;
    let folder = tempfile::tempdir().unwrap();
    let value = model(&[11 << 20, 40, 400_000, 12 << 20]);
    let terms = server.downloads().terms(Receivers::Count(1));
    let (body, offer) = server.downloads().offer_value(&value, terms).unwrap();
    let received = fedcell_fobs::decode(&body.payload().segments().cloned().collect::<Vec<_>>()).unwrap();
    let fetched = site.downloads().fetch_value(received).spill(folder.path(), 300_000).await.unwrap();
    assert_eq!(outcome(&offer.unwrap()).await.verdict, Verdict::Completed);
    assert_eq!(fetched.spill.len(), 3);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left if the process ends");
    // Views read what was sent.
    let map = fetched.value.as_map().unwrap();
    let Some(Value::Remote(reference)) = map.get("layer3") else { panic!("{:?}", map.get("layer3")) };
    let on_disk = fetched.spill.array(reference).unwrap();
    assert_eq!(on_disk.load().unwrap(), array(3, 12 << 20));
    let mut some = [0; 100];
    on_disk.read_at(5_000_000, &mut some).unwrap();
    assert_eq!(some.as_slice(), &array(3, 12 << 20).data().to_bytes()[5_000_000..5_000_100]);
    assert!(on_disk.read_at(12 << 20, &mut some).is_err());
    assert!(matches!(map.get("layer1"), Some(Value::Array(_))), "a small one is in memory");
    // Sent on with the value, they are offered by the cell that has them now.
    let asked = site.request("server", "test", "model").value(&fetched.value).timeout(PATIENCE);
    let response = asked.send().await.unwrap().success().unwrap();
    drop(fetched);
    assert_eq!(response.fetch(&site).await.unwrap(), value);
    released(&server).await;
    released(&site).await;
}

#[tokio::test]
async fn arrays_in_files_are_offered_and_sent_in_values() {
    let (server, site) = pair().await;
    let folder = tempfile::tempdir().unwrap();
    let lengths = [3000, 12 << 20];
    let in_files: Vec<_> = lengths
        .iter()
        .enumerate()
        .map(|(number, &length)| {
            let array = array(number, length);
            let path = folder.path().join(format!("{number}.npy"));
            std::fs::write(&path, [array.npy_header(), array.data().to_bytes().to_vec()].concat()).unwrap();
            (Text::from(format!("layer{number}")), SpilledArray::open_npy(path).unwrap())
        })
        .collect();
    let downloads = server.downloads();
    let offer = downloads.offer_arrays(in_files.clone(), downloads.terms(Receivers::Count(1))).unwrap();
    let fetched = site.downloads().fetch_arrays("server", offer.ref_ids()[0].clone()).await.unwrap();
    for (number, length) in lengths.into_iter().enumerate() {
        assert_eq!(fetched[&Text::from(format!("layer{number}"))], array(number, length));
    }
    // In a value that is sent they are what arrays in memory are.
    let spill = downloads.keep(in_files);
    let named = (0..lengths.len()).map(|number| format!("layer{number}"));
    let mut references: Map = named.map(|name| (name.clone(), spill.reference(name))).collect();
    references.insert("again", spill.reference("layer0"));
    references.insert("round", 3);
    assert_eq!(spill.reference("layer2"), None);
    let asked = server.request("site-1", "test", "model").value(&references.into()).timeout(PATIENCE);
    let response = asked.send().await.unwrap().success().unwrap();
    drop(spill);
    assert_eq!(response.fetch(&server).await.unwrap(), model(&lengths));
    released(&server).await;
    released(&site).await;
}

#[test]
fn what_is_no_file_with_an_array_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let whole = [array(0, 500).npy_header(), vec![0; 500]].concat();
    let check = |content: &[u8], kind| {
        let path = folder.path().join("a.npy");
        std::fs::write(&path, content).unwrap();
        assert_eq!(SpilledArray::open_npy(&path).unwrap_err().kind(), kind, "{} bytes", content.len());
    };
    use std::io::ErrorKind;
    check(&whole[..whole.len() - 1], ErrorKind::UnexpectedEof);
    check(&whole[..20], ErrorKind::InvalidData);
    check(b"", ErrorKind::InvalidData);
    check(&[7; 3000], ErrorKind::InvalidData);
    assert_eq!(SpilledArray::open_npy(folder.path().join("none")).unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn bytes_files_and_what_producers_make_are_fetched() {
    let (server, site) = pair().await;
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    let downloads = server.downloads();
    for length in [0, 1, 5 << 20, (11 << 20) + 5] {
        let content = array(1, length).data().to_bytes();
        std::fs::write(&from, &content).unwrap();
        let offer = downloads.offer_file(&from, downloads.terms(Receivers::Count(1))).unwrap();
        site.downloads().fetch_file("server", offer.ref_ids()[0].clone(), &to).await.unwrap();
        assert_eq!(outcome(&offer).await.verdict, Verdict::Completed);
        assert!(std::fs::read(&to).unwrap() == content);
        let terms = downloads.terms(Receivers::named([address("site-1")]));
        let offer = downloads.offer_bytes(content.clone(), terms).unwrap();
        let fetched = site.downloads().fetch_bytes("server", offer.ref_ids()[0].clone()).await.unwrap();
        assert!(fetched.to_bytes() == content);
        assert_eq!(outcome(&offer).await.verdict, Verdict::Completed);
    }
    // Two that go to one place do not meet before they are whole.
    let contents = [1_u8, 2].map(|byte| vec![byte; 11 << 20]);
    let both = contents.clone().map(|content| {
        let offer = downloads.offer_bytes(content, downloads.terms(Receivers::Count(1))).unwrap();
        let (site, to) = (site.clone(), to.clone());
        tokio::spawn(async move { site.downloads().fetch_file("server", offer.ref_ids()[0].clone(), &to).await })
    });
    for fetched in both {
        fetched.await.unwrap().unwrap();
    }
    assert!(contents.contains(&std::fs::read(&to).unwrap()));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing but the two files");

    struct Countdown;
    impl Producer for Countdown {
        fn produce(
            &self,
            state: Option<&Map>,
            receiver: fedcell_cell_proto::address::Fqcn<'_>,
        ) -> Result<Produced, Box<dyn core::error::Error + Send + Sync>> {
            assert_eq!(receiver.as_str(), "site-1");
            let left = state.map_or(3, |state| state.get("left").and_then(Value::as_i64).unwrap());
            if left == 0 {
                return Ok(Produced::Complete);
            }
            let state = Map::from([("left", left - 1)]);
            Ok(Produced::Piece { data: Value::from(left), state })
        }
    }
    let offer = downloads.offer_with(Countdown, downloads.terms(Receivers::Count(1))).unwrap();
    let pieces = site.downloads().fetch_pieces("server", offer.ref_ids()[0].clone()).await.unwrap();
    assert_eq!(pieces, [Value::from(3), Value::from(2), Value::from(1)]);
    assert_eq!(outcome(&offer).await.verdict, Verdict::Completed);
    let unknown = site.downloads().fetch_bytes("server", "nothing").await;
    assert!(matches!(&unknown, Err(FetchError::Failed { reason, .. }) if reason.as_str().contains("invalid_request")));
}

#[tokio::test]
async fn a_piece_that_is_larger_than_a_cell_collects_is_said_so_at_once() {
    let network = MemoryNetwork::new();
    let server = builder("server", &network).root_url("memory://hub").start().await.unwrap();
    let limits = Limits { blob_size: 1 << 20, ..Limits::default() };
    let site = builder("site-1", &network).limits(limits).root_url("memory://hub").start().await.unwrap();
    site.ready().await;
    let offer =
        server.downloads().offer_bytes(vec![1; 3 << 20], server.downloads().terms(Receivers::Count(1))).unwrap();
    let downloads = site.downloads();
    let fetch = downloads.fetch_bytes("server", offer.ref_ids()[0].clone());
    let failed = timeout(PATIENCE, fetch).await.expect("it is asked for again and again").unwrap_err();
    assert!(failed.to_string().contains("streaming_max_blob_size"), "{failed}");
}

/// A producer that has one piece and then makes its receiver wait until the sender of its channel is dropped.
struct Slow(Mutex<std::sync::mpsc::Receiver<()>>);

fn slow() -> (std::sync::mpsc::Sender<()>, Slow) {
    let (open, gate) = std::sync::mpsc::channel();
    (open, Slow(Mutex::new(gate)))
}

impl Producer for Slow {
    fn produce(
        &self,
        state: Option<&Map>,
        _receiver: fedcell_cell_proto::address::Fqcn<'_>,
    ) -> Result<Produced, Box<dyn core::error::Error + Send + Sync>> {
        if state.is_some_and(|state| state.get("last").is_some()) {
            let _ = self.0.lock().unwrap().recv();
            return Ok(Produced::Failed);
        }
        Ok(Produced::Piece { data: Value::Bytes(Bytes::from_static(b"some").into()), state: Map::from([("last", 1)]) })
    }
}

#[tokio::test]
async fn who_gives_up_tells_the_source() {
    let (server, site) = pair().await;
    let (gate, producer) = slow();
    let downloads = server.downloads();
    let terms = downloads.terms(Receivers::named([address("site-1")]));
    let offer = downloads.offer_with(producer, terms).unwrap();
    let fetching = site.downloads();
    let ref_id = offer.ref_ids()[0].clone();
    let fetch = tokio::spawn(async move { fetching.fetch_bytes("server", ref_id).await });
    // The second request is being worked on: the first piece has arrived.
    while offer.acquired().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    fetch.abort();
    let outcome = outcome(&offer).await;
    assert_eq!(outcome.verdict, Verdict::Failed);
    assert_eq!(outcome.objects[0].receivers.get("site-1"), Some(&false));
    drop(gate);
}

#[tokio::test]
async fn a_source_that_is_gone_ends_its_downloads() {
    let server = server().await;
    let url = url_of(&server, &ConnectorUse::ExternalListener);
    let parent =
        Cell::builder("site-1").security(SecurityMode::Clear).root_url(url).listen_internal("tcp://127.0.0.1:0");
    let parent = parent.start().await.unwrap();
    parent.ready().await;
    let url = url_of(&parent, &ConnectorUse::InternalListener);
    let child = Cell::builder("site-1.job").security(SecurityMode::Clear).parent_url(url).backbone_generation(1);
    let child = child.start().await.unwrap();
    child.ready().await;
    let (gate, producer) = slow();
    let terms = child.downloads().terms(Receivers::Unknown);
    let offer = child.downloads().offer_with(producer, terms).unwrap();
    let ref_id: Text = offer.ref_ids()[0].clone();
    let fetching = server.downloads();
    let wanted = ref_id.clone();
    let fetch = tokio::spawn(async move { fetching.fetch_bytes("site-1.job", wanted).await });
    while offer.acquired().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let failure =
        SourceFailure { source: address("site-1.job"), ref_ids: vec![ref_id.clone()], reason: "killed".into() };
    // Not from the source itself, and not from anybody else.
    let refused = child.downloads().tell_source_failure(["server"], failure.clone()).await.unwrap();
    assert_eq!(refused, [address("server")]);
    assert!(!fetch.is_finished());
    let refused = parent.downloads().tell_source_failure(["server"], failure).await.unwrap();
    assert!(refused.is_empty());
    let outcome = timeout(PATIENCE, fetch).await.unwrap().unwrap();
    assert!(matches!(&outcome, Err(FetchError::Failed { reason, .. }) if *reason == "killed"), "{outcome:?}");
    // It is remembered.
    let again = server.downloads().fetch_bytes("site-1.job", ref_id).await;
    assert!(matches!(&again, Err(FetchError::Failed { reason, .. }) if *reason == "killed"), "{again:?}");
    drop(gate);
}

#[tokio::test]
async fn patience_may_be_endless() {
    let (server, site) = pair().await;
    let mut terms = server.downloads().terms(Receivers::named([address("site-1")]));
    terms.timeout = Duration::MAX;
    (terms.acquire_timeout, terms.idle_timeout) = (Some(Duration::MAX), Some(Duration::MAX));
    let value = model(&[100_000, 3]);
    let (body, offer) = server.downloads().offer_value(&value, terms).unwrap();
    let received = fedcell_fobs::decode(&body.payload().segments().cloned().collect::<Vec<_>>()).unwrap();
    let mut config = DownloadConfig::default().consumer;
    (config.request_timeout, config.patience) = (Duration::MAX, Duration::MAX);
    (config.backoff, config.max_backoff) = (Duration::MAX, Duration::MAX);
    let fetched = timeout(PATIENCE, site.downloads().fetch_value(received).config(config).into_future()).await;
    assert_eq!(fetched.unwrap().unwrap(), value);
    assert_eq!(outcome(&offer.unwrap()).await.verdict, Verdict::Completed);
}
