//! Prometheus metrics. Any code uses the macros of the `metrics` crate; names end in their unit, which picks the buckets.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// From a quick answer to a day: the same buckets serve requests, steps and the age of a call that waited for a vendor.
const SECONDS: [f64; 21] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0, 600.0, 1800.0,
    3600.0, 10_800.0, 86_400.0,
];
/// 4 KiB to 1 GiB.
const BYTES: [f64; 10] = [
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
    268_435_456.0,
    1_073_741_824.0,
];
/// How many of something came together, or how often something was tried.
const COUNTS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Starts recording, once per process; later calls do nothing.
pub fn install() {
    handle();
}

/// All metrics in Prometheus' text format.
pub fn render() -> String {
    handle().map(PrometheusHandle::render).unwrap_or_default()
}

/// Folds what was recorded since the last call into the buckets. Without it memory grows until somebody renders.
pub fn upkeep() {
    if let Some(handle) = handle() {
        handle.run_upkeep();
    }
}

fn handle() -> Option<&'static PrometheusHandle> {
    let install = || match builder().and_then(|builder| Ok(builder.install_recorder()?)) {
        Ok(handle) => Some(handle),
        Err(error) => {
            tracing::error!(%error, "metrics are off");
            None
        }
    };
    HANDLE.get_or_init(install).as_ref()
}

fn builder() -> anyhow::Result<PrometheusBuilder> {
    let buckets = |builder: PrometheusBuilder, suffix: &str, values: &[f64]| {
        builder.set_buckets_for_metric(Matcher::Suffix(suffix.to_owned()), values)
    };
    let builder = buckets(PrometheusBuilder::new(), "_seconds", &SECONDS)?;
    let builder = buckets(builder, "_bytes", &BYTES)?;
    let builder = buckets(builder, "_size", &COUNTS)?;
    Ok(buckets(builder, "_attempts", &COUNTS)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_rendered_in_buckets() {
        install();
        metrics::histogram!("tapedeck_test_duration_seconds").record(0.3);
        metrics::histogram!("tapedeck_test_batch_size").record(3.0);
        let text = render();
        assert!(text.contains("tapedeck_test_duration_seconds_bucket{le=\"0.5\"} 1"), "{text}");
        assert!(text.contains("tapedeck_test_batch_size_bucket{le=\"4\"} 1"), "{text}");
    }
}
