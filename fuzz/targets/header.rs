//! Headers from outside.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    shared::fuzzing::header(data);
    let (size, text) = data.split_at(data.len().min(8));
    let size = size.iter().fold(0, |size, byte| size << 8 | u64::from(*byte));
    ingest::fuzz_range(&String::from_utf8_lossy(text), size);
});
