//! An S3 server inside the test's own process, with its objects in a temporary directory.

use anyhow::Context;
use hyper_util::{rt::TokioIo, server::conn::auto};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};

use super::s3::S3;
use crate::env::Env;

/// Name of the one bucket.
pub const BUCKET: &str = "tapes";
const KEY_ID: &str = "test-key";
const KEY_SECRET: &str = "test-secret";

/// A running S3 server with one empty bucket. It ends, and its directory goes, when this is dropped.
pub struct S3Server {
    url: String,
    directory: TempDir,
    accepting: JoinHandle<()>,
}

impl S3Server {
    /// Starts one on a free port of the loopback interface.
    ///
    /// # Errors
    /// When there is no such port, or no temporary directory.
    pub async fn start() -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        std::fs::create_dir(directory.path().join(BUCKET))?;
        let files = s3s_fs::FileSystem::new(directory.path())
            .map_err(|e| anyhow::anyhow!("cannot open the S3 server's directory: {e:?}"))?;
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(KEY_ID, KEY_SECRET));
        let service = service.build();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no free port")?;
        let url = format!("http://{}", listener.local_addr()?);
        let accepting = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let service = service.clone();
                connections.spawn(async move {
                    let http = auto::Builder::new(hyper_util::rt::TokioExecutor::new());
                    // A client that hangs up is no concern of the server.
                    let _ = http.serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
        Ok(Self { url, directory, accepting })
    }

    /// The settings that lead to it.
    pub fn env(&self) -> Env {
        Env::from_pairs([
            ("S3_BUCKET", BUCKET),
            ("AWS_ENDPOINT_URL_S3", &self.url),
            ("AWS_ACCESS_KEY_ID", KEY_ID),
            ("AWS_SECRET_ACCESS_KEY", KEY_SECRET),
        ])
    }

    /// A client of it.
    ///
    /// # Errors
    /// When the client cannot be set up.
    pub async fn store(&self) -> anyhow::Result<S3> {
        S3::from_env(&self.env(), BUCKET).await
    }

    /// Where it keeps what it was given: one file per object, and unfinished uploads as hidden ones.
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
