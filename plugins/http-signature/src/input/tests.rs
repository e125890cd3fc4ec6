//! What is refused in the two fields, and which of several signatures counts.

use proptest::prelude::*;

use super::*;

fn message(inputs: &[&str], signatures: &[&str]) -> Message {
    let named = |name: &str, values: &[&str]| -> Vec<_> {
        values.iter().map(|value| (name.to_owned(), value.as_bytes().to_vec())).collect()
    };
    let fields = [named("signature-input", inputs), named("signature", signatures)].concat();
    Message { fields, ..Message::default() }
}

fn one(input: &str) -> Result<Claim, Refusal> {
    claim(&message(&[input], &["a=:AA==:"]), None, None)
}

fn is_malformed(refused: &Result<Claim, Refusal>) -> bool {
    matches!(refused, Err(Refusal::Malformed(_)))
}

#[test]
fn every_parameter_is_read() {
    let read =
        one(r#"a=("date");created=1;expires=2;nonce="n";alg="ed25519";keyid="k";tag="t";more=?0"#).unwrap();
    assert_eq!((read.created, read.expires), (Some(1), Some(2)));
    assert_eq!((read.nonce.as_deref(), read.algorithm.as_deref()), (Some("n"), Some("ed25519")));
    assert_eq!((read.keyid.as_deref(), read.signature), (Some("k"), vec![0]));
}

#[test]
fn what_cannot_be_read_is_refused() {
    for bad in [
        "",
        "a",
        "a=1",
        "a=(date)",
        "a=(\"date\"",
        "a=(\"Date\")",
        "a=(\"date\" \"date\")",
        "a=(\"x\";key=\"b\" \"x\";key=\"b\";sf)",
        "a=(\"date\";unknown)",
        "a=(\"@status\")",
        "a=(\"@signature-params\")",
        "a=(\"date\\\n\")",
        "a=();created=\"1\"",
        "a=();created=1.0",
        "a=();created=9999999999999999",
        "a=();created=@1",
        "a=();keyid=k",
        "a=();nonce=:AA==:",
        "a=(), a=()",
        "a=(), b=()",
        "b=()",
    ] {
        assert!(is_malformed(&one(bad)), "{bad:?}: {:?}", one(bad));
    }
    for bad in
        ["", "a", "a=AA", "a=\"AA\"", "a=:A:", "a=(:AA==:)", "a=:AA==:, a=:AA==:", "A=:AA==:", "b=:AA==:"]
    {
        let refused = claim(&message(&["a=()"], &[bad]), None, None);
        assert!(is_malformed(&refused), "{bad:?}: {refused:?}");
    }
}

#[test]
fn both_fields_have_the_same_labels_each_once() {
    for (inputs, signatures) in [
        (&["a=()"][..], &[][..]),
        (&[], &["a=:AA==:"]),
        (&["a=()", "a=(\"date\")"], &["a=:AA==:"]),
        (&["a=()"], &["a=:AA==:", "a=:AB==:"]),
        (&["a=()"], &["a=:AA==:", "b=:AA==:"]),
        (&["a=()", "b=()"], &["a=:AA==:"]),
    ] {
        let refused = claim(&message(inputs, signatures), Some("a"), None);
        assert!(is_malformed(&refused), "{inputs:?} {signatures:?}");
    }
}

#[test]
fn it_is_not_guessed_which_signature_counts() {
    let several =
        message(&["a=();tag=\"x\", b=();tag=\"y\"", "c=();tag=\"y\""], &["a=:AA==:, b=:AQ==:", "c=:Ag==:"]);
    assert!(is_malformed(&claim(&several, None, None)));
    assert!(is_malformed(&claim(&several, None, Some("y"))));
    assert_eq!(claim(&several, None, Some("x")).unwrap().signature, [0]);
    assert_eq!(claim(&several, Some("c"), None).unwrap().signature, [2]);
    assert_eq!(claim(&several, Some("b"), Some("y")).unwrap().signature, [1]);
    for (label, tag) in [(Some("d"), None), (None, Some("z")), (Some("a"), Some("y"))] {
        assert!(matches!(claim(&several, label, tag), Err(Refusal::Missing(_))));
    }
}

#[test]
fn both_fields_and_what_is_covered_are_bounded() {
    let long = format!("a=();keyid=\"{}\"", "k".repeat(MAX_FIELD));
    assert!(is_malformed(&one(&long)));
    let list: Vec<String> = (0..=MAX_COMPONENTS).map(|number| format!("\"x{number}\"")).collect();
    assert!(is_malformed(&one(&format!("a=({})", list.join(" ")))));
    assert!(one(&format!("a=({})", list[1..].join(" "))).is_ok());
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(input in "[a-c=();:\"\\\\@?0-9 ,.*%\u{e4}-]{0,60}", signature in "[ab=:A;,\"( )]{0,30}") {
        let _ = claim(&message(&[&input], &[&signature]), None, None);
    }

    #[test]
    fn what_nearly_is_right_does_not_either(at in 0_usize..90, with in any::<char>()) {
        let right = r#"a=("@method" "x";key="y" "@query-param";name="z");created=1;keyid="k";nonce="\"\\";alg="rsa""#;
        let mut input: Vec<char> = right.chars().collect();
        let at = at.min(input.len() - 1);
        input[at] = with;
        let _ = one(&input.into_iter().collect::<String>());
    }
}
