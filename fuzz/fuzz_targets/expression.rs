//! `cargo +nightly fuzz run expression`: an expression is read, or refused in one line at one of its columns.
#![no_main]

use betwixt_engine::arithmetic::Expression;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Expression::parse(text) {
        // What was read is read again from its own text.
        Ok(expression) => assert_eq!(
            Expression::parse(expression.text()).unwrap().names(),
            expression.names()
        ),
        Err(error) => {
            assert!((1..=text.chars().count() + 1).contains(&error.column));
            assert!(!error.problem.is_empty());
        }
    }
});
