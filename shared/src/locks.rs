//! What only one at a time may do, whichever process it is in: look whether a person is known outside and, if not, make
//! them known. Held in the database by a lease that its holder renews, and never waited for: whoever comes second comes
//! back later, and what a killed process held is free when its lease is over.

use std::{sync::OnceLock, time::Duration};

use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use uuid::Uuid;

use crate::{
    clock::Clock,
    db::{self, Db},
};

/// What a dead process held is free after this at most.
const LEASE: Duration = Duration::from_secs(30);
/// So many renewals fit into a lease.
const RENEWALS: u32 = 6;

/// Hands out names. Cheap to clone.
#[derive(Clone)]
pub struct Locks {
    shared: Option<(Db, Clock)>,
    lease: Duration,
}

/// Names that are held until this is released or dropped.
pub struct Held {
    owner: Uuid,
    locks: Locks,
    renewal: OnceLock<AbortOnDropHandle<()>>,
    lost: CancellationToken,
}

impl Locks {
    /// Shared through this database.
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { shared: Some((db, clock)), lease: LEASE }
    }

    /// Nobody else is there, as in tests of a single client.
    pub fn unshared() -> Self {
        Self { shared: None, lease: LEASE }
    }

    /// The same with another lease.
    pub fn with_lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    /// Holds nothing yet.
    pub fn hold(&self) -> Held {
        Held { owner: Uuid::now_v7(), locks: self.clone(), renewal: OnceLock::new(), lost: CancellationToken::new() }
    }
}

impl Held {
    /// Takes these names, too; `false` when somebody else holds one of them.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn take(&self, names: &[String]) -> sqlx::Result<bool> {
        let Locks { shared: Some((db, clock)), lease } = &self.locks else { return Ok(true) };
        let now = clock.now();
        let taken = db::locks::take(db, names, self.owner, now, now + *lease).await?;
        if taken {
            self.renewal.get_or_init(|| {
                let renewing = renew(db.clone(), clock.clone(), self.owner, *lease, self.lost.clone());
                AbortOnDropHandle::new(tokio::spawn(renewing))
            });
        }
        Ok(taken)
    }

    /// Ends when they could not be renewed for so long that somebody else may have them soon: what is under way must stop.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Keeps them until their lease is over, without renewing it.
    pub fn expire(mut self) {
        self.locks.shared = None;
    }

    /// Gives all of them back.
    pub async fn release(mut self) {
        self.renewal.take();
        if let Some((db, _)) = self.locks.shared.take() {
            give_back(&db, self.owner).await;
        }
    }
}

impl Drop for Held {
    /// For work that was cancelled.
    fn drop(&mut self) {
        if let Some((db, _)) = self.locks.shared.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let owner = self.owner;
            runtime.spawn(async move { give_back(&db, owner).await });
        }
    }
}

/// Until the names are lost.
async fn renew(db: Db, clock: Clock, owner: Uuid, lease: Duration, lost: CancellationToken) {
    let (pause, enough) = (lease / RENEWALS, lease * 3 / 4);
    let mut renewed = Instant::now();
    while renewed.elapsed() < enough {
        tokio::time::sleep(pause).await;
        let asked = Instant::now();
        let left = (renewed + enough).saturating_duration_since(asked);
        match tokio::time::timeout(left, db::locks::renew(&db, owner, clock.now() + lease)).await {
            Ok(Ok(0)) => break,
            Ok(Ok(_)) => renewed = asked,
            Ok(Err(error)) => tracing::warn!(%error, "a lock could not be renewed; it is tried again"),
            Err(_) => {}
        }
    }
    tracing::warn!("a lock was lost; what it was for begins anew");
    lost.cancel();
}

async fn give_back(db: &Db, owner: Uuid) {
    if let Err(error) = db::locks::release(db, owner).await {
        tracing::warn!(%error, "a lock could not be given back; it ends by itself");
    }
}
