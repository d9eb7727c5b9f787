//! The reference's types as Rust types: taken out of golden containers, and put back into the same object.

use crate::support::testdata;
use core::slice::from_ref;

use bytes::Bytes;
use fedcell_fobs::typed::{
    AdminMessage, Dxo, FlContext, FlModel, FobsType, Learnable, ModelLearnable, Property, Shareable, Signal, Workspace,
};
use fedcell_fobs::{Error, ErrorKind, Map, Object, Value, decode, encode};
use fedcell_protocol_defs::federation::{DataKind, ParamsType, ShareableCode, ShareableHeader};

#[track_caller]
fn golden(name: &str) -> Value {
    decode(&[Bytes::from(testdata(&format!("golden/{name}.bin")))]).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Takes a type out of a golden container, and checks that nothing is lost by it.
#[track_caller]
fn check<T: FobsType + Clone>(name: &str) -> T {
    let value = golden(name);
    let typed = T::from_value(value.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(typed.clone().into_value(), value, "{name}");
    typed
}

#[test]
fn shareables() {
    check::<Shareable>("shareable_empty");
    let mut shareable: Shareable = check("shareable");
    assert_eq!(shareable.return_code(), ShareableCode::EXECUTION_EXCEPTION);
    assert_eq!(shareable.task_name(), Some("train"));
    assert_eq!(shareable.task_id(), Some("2f1c2b3a-0000-4000-8000-1234567890ab"));
    assert_eq!(shareable.cookie("__task_id__"), Some(&"abc".into()));
    assert_eq!(shareable.peer_props().unwrap().get("__run_num__"), Some(&"job1".into()));
    assert!(shareable.peer_context().unwrap().is_none());
    let jar = shareable.cookie_jar().unwrap().clone();

    let mut reply = Shareable::reply(ShareableCode::OK);
    reply.set_cookie_jar(jar);
    reply.add_cookie("more", 1);
    reply.set_header("why", "because");
    assert_eq!(reply.cookie("more"), Some(&Value::Int(1)));
    assert_eq!(reply.cookie("__task_id__"), Some(&"abc".into()));
    assert_eq!(reply.header("why").and_then(Value::as_str), Some("because"));
    assert_eq!(Shareable::new().return_code(), ShareableCode::OK);

    let context: Shareable = check("shareable_peer_context");
    let context = context.peer_context().unwrap().unwrap();
    assert_eq!(context.get("secret").unwrap().as_map().unwrap().get("deep").unwrap().items().unwrap().len(), 2);

    shareable.set_header(ShareableHeader::PEER_CTX.as_str(), 5);
    let error = shareable.peer_context().unwrap_err();
    assert_eq!(error.path(), "__headers__.__peer_ctx__");
}

#[test]
fn contexts() {
    let mut context: FlContext = check("fl_context");
    let both = context.property("both").unwrap();
    assert!(both.private && both.sticky && both.value == Value::Int(5));
    let public: Vec<_> = context.public().iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(public, ["__identity_name__", "__run_num__"]);
    context.put("both", Property { value: Value::Null, private: false, sticky: false });
    assert_eq!(context.public().get("both"), Some(&Value::Null));
    assert!(context.remove("secret").is_some() && context.get("secret").is_none());
}

#[test]
fn data_exchange_objects() {
    let dxo: Dxo = check("dxo");
    assert_eq!(dxo.kind(), DataKind::WEIGHTS);
    assert_eq!(dxo.meta("NUM_STEPS_CURRENT_ROUND"), Some(&Value::Int(12)));
    assert_eq!(dxo.data.as_map().unwrap().get("w").unwrap().as_array().unwrap().shape(), [4]);

    for (name, kind) in [
        ("dxo_in_shareable", DataKind::WEIGHT_DIFF),
        ("dxo_text_kind", DataKind::METRICS),
        ("dxo_collection", DataKind::COLLECTION),
    ] {
        let original: Shareable = check(name);
        let mut shareable = original.clone();
        let dxo = shareable.take_dxo().unwrap();
        assert_eq!(dxo.kind(), kind);
        shareable.set_dxo(dxo);
        assert_eq!(shareable, original, "{name}");
    }
    let mut collection: Shareable = check("dxo_collection");
    let dxo = collection.take_dxo().unwrap();
    let inner = Dxo::from_value(dxo.data.as_map().unwrap().get("one").unwrap().clone()).unwrap();
    assert_eq!(inner.kind(), DataKind::METRICS);

    let error = Shareable::new().take_dxo().unwrap_err();
    assert_eq!(error.to_string(), "expected a shareable with the content type of a dxo, found none");
}

#[test]
fn models() {
    let mut model: FlModel = check("fl_model");
    assert_eq!(model.params_type(), Some(ParamsType::FULL));
    assert_eq!((model.start_round, model.current_round, model.total_rounds), (Some(0), Some(1), Some(3)));
    assert_eq!(model.metrics.as_ref().unwrap().get("acc").unwrap().as_f64(), Some(0.5));
    assert!(model.take_params().as_map().is_some() && model.params().is_null());
    let metrics: FlModel = check("fl_model_metrics");
    assert_eq!(metrics, FlModel::of_metrics(Map::from([("loss", 1.0)])));

    let learned: ModelLearnable = check("model_learnable");
    assert!(!learned.is_empty() && learned.weights().is_some());
    assert_eq!(learned.meta().unwrap().get("round"), Some(&Value::Int(1)));
    assert!(ModelLearnable::new(Map::new(), Map::new()).is_empty());
    assert_eq!(check::<Learnable>("learnable").0.get("a"), Some(&Value::Int(1)));
}

#[test]
fn signals_workspaces_and_messages() {
    assert!(!check::<Signal>("signal").is_triggered());
    let triggered: Signal = check("signal_triggered");
    assert!(triggered.is_triggered() && !triggered.parent.as_ref().unwrap().is_triggered());
    assert_eq!(triggered.value, "stop".into());
    assert_eq!(check::<Workspace>("workspace").site_name, "site-1");
    let message: AdminMessage = check("admin_message");
    assert_eq!(message.topic, "train.start_job");
    assert!(matches!(message.body.as_map().unwrap().iter().next(), Some((Value::Enum(_), Value::Str(_)))));
    assert_eq!(check::<AdminMessage>("admin_reply").body, "done".into());
}

#[test]
fn another_type_is_refused_and_said() {
    #[track_caller]
    fn refused<T: FobsType>(value: Value, text: &str) {
        let error = T::from_value(value).err().expect("refused");
        assert_eq!(error.to_string(), text);
    }
    refused::<Shareable>(
        golden("learnable"),
        "expected nvflare.apis.shareable.Shareable, found nvflare.app_common.abstract.learnable.Learnable",
    );
    refused::<FlModel>(Value::Int(1), "expected nvflare.app_common.abstract.fl_model.FLModel, found integer");
    refused::<FlContext>(golden("unknown_type"), "expected nvflare.apis.fl_context.FLContext, found __main__.Plain");
    let context = Object::new(
        "nvflare.apis.fl_context.FLContext",
        "nvflare.apis.utils.decomposers.flare_decomposers.ContextDecomposer",
        vec![Value::Null, Map::from([("key", Map::from([("value", 1)]))]).into()],
    );
    refused::<FlContext>(context.into(), "expected a mask, found none, in props.key.mask");
}

#[test]
fn an_unknown_type_goes_through_unchanged() {
    let container = Bytes::from(testdata("golden/unknown_type.bin"));
    let value = decode(from_ref(&container)).unwrap();
    let object = value.as_object().unwrap();
    assert_eq!(object.type_name(), &"__main__.Plain");
    assert_eq!(object.attributes().unwrap().get("a"), Some(&Value::Int(1)));
    assert_eq!(encode(&value).unwrap().to_bytes(), container);
}

#[test]
fn an_error_does_not_repeat_its_cause() {
    let container = Bytes::from(testdata("golden/refused_structured.bin"));
    let error: Error = decode(&[container]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Array(_)));
    assert_eq!(error.to_string(), "an array is malformed, at byte 10");
    let cause = core::error::Error::source(&error).unwrap();
    let inner = cause.to_string();
    assert!(inner.contains("structures") && !error.to_string().contains(&inner), "{inner}");
}

/// A tensor's native form is the business of whoever knows tensors; its references are like those of arrays.
#[test]
fn tensors_go_through() {
    use fedcell_fobs::{ArrayRef, DownloadRef};
    use std::sync::Arc;

    const TENSOR: &str = "torch.Tensor";
    const DECOMPOSER: &str = "nvflare.app_opt.pt.decomposers.TensorDecomposer";
    let native = Map::from([("type", Value::from("native")), ("data", Value::Bytes(vec![1, 2, 3].into()))]);
    let tensor = Value::from(Object::new(TENSOR, DECOMPOSER, native));
    assert_eq!(decode(encode(&tensor).unwrap().segments()).unwrap(), tensor);

    // As a sender writes it: the envelope says which item, a datum of the tensors' object type says where.
    let source = Arc::new(DownloadRef { fqcn: "server.job".into(), ref_id: "r".into(), dot: 6 });
    let remote = Value::from(ArrayRef { source, item: "T0".into() });
    let envelope = Map::from([("type", "ref"), ("data", "T0")]);
    let sent = Value::List(vec![Object::new(TENSOR, DECOMPOSER, envelope).into(), remote.clone()]);
    let received = decode(encode(&sent).unwrap().segments()).unwrap();
    assert_eq!(received, Value::List(vec![remote.clone(), remote]));
    let mut items = Vec::new();
    received.for_each_remote(&mut |reference| items.push(reference.item.to_string()));
    assert!(received.has_remote() && items == ["T0", "T0"]);
}
