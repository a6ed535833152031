//! What every object store must do. Each backend's tests call [`run`].

use std::{io::Write, ops::Range, path::Path, time::Duration};

use bytes::Bytes;
use futures::TryStreamExt;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::{Recordings, StoreError};

const KEY: &str = "recordings/cloudtalk/2026/11/0193.wav";

/// Runs the whole suite on a store that may be shared with others.
///
/// # Panics
/// When the store does not conform.
pub async fn run(store: &dyn Recordings) {
    keeps_what_it_is_given(store).await;
    serves_parts(store).await;
    replaces_whole_objects(store).await;
    says_what_is_missing(store).await;
    refuses_keys_that_are_not_ours(store).await;
    keeps_large_files(store).await;
    readers_see_one_whole_object_or_the_other(store).await;
    store.check().await.expect("the store is usable");
}

async fn keeps_what_it_is_given(store: &dyn Recordings) {
    put(store, KEY, b"RIFF and so on").await;
    assert_eq!(read(store, KEY, None).await, b"RIFF and so on");
    assert_eq!(store.size(KEY).await.expect("a size"), Some(14));
    put(store, "recordings/empty", b"").await;
    assert_eq!(read(store, "recordings/empty", None).await, b"");
    assert_eq!(store.size("recordings/empty").await.expect("a size"), Some(0));
}

async fn serves_parts(store: &dyn Recordings) {
    put(store, KEY, b"0123456789").await;
    let cases: [(Range<u64>, &[u8]); 6] =
        [(0..1, b"0"), (3..7, b"3456"), (9..10, b"9"), (8..100, b"89"), (4..4, b""), (10..20, b"")];
    for (range, bytes) in cases {
        assert_eq!(read(store, KEY, Some(range.clone())).await, bytes, "{range:?}");
    }
}

async fn replaces_whole_objects(store: &dyn Recordings) {
    put(store, KEY, b"a long first version").await;
    put(store, KEY, b"short").await;
    assert_eq!(read(store, KEY, None).await, b"short");
}

async fn says_what_is_missing(store: &dyn Recordings) {
    put(store, KEY, b"here").await;
    store.delete(KEY).await.expect("deleted");
    store.delete(KEY).await.expect("deleting what is gone is no error");
    assert_eq!(store.size(KEY).await.expect("an answer"), None);
    match store.get(KEY, None).await.map(drop) {
        Err(StoreError::NotFound(_)) => {}
        other => panic!("expected not found, got {other:?}"),
    }
    let file = Path::new("/no/such/file");
    assert!(store.put(KEY, file, "audio/wav").await.is_err(), "a file that is not there cannot be stored");
    assert_eq!(store.size(KEY).await.expect("an answer"), None);
}

async fn refuses_keys_that_are_not_ours(store: &dyn Recordings) {
    let file = NamedTempFile::new().expect("a temporary file");
    for key in ["", "/etc/passwd", "a/../b", "..", "a//b", "a/.hidden", "a\\b", "a b", "ä"] {
        assert!(matches!(store.put(key, file.path(), "audio/wav").await, Err(StoreError::Refused(_))), "{key:?}");
        assert!(matches!(store.get(key, None).await, Err(StoreError::Refused(_))), "{key:?}");
        assert!(matches!(store.delete(key).await, Err(StoreError::Refused(_))), "{key:?}");
        assert!(store.presign(key, Duration::from_secs(60)).await.is_err(), "{key:?}");
    }
}

/// Larger than two parts of an upload, and not a multiple of one.
async fn keeps_large_files(store: &dyn Recordings) {
    let mut file = NamedTempFile::new().expect("a temporary file");
    let (mut digest, mut size) = (Sha256::new(), 0_u64);
    for block in 0..36_u32 {
        let bytes: Vec<u8> = (0..1_000_003_u32).map(|i| (i ^ block).to_le_bytes()[(i % 4) as usize]).collect();
        file.write_all(&bytes).expect("written");
        digest.update(&bytes);
        size += bytes.len() as u64;
    }
    store.put("recordings/large.wav", file.path(), "audio/wav").await.expect("stored");
    assert_eq!(store.size("recordings/large.wav").await.expect("a size"), Some(size));
    let mut stream = store.get("recordings/large.wav", None).await.expect("found");
    let mut found = Sha256::new();
    while let Some(chunk) = stream.try_next().await.expect("read") {
        found.update(&chunk);
    }
    assert_eq!(found.finalize(), digest.finalize());
    store.delete("recordings/large.wav").await.expect("deleted");
}

async fn readers_see_one_whole_object_or_the_other(store: &dyn Recordings) {
    let (ones, twos) = (vec![1_u8; 300_000], vec![2_u8; 200_000]);
    put(store, KEY, &ones).await;
    let write = async {
        for _ in 0..5 {
            put(store, KEY, &twos).await;
            put(store, KEY, &ones).await;
        }
    };
    let look = async {
        for _ in 0..10 {
            let found = read(store, KEY, None).await;
            assert!(found == ones || found == twos, "a mixture of {} bytes", found.len());
        }
    };
    futures::join!(write, look);
    store.delete(KEY).await.expect("deleted");
}

async fn put(store: &dyn Recordings, key: &str, bytes: &[u8]) {
    let mut file = NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("written");
    store.put(key, file.path(), "audio/wav").await.expect("stored");
}

async fn read(store: &dyn Recordings, key: &str, range: Option<Range<u64>>) -> Vec<u8> {
    let stream = store.get(key, range).await.expect("found");
    let chunks: Vec<Bytes> = stream.try_collect().await.expect("read");
    chunks.concat()
}
