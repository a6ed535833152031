//! An answer that is good for a while: whoever asks for it meanwhile, also at the same moment, shares it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Mutex;

/// What was last answered, and when.
pub(crate) struct Fresh<T> {
    lasts: Duration,
    kept: Mutex<Option<(DateTime<Utc>, T)>>,
}

impl<T: Clone> Fresh<T> {
    /// Nothing yet; an answer will be good for so long.
    pub(crate) fn new(lasts: Duration) -> Self {
        Self { lasts, kept: Mutex::new(None) }
    }

    /// The answer that is kept, else what `asked` brings; a failure is not kept.
    pub(crate) async fn get<E>(&self, now: DateTime<Utc>, asked: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let mut kept = self.kept.lock().await;
        if let Some((at, answer)) = &*kept
            && (now - at).to_std().is_ok_and(|age| age < self.lasts)
        {
            return Ok(answer.clone());
        }
        let answer = asked.await?;
        *kept = Some((now, answer.clone()));
        Ok(answer)
    }
}
