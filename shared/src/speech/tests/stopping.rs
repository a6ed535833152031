//! Work in other threads that nobody waits for.

use std::time::Duration;

use super::*;

#[tokio::test]
async fn local_work_stops_when_the_try_that_wanted_it_has_ended() {
    let spool = tempfile::tempdir().unwrap();
    let dir = tempfile::tempdir_in(spool.path()).unwrap();
    let (begins, begun) = tokio::sync::oneshot::channel();
    let (ends, ended) = tokio::sync::oneshot::channel();
    let work = blocking(move |stop| {
        begins.send(()).unwrap();
        while !stop.is_cancelled() {
            std::fs::write(dir.path().join("piece.wav"), b"RIFF").unwrap();
        }
        Ok((dir, Ends(Some(ends))))
    });
    tokio::select! {
        _ = work => panic!("it works as long as somebody waits"),
        begun = begun => begun.unwrap(),
    }
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("it goes on").unwrap();
    assert_eq!(std::fs::read_dir(spool.path()).unwrap().count(), 0, "and takes its files along");
}

/// Tells that it was dropped.
struct Ends(Option<tokio::sync::oneshot::Sender<()>>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.take().unwrap().send(()).unwrap();
    }
}
