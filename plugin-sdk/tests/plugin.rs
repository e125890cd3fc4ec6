//! What `#[plugin]` says of mistakes: each file of `tests/plugin/` beside the words it has to bring out.

#[test]
fn every_mistake_is_shown_at_its_place() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/plugin/*.rs");
}
