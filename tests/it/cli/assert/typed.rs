//! What is typed wrongly is told, never left out.

use super::{home, run};

/// What needs a model and has none is a mistake, not an assertion that is left out.
#[test]
fn an_assertion_without_its_model_is_refused() {
    for claim in ["--not-retiring 0d", "--min-context 1000"] {
        let output = run(&home(), &format!("--has-key sure {claim}"));
        assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{}", output.snapshot());
    }
}
