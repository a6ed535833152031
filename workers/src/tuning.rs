//! How a worker process behaves in time and number.

use std::{num::NonZeroU16, time::Duration};

use shared::{
    domain::Step,
    env::{Env, EnvError},
    service::listen,
};

/// The settings of a worker process.
#[derive(Debug, Clone)]
pub struct Tuning {
    /// A worker that does not renew its leases for so long has lost its jobs (`LEASE_SECONDS`).
    pub lease: Duration,
    /// What runs gets so long to finish after SIGTERM (`DRAIN_SECONDS`).
    pub drain: Duration,
    /// Stretches or shrinks the retry schedule, for tests (`RETRY_SCALE`).
    pub retry_scale: f64,
    env: Env,
}

impl Tuning {
    /// Reads the settings.
    ///
    /// # Errors
    /// When one cannot be used.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        Ok(Self {
            lease: Duration::from_secs_f64(env.number("LEASE_SECONDS", 60.0)?.clamp(0.5, 3600.0)),
            drain: listen::drain(env)?,
            retry_scale: env.number("RETRY_SCALE", 1.0)?.clamp(0.0, 10.0),
            env: env.clone(),
        })
    }

    /// How many jobs of a step run at once in this process (`CONCURRENCY_<STEP>`).
    ///
    /// # Errors
    /// When the setting is not a number from 1 to 65535.
    pub fn concurrency(&self, step: Step, default: u16) -> Result<u16, EnvError> {
        let name = format!("CONCURRENCY_{}", step.as_str().to_ascii_uppercase());
        Ok(self.env.parsed(&name, NonZeroU16::new(default).unwrap_or(NonZeroU16::MIN))?.get())
    }
}
