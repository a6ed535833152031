//! `GENERIC_FIELDS`, and bodies read by it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| shared::fuzzing::fields(data));
