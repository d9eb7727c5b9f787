//! Averages against numbers that are known, and every refusal.

use fedcell_fobs::array::Array;
use proptest::prelude::*;

use super::*;

fn array(values: &[f32]) -> Array {
    Array::from_elements([values.len()], values).unwrap()
}

fn dxo(steps: f64, entries: &[(&str, &[f32])]) -> Dxo {
    let data: Map = entries.iter().map(|(name, values)| (*name, array(values))).collect();
    let mut dxo = Dxo::new(DataKind::WEIGHTS, data);
    dxo.meta.insert(MetaKey::NUM_STEPS_CURRENT_ROUND.as_str(), steps);
    dxo
}

fn values(aggregate: &Aggregate, name: &str) -> Vec<f32> {
    aggregate.data.get(name).unwrap().as_array().unwrap().to_vec().unwrap()
}

#[test]
fn results_are_weighted_with_steps_and_sites() {
    let mut options = FedAvgOptions::default();
    options.site_weights.insert("site-2".to_owned(), 2.0);
    let mut average = FedAvg::new(options);
    assert_eq!(average.add("site-1", &dxo(1.0, &[("w", &[1.0, 10.0]), ("b", &[4.0])])).unwrap(), 1.0);
    assert_eq!(average.add("site-2", &dxo(1.5, &[("b", &[0.0]), ("w", &[5.0, 30.0])])).unwrap(), 3.0);
    let aggregate = average.finish().unwrap();
    assert_eq!((values(&aggregate, "w"), values(&aggregate, "b")), (vec![4.0, 25.0], vec![1.0]));
    assert_eq!(aggregate.partial_names, 0);
    assert_eq!(aggregate.contributors.iter().map(|c| c.site.as_str()).collect::<Vec<_>>(), ["site-1", "site-2"]);
}

#[test]
fn numbers_are_averaged_as_metrics() {
    let metrics = |accuracy: Value| {
        let data = Map::from([(Value::from("accuracy"), accuracy)]);
        Dxo::new(DataKind::METRICS, data)
    };
    let mut average = FedAvg::new(FedAvgOptions { kind: DataKind::METRICS, ..FedAvgOptions::default() });
    average.add("site-1", &metrics(0.5.into())).unwrap();
    average.add("site-2", &metrics(Value::Bool(true))).unwrap();
    assert_eq!(average.finish().unwrap().data.get("accuracy"), Some(&Value::Float(0.75)));
}

#[test]
fn names_that_only_some_send_are_averaged_over_those() {
    let mut average = FedAvg::new(FedAvgOptions { names: Names::Some, ..FedAvgOptions::default() });
    average.add("site-1", &dxo(1.0, &[("a", &[2.0])])).unwrap();
    average.add("site-2", &dxo(3.0, &[("a", &[4.0]), ("b", &[7.0])])).unwrap();
    let aggregate = average.finish().unwrap();
    assert_eq!((values(&aggregate, "a"), values(&aggregate, "b")), (vec![3.5], vec![7.0]));
    assert_eq!(aggregate.partial_names, 1);
}

#[test]
fn excluded_names_are_left_out() {
    let mut average =
        FedAvg::new(FedAvgOptions { is_excluded: |name| name.starts_with("bn."), ..FedAvgOptions::default() });
    average.add("site-1", &dxo(1.0, &[("bn.mean", &[f32::NAN]), ("w", &[1.0])])).unwrap();
    assert_eq!(average.finish().unwrap().data.len(), 1);
}

/// A refused result leaves the average as it was.
#[track_caller]
fn check_refused(options: FedAvgOptions, bad: &Dxo, is_expected: fn(&ContributionError) -> bool) {
    let model = Model::new(vec![("w".to_owned(), array(&[0.0, 0.0])), ("b".to_owned(), array(&[0.0]))]).unwrap();
    let mut average = FedAvg::for_model(&model, options).unwrap();
    let good = dxo(2.0, &[("w", &[1.0, 2.0]), ("b", &[3.0])]);
    average.add("site-1", &good).unwrap();
    let error = average.add("site-2", bad).unwrap_err();
    assert!(is_expected(&error), "{error:?}");
    average.add("site-3", &good).unwrap();
    let aggregate = average.finish().unwrap();
    assert_eq!((values(&aggregate, "w"), values(&aggregate, "b")), (vec![1.0, 2.0], vec![3.0]));
}

#[track_caller]
fn check_refusal(bad: &Dxo, is_expected: fn(&ContributionError) -> bool) {
    check_refused(FedAvgOptions::default(), bad, is_expected);
}

#[test]
fn what_cannot_be_averaged_is_refused_as_a_whole() {
    use ContributionError as Error;
    let entry = |value: Value| {
        let mut bad = dxo(1.0, &[("w", &[1.0, 2.0]), ("b", &[3.0])]);
        bad.data.as_map_mut().unwrap().insert("b", value);
        bad
    };
    check_refusal(&dxo(1.0, &[("w", &[1.0, 2.0])]), |e| matches!(e, Error::Missing(name) if name == "b"));
    check_refusal(&dxo(1.0, &[("w", &[1.0, 2.0]), ("b", &[3.0]), ("c", &[1.0])]), |e| matches!(e, Error::Unknown(_)));
    check_refusal(&dxo(1.0, &[("w", &[1.0]), ("b", &[3.0])]), |e| matches!(e, Error::Shape { .. }));
    check_refusal(&dxo(1.0, &[("w", &[1.0, f32::NAN]), ("b", &[3.0])]), |e| matches!(e, Error::NotFinite(_)));
    check_refusal(&dxo(1.0, &[("w", &[1.0, 2.0]), ("b", &[f32::INFINITY])]), |e| matches!(e, Error::NotFinite(_)));
    for steps in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        check_refusal(&dxo(steps, &[("w", &[1.0, 2.0]), ("b", &[3.0])]), |e| matches!(e, Error::Weight(_)));
    }
    check_refusal(&entry(Array::from_elements([1], &[1.0_f64]).unwrap().into()), |e| {
        matches!(e, Error::Elements { .. })
    });
    check_refusal(&entry("text".into()), |e| matches!(e, Error::Value { .. }));
    check_refusal(&entry(Value::List(vec![])), |e| matches!(e, Error::Value { .. }));
    check_refusal(&dxo(1.0, &[]), |e| matches!(e, Error::Empty));
    let mut metrics = dxo(1.0, &[("w", &[1.0, 2.0]), ("b", &[3.0])]);
    metrics.meta.insert(MetaKey::NUM_STEPS_CURRENT_ROUND.as_str(), "many");
    check_refusal(&metrics, |e| matches!(e, Error::Steps(_)));
    let diff = Dxo::new(DataKind::WEIGHT_DIFF, dxo(1.0, &[("w", &[1.0, 2.0])]).data);
    check_refusal(&diff, |e| matches!(e, Error::Kind { .. }));
    let tight = || FedAvgOptions { max_elements: 3, max_names: 2, ..FedAvgOptions::default() };
    check_refused(tight(), &dxo(1.0, &[("w", &[1.0; 2]), ("b", &[1.0; 2])]), |e| matches!(e, Error::TooLarge { .. }));
    let three = dxo(1.0, &[("w", &[1.0]), ("b", &[1.0]), ("c", &[])]);
    check_refused(tight(), &three, |e| matches!(e, Error::TooLarge { what: "names", .. }));
}

#[test]
fn a_site_contributes_once() {
    let mut average = FedAvg::new(FedAvgOptions::default());
    let result = dxo(1.0, &[("w", &[1.0])]);
    average.add("site-1", &result).unwrap();
    assert!(matches!(average.add("site-1", &result), Err(ContributionError::Twice(_))));
    assert!(matches!(FedAvg::new(FedAvgOptions::default()).finish(), Err(AggregationError::Nothing)));
}

#[test]
fn sums_that_overflow_are_an_error() {
    let result = |value: f64| {
        let mut dxo = Dxo::new(DataKind::WEIGHTS, Map::from([("w", Array::from_elements([1], &[value]).unwrap())]));
        dxo.meta.insert(MetaKey::NUM_STEPS_CURRENT_ROUND.as_str(), 1e300);
        dxo
    };
    let mut average = FedAvg::new(FedAvgOptions::default());
    average.add("site-1", &result(1e200)).unwrap();
    assert!(matches!(average.finish(), Err(AggregationError::Overflow(name)) if name == "w"));
}

/// What stands in errors is short, whatever a peer has sent.
#[test]
fn a_list_of_numbers_is_no_array() {
    let numbers: Vec<Value> = (0..64).map(Value::Int).collect();
    let data = Map::from([("w", Value::List(numbers))]);
    let error = FedAvg::new(FedAvgOptions::default()).add("site-1", &Dxo::new(DataKind::WEIGHTS, data)).unwrap_err();
    assert_eq!(error.to_string(), "w is list, expected an array of numbers or a number");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the elements are, the weights, and the order in which results come: to the last bit.
    #[test]
    fn the_order_of_results_does_not_matter(
        (results, shuffled) in prop::collection::vec(
            (1e-3_f64..1e6, prop::collection::vec(any::<f32>().prop_filter("finite", |value| value.is_finite()), 3)),
            1..12,
        )
        .prop_map(|results| results.into_iter().enumerate().collect::<Vec<_>>())
        .prop_flat_map(|results| (Just(results.clone()), Just(results).prop_shuffle())),
    ) {
        let average = |results: &[(usize, (f64, Vec<f32>))]| {
            let mut average = FedAvg::new(FedAvgOptions::default());
            for (site, (steps, values)) in results {
                let wide: Vec<f64> = values.iter().map(|value| f64::from(*value) / 3.0).collect();
                let mut result = dxo(*steps, &[("w", values)]);
                if let Value::Map(data) = &mut result.data {
                    data.insert("wide", Array::from_elements([wide.len()], &wide).unwrap());
                }
                average.add(&format!("site-{site}"), &result).unwrap();
            }
            average.finish().map(|aggregate| {
                let wide: Vec<f64> = aggregate.data.get("wide").unwrap().as_array().unwrap().to_vec().unwrap();
                let narrow: Vec<u32> = values(&aggregate, "w").into_iter().map(f32::to_bits).collect();
                (narrow, wide.into_iter().map(f64::to_bits).collect::<Vec<_>>())
            }).map_err(|error| error.to_string())
        };
        prop_assert_eq!(average(&results), average(&shuffled));
    }

    /// Against the definition, computed in another way.
    #[test]
    fn the_average_is_what_it_is_by_definition(
        results in prop::collection::vec((1_u32..1000, prop::collection::vec(-1e3_f32..1e3, 3)), 1..8),
    ) {
        let mut average = FedAvg::new(FedAvgOptions::default());
        for (at, (steps, values)) in results.iter().enumerate() {
            average.add(&format!("site-{at}"), &dxo(f64::from(*steps), &[("w", values)])).unwrap();
        }
        let found = values(&average.finish().unwrap(), "w");
        let total: f64 = results.iter().map(|(steps, _)| f64::from(*steps)).sum();
        for (at, found) in found.iter().enumerate() {
            let mean = results.iter().map(|(steps, values)| f64::from(values[at]) * (f64::from(*steps) / total)).sum::<f64>();
            prop_assert!((f64::from(*found) - mean).abs() <= 1e-6 * mean.abs().max(1e-3), "{found} {mean}");
        }
    }
}
