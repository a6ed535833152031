//! Many callers, one statement: what waits at the same moment is done together.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, oneshot};

type Item<T, R> = (T, oneshot::Sender<R>);

/// Collects items from many tasks and does them in batches, as they come: an idle batcher starts at once with one item, a
/// busy one finds more waiting.
pub struct Batcher<T, R>(mpsc::Sender<Item<T, R>>);

impl<T, R> Clone for Batcher<T, R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Send + 'static, R: Send + 'static> Batcher<T, R> {
    /// Starts `flights` tasks that each do batches of up to `most` items. `work` answers for each item, in order.
    /// They end when the last batcher is dropped.
    pub fn start<F, W>(most: usize, flights: usize, work: W) -> Self
    where
        W: Fn(Vec<T>) -> F + Send + Sync + 'static,
        F: Future<Output = Vec<R>> + Send,
    {
        let (sender, receiver) = mpsc::channel::<Item<T, R>>(most * flights * 4);
        let receiver = Arc::new(Mutex::new(receiver));
        let work = Arc::new(work);
        for _ in 0..flights {
            let (receiver, work) = (receiver.clone(), work.clone());
            tokio::spawn(async move {
                loop {
                    let mut batch = Vec::with_capacity(most);
                    if receiver.lock().await.recv_many(&mut batch, most).await == 0 {
                        return;
                    }
                    let (items, answers): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
                    for (answer, result) in answers.into_iter().zip(work(items).await) {
                        // Whoever asked may have gone away meanwhile.
                        let _ = answer.send(result);
                    }
                }
            });
        }
        Self(sender)
    }

    /// Has one item done; waits while the batcher is full. `None` when its task is gone.
    pub async fn submit(&self, item: T) -> Option<R> {
        let (sender, answer) = oneshot::channel();
        self.0.send((item, sender)).await.ok()?;
        answer.await.ok()
    }

    /// Has one item done, or gives it back at once when too many wait already.
    ///
    /// # Errors
    /// The item.
    pub fn try_submit(&self, item: T) -> Result<impl Future<Output = Option<R>> + use<T, R>, T> {
        let (sender, answer) = oneshot::channel();
        match self.0.try_send((item, sender)) {
            Ok(()) => Ok(async move { answer.await.ok() }),
            Err(mpsc::error::TrySendError::Full((item, _)) | mpsc::error::TrySendError::Closed((item, _))) => Err(item),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Batcher;

    #[tokio::test]
    async fn every_caller_gets_the_answer_to_its_own_item() {
        let batcher = Batcher::start(8, 2, |items: Vec<u32>| async move {
            assert!(items.len() <= 8);
            tokio::task::yield_now().await;
            items.into_iter().map(|n| n * 2).collect()
        });
        let asked = (0..500).map(|n| {
            let batcher = batcher.clone();
            async move { assert_eq!(batcher.submit(n).await, Some(n * 2)) }
        });
        futures::future::join_all(asked).await;
    }
}
