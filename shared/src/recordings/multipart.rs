//! Uploads a large file in parts, and leaves no parts behind that would be paid for but never seen.

use std::path::Path;

use aws_sdk_s3::{
    Client,
    types::{CompletedMultipartUpload, CompletedPart},
};

use super::{
    StoreError,
    s3::{PART, part_of},
    s3_error::classify,
};

/// Stores the file under `key`; visible only when complete. One part is on its way at a time: the uploads of a worker
/// run side by side already.
pub(super) async fn put(
    client: &Client,
    bucket: &str,
    key: &str,
    file: &Path,
    size: u64,
    content_type: &str,
) -> Result<(), StoreError> {
    let create = client.create_multipart_upload().bucket(bucket).key(key).content_type(content_type);
    let created = create.send().await.map_err(|e| classify(key, e))?;
    let id = created.upload_id().ok_or_else(|| StoreError::Unreachable("answered without an upload id".to_owned()))?;
    let mut upload = Upload {
        client: client.clone(),
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        id: id.to_owned(),
        open: true,
    };
    match upload.send(file, size).await {
        Ok(()) => {
            upload.open = false;
            Ok(())
        }
        Err(error) => {
            upload.abort().await;
            Err(error)
        }
    }
}

struct Upload {
    client: Client,
    bucket: String,
    key: String,
    id: String,
    /// Neither completed nor aborted.
    open: bool,
}

impl Upload {
    async fn send(&self, file: &Path, size: u64) -> Result<(), StoreError> {
        let mut parts = CompletedMultipartUpload::builder();
        let starts = (0..size).step_by(PART as usize);
        for (number, start) in (1..).zip(starts) {
            parts = parts.parts(self.send_part(file, number, start, PART.min(size - start)).await?);
        }
        let complete = self.client.complete_multipart_upload().bucket(&self.bucket).key(&self.key).upload_id(&self.id);
        let completed = complete.multipart_upload(parts.build()).send().await;
        completed.map(drop).map_err(|e| classify(&self.key, e))
    }

    async fn send_part(&self, file: &Path, number: i32, start: u64, length: u64) -> Result<CompletedPart, StoreError> {
        let body = part_of(file, start, length).await?;
        let part = self.client.upload_part().bucket(&self.bucket).key(&self.key).upload_id(&self.id);
        let sent = part.part_number(number).body(body).send().await.map_err(|e| classify(&self.key, e))?;
        let completed = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag)
            .set_checksum_crc32(sent.checksum_crc32)
            .set_checksum_crc32_c(sent.checksum_crc32_c)
            .set_checksum_crc64_nvme(sent.checksum_crc64_nvme)
            .set_checksum_sha1(sent.checksum_sha1)
            .set_checksum_sha256(sent.checksum_sha256);
        Ok(completed.build())
    }

    async fn abort(&mut self) {
        self.open = false;
        abort(self.client.clone(), self.bucket.clone(), self.key.clone(), self.id.clone()).await;
    }
}

impl Drop for Upload {
    /// The step's deadline or a shutdown cut the upload off.
    fn drop(&mut self) {
        if let (true, Ok(runtime)) = (self.open, tokio::runtime::Handle::try_current()) {
            runtime.spawn(abort(self.client.clone(), self.bucket.clone(), self.key.clone(), self.id.clone()));
        }
    }
}

async fn abort(client: Client, bucket: String, key: String, id: String) {
    let abort = client.abort_multipart_upload().bucket(bucket).key(&key).upload_id(id);
    if let Err(error) = abort.send().await.map_err(|e| classify(&key, e)) {
        tracing::warn!(%error, object_key = key, "an upload was given up, but its parts could not be removed");
    }
}
