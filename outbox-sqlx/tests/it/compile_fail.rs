/// A pool is refused by the compiler, with a text that says what to do.
#[test]
fn a_pool_is_no_transaction() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
