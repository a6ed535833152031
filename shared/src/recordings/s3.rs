//! Recordings in S3, or in any server that speaks its protocol.

use std::{io, ops::Range, path::Path, time::Duration};

use anyhow::Context;
use async_trait::async_trait;
use aws_config::{BehaviorVersion, Region, meta::region::RegionProviderChain};
use aws_sdk_s3::{
    Client,
    config::{
        Builder, Credentials, RequestChecksumCalculation, ResponseChecksumValidation, StalledStreamProtectionConfig,
        retry::RetryConfig, timeout::TimeoutConfig,
    },
    presigning::PresigningConfig,
    primitives::{ByteStream as Body, Length},
};
use futures::StreamExt;

use super::{ByteStream, Recordings, StoreError, checked, multipart, s3_error::classify};
use crate::env::Env;

/// Files above this size go up in parts of this size, so that a broken connection costs one part.
pub(super) const PART: u64 = 16 << 20;
/// Bytes of a file read at a time.
const CHUNK: usize = 64 * 1024;

/// A bucket.
pub struct S3 {
    client: Client,
    bucket: String,
}

impl S3 {
    /// The bucket of this name, with the usual `AWS_…` variables: of `env` first, else whatever AWS's own chain finds
    /// (profile, container or instance role). `AWS_ENDPOINT_URL_S3` names another server.
    ///
    /// # Errors
    /// When the endpoint is not a URL.
    pub async fn from_env(env: &Env, bucket: &str) -> anyhow::Result<Self> {
        let endpoint = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"].into_iter().find(|name| env.var(name).is_some());
        let endpoint = endpoint.map(|name| env.base_url(name, "")).transpose().context("no such S3 endpoint")?;
        let region = env.var("AWS_REGION").or_else(|| env.var("AWS_DEFAULT_REGION"));
        // Another server has no instance metadata to ask for the region, and mostly does not care.
        let fixed = region.or(endpoint.as_ref().map(|_| "us-east-1")).map(|name| Region::new(name.to_owned()));
        let region = match fixed {
            Some(region) => RegionProviderChain::first_try(region),
            None => RegionProviderChain::default_provider().or_else("us-east-1"),
        };
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).region(region);
        if let Some(credentials) = credentials(env) {
            loader = loader.credentials_provider(credentials);
        }
        let config = patient(Builder::from(&loader.load().await));
        let config = match endpoint {
            Some(endpoint) => for_other_servers(config, endpoint),
            None => config,
        };
        Ok(Self { client: Client::from_conf(config.build()), bucket: bucket.to_owned() })
    }

    async fn put_whole(&self, key: &str, file: &Path, size: u64, content_type: &str) -> Result<(), StoreError> {
        let body = part_of(file, 0, size).await?;
        let put = self.client.put_object().bucket(&self.bucket).key(key).content_type(content_type).body(body);
        put.send().await.map(drop).map_err(|e| classify(key, e))
    }
}

#[async_trait]
impl Recordings for S3 {
    async fn put(&self, key: &str, file: &Path, content_type: &str) -> Result<(), StoreError> {
        let key = checked(key)?;
        let size = tokio::fs::metadata(file).await.map_err(local)?.len();
        if size <= PART {
            return self.put_whole(key, file, size, content_type).await;
        }
        multipart::put(&self.client, &self.bucket, key, file, size, content_type).await
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<ByteStream, StoreError> {
        let mut get = self.client.get_object().bucket(&self.bucket).key(checked(key)?);
        if let Some(range) = range {
            if range.is_empty() {
                return Ok(futures::stream::empty().boxed());
            }
            get = get.range(format!("bytes={}-{}", range.start, range.end - 1));
        }
        match get.send().await {
            Ok(found) => {
                let chunks = |mut body: Body| async { Some((body.next().await?.map_err(io::Error::other), body)) };
                Ok(futures::stream::unfold(found.body, chunks).boxed())
            }
            // The range begins beyond the end.
            Err(e) if e.raw_response().is_some_and(|r| r.status().as_u16() == 416) => {
                Ok(futures::stream::empty().boxed())
            }
            Err(e) => Err(classify(key, e)),
        }
    }

    async fn size(&self, key: &str) -> Result<Option<u64>, StoreError> {
        let head = self.client.head_object().bucket(&self.bucket).key(checked(key)?).send().await;
        match head.map_err(|e| classify(key, e)) {
            Ok(head) => Ok(head.content_length().and_then(|size| u64::try_from(size).ok())),
            Err(StoreError::NotFound(_)) => Ok(None),
            Err(e) => Err(e),
        }
    }

    async fn presign(&self, key: &str, lifetime: Duration) -> Result<Option<String>, StoreError> {
        let config = PresigningConfig::expires_in(lifetime).map_err(|e| StoreError::Refused(e.to_string()))?;
        let get = self.client.get_object().bucket(&self.bucket).key(checked(key)?);
        let signed = get.presigned(config).await.map_err(|e| classify(key, e))?;
        Ok(Some(signed.uri().to_owned()))
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let delete = self.client.delete_object().bucket(&self.bucket).key(checked(key)?);
        match delete.send().await.map_err(|e| classify(key, e)) {
            Ok(_) | Err(StoreError::NotFound(_)) => Ok(()),
            Err(e) => Err(e),
        }
    }

    async fn check(&self) -> Result<(), StoreError> {
        super::probe(self).await
    }
}

/// A part of a file, read as it is sent (and read again when it must be sent again): memory stays flat.
pub(super) async fn part_of(file: &Path, offset: u64, length: u64) -> Result<Body, StoreError> {
    let body = Body::read_from().path(file).offset(offset).length(Length::Exact(length)).buffer_size(CHUNK);
    body.build().await.map_err(local)
}

/// Our own file cannot be read.
fn local(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unreachable(format!("cannot read the file to be stored: {error}"))
}

fn credentials(env: &Env) -> Option<Credentials> {
    let (id, secret) = (env.var("AWS_ACCESS_KEY_ID")?, env.var("AWS_SECRET_ACCESS_KEY")?);
    let session = env.var("AWS_SESSION_TOKEN").map(str::to_owned);
    Some(Credentials::new(id, secret, session, None, "environment"))
}

/// The job's own schedule does the long waiting; here is only enough patience for a hiccup.
fn patient(config: Builder) -> Builder {
    let timeouts =
        TimeoutConfig::builder().connect_timeout(Duration::from_secs(5)).read_timeout(Duration::from_secs(120)).build();
    let stalled = StalledStreamProtectionConfig::enabled().grace_period(Duration::from_secs(30)).build();
    config
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .timeout_config(timeouts)
        .stalled_stream_protection(stalled)
}

/// Other servers have no virtual hosts, and some refuse the checksums that AWS wants by default.
fn for_other_servers(config: Builder, endpoint: String) -> Builder {
    config
        .endpoint_url(endpoint)
        .force_path_style(true)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
}
