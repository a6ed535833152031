//! Query strings of the read API, and names in links.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    console::fuzz_query(&text);
    shared::fuzzing::name(&text);
});
