//! Every source in the registry against the rules for all of them.

use shared::sources::conformance;

#[test]
fn every_source_has_an_example() {
    conformance::every_source_has_an_example();
}

#[test]
fn without_its_secret_it_refuses_to_start() {
    conformance::without_its_secret_it_refuses_to_start();
}

#[test]
fn without_its_key_nothing_passes() {
    conformance::without_its_key_nothing_passes();
}

#[test]
fn nothing_that_differs_in_a_bit_is_accepted() {
    conformance::nothing_that_differs_in_a_bit_is_accepted();
}

#[test]
fn any_body_passes_as_it_was_signed_and_no_other_does() {
    conformance::any_body_passes_as_it_was_signed_and_no_other_does();
}

#[test]
fn what_the_api_description_shows_is_taken_on_every_route() {
    conformance::what_the_api_description_shows_is_taken_on_every_route();
}
