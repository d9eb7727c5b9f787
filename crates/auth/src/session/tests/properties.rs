//! Properties over random input: a proof message stands for one nonce and one scope, and a changed proof is refused.

use proptest::prelude::*;

use super::super::{HelloProof, PresentedScope, ScopeText, TokenScope, combine_nonces, is_proved_by, proof_message};
use super::{Seeded, TOKEN, at, manager, scope, token};
use crate::session::{FieldValue, ScopeField, SessionLimits};

/// HelloNonce, six texts, version.
type Input = (String, [String; 6], u32);

/// Text that is made to confuse: digits, the marks of netstrings, type names, quotes, escapes, and plain ASCII.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just(String::new()),
        Just(",".to_owned()),
        Just(":".to_owned()),
        Just("'".to_owned()),
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just("\\x00".to_owned()),
        Just("\0".to_owned()),
        Just("str:''".to_owned()),
        Just("int:1".to_owned()),
        Just("5:int:1,".to_owned()),
        Just("6:str:'',".to_owned()),
        "[0-9]{1,3}",
        "[\\x00-\\x7f]{0,6}",
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

fn input() -> impl Strategy<Value = Input> {
    (text(), prop::array::uniform6(text()), 0_u32..12)
}

/// Two inputs that are equal, or differ in few places, or share all their text with other borders.
fn neighbours() -> impl Strategy<Value = (Input, Input)> {
    let moved = (input(), 0_usize..6, 0_usize..6, any::<prop::sample::Index>()).prop_map(|(input, from, to, cut)| {
        let mut other = input.clone();
        let split = cut.index(input.1[from].len() + 1);
        let tail = other.1[from].split_off(split);
        other.1[to].push_str(&tail);
        (input, other)
    });
    let swapped = (input(), 0_usize..6, 0_usize..6).prop_map(|(input, one, two)| {
        let mut other = input.clone();
        other.1.swap(one, two);
        (input, other)
    });
    let into_nonce = (input(), 0_usize..6).prop_map(|(input, field)| {
        let mut other = input.clone();
        core::mem::swap(&mut other.0, &mut other.1[field]);
        (input, other)
    });
    let version = (input(), 0_u32..12).prop_map(|(input, version)| {
        let other = (input.0.clone(), input.1.clone(), version);
        (input, other)
    });
    prop_oneof![moved, swapped, into_nonce, version, (input(), input())]
}

fn build(input: &Input) -> TokenScope {
    let [job_id, site_name, attach_id, target_fqcn, trainer_fqcn, rank_policy] = &input.1;
    TokenScope::new(ScopeText { job_id, site_name, attach_id, target_fqcn, trainer_fqcn, rank_policy })
        .unwrap()
        .with_protocol_version(input.2)
}

/// Reads a proof message back: the inverse whose existence means that no two inputs share a message.
fn read_back(message: &[u8]) -> Option<Input> {
    let mut rest = message;
    let mut items = Vec::new();
    while !rest.is_empty() {
        let colon = rest.iter().position(|byte| *byte == b':')?;
        let length: usize = core::str::from_utf8(&rest[..colon]).ok()?.parse().ok()?;
        let (item, after) = rest[colon + 1..].split_at_checked(length)?;
        rest = after.strip_prefix(b",")?;
        items.push(core::str::from_utf8(item).ok()?);
    }
    let [_tag, nonce, texts @ .., version] = items.as_slice() else { return None };
    let texts: Vec<String> = texts.iter().map(|item| unquote(item.strip_prefix("str:")?)).collect::<Option<_>>()?;
    Some(((*nonce).to_owned(), texts.try_into().ok()?, version.strip_prefix("int:")?.parse().ok()?))
}

/// The text of which Python would print this literal.
fn unquote(literal: &str) -> Option<String> {
    let quote = literal.chars().next()?;
    let mut inner = literal.strip_prefix(quote)?.strip_suffix(quote)?.chars();
    let mut text = String::new();
    while let Some(character) = inner.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        match inner.next()? {
            't' => text.push('\t'),
            'n' => text.push('\n'),
            'r' => text.push('\r'),
            'x' => {
                let digits: String = [inner.next()?, inner.next()?].iter().collect();
                text.push(char::from(u8::from_str_radix(&digits, 16).ok()?));
            }
            other => text.push(other),
        }
    }
    Some(text)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_message_can_be_read_back(input in input()) {
        prop_assert_eq!(read_back(&proof_message(&input.0, &build(&input))), Some(input));
    }

    #[test]
    fn different_inputs_never_share_a_message((one, two) in neighbours()) {
        let same = proof_message(&one.0, &build(&one)) == proof_message(&two.0, &build(&two));
        prop_assert_eq!(same, one == two);
    }

    #[test]
    fn different_pairs_never_combine_to_one_nonce(one in (text(), text()), cut in any::<prop::sample::Index>()) {
        let whole = format!("{}{}", one.0, one.1);
        let (first, second) = whole.split_at(cut.index(whole.len() + 1));
        let same = combine_nonces(&one.0, &one.1) == combine_nonces(first, second);
        prop_assert_eq!(same, (one.0.as_str(), one.1.as_str()) == (first, second));
    }

    #[test]
    fn a_proof_holds_for_its_own_input_only((one, two) in neighbours()) {
        let token = token(TOKEN);
        let proof = HelloProof::compute(&token, &one.0, &build(&one));
        prop_assert!(is_proved_by(&token, &one.0, &build(&one), proof.expose()));
        prop_assert_eq!(is_proved_by(&token, &two.0, &build(&two), proof.expose()), one == two);
    }

    #[test]
    fn any_text_at_all_is_refused_without_a_panic(
        nonce in any::<String>(),
        proof in any::<String>(),
        texts in prop::array::uniform7(any::<String>()),
    ) {
        let manager = manager(SessionLimits::new());
        let presented = PresentedScope::from_fields(|field| FieldValue::Text(&texts[field as usize]));
        prop_assert!(manager.verify_proof(at(1), &nonce, &presented, &proof).is_err());
        let issued = manager.issue_nonce(at(1), &mut Seeded(3)).unwrap();
        prop_assert!(manager.verify_proof(at(1), issued.as_str(), &presented, &proof).is_err());
        prop_assert_eq!(manager.failed_proofs(), 1);
    }
}

#[test]
fn every_flip_of_a_bit_of_a_proof_is_refused() {
    let mut refused = 0;
    for seed in 0..4 {
        let nonce = super::super::HelloNonce::generate(&mut Seeded(seed));
        let proof = HelloProof::compute(&token(TOKEN), nonce.as_str(), &scope());
        for position in 0..HelloProof::LEN {
            for bit in 0..7 {
                let mut bytes = proof.expose().as_bytes().to_vec();
                bytes[position] ^= 1 << bit;
                let changed = String::from_utf8(bytes).unwrap();
                assert!(!is_proved_by(&token(TOKEN), nonce.as_str(), &scope(), &changed), "{position} {bit}");
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 4 * 64 * 7);
}

#[test]
fn a_field_of_a_presented_scope_is_found_under_its_name() {
    let scope = scope();
    let presented = scope.present();
    assert_eq!(presented.field(ScopeField::JobId), FieldValue::Text(scope.job_id()));
    assert_eq!(presented.field(ScopeField::SiteName), FieldValue::Text(scope.site_name()));
    assert_eq!(presented.field(ScopeField::AttachId), FieldValue::Text(scope.attach_id()));
    assert_eq!(presented.field(ScopeField::TargetFqcn), FieldValue::Text(scope.target_fqcn()));
    assert_eq!(presented.field(ScopeField::TrainerFqcn), FieldValue::Text(scope.trainer_fqcn()));
    assert_eq!(presented.field(ScopeField::RankPolicy), FieldValue::Text(scope.rank_policy()));
    assert_eq!(presented.field(ScopeField::ProtocolVersion), FieldValue::Int(1));
}
