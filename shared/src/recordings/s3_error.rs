//! Classifies what the S3 client reports: is it worth another try?

use std::error::Error;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::StoreError;

/// Holds no URL, and no credentials: status and code of an answer, or what kept it from coming.
pub(super) fn classify<E>(key: &str, error: SdkError<E>) -> StoreError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match &error {
        SdkError::ServiceError(context) => {
            let status = context.raw().status().as_u16();
            let code = context.err().code().unwrap_or("no code");
            let what = format!("answered {status} ({code})");
            match (status, code) {
                (404, "NoSuchBucket") => StoreError::Refused(what),
                (404, _) => StoreError::NotFound(key.to_owned()),
                (400, "RequestTimeout" | "IncompleteBody") => StoreError::Unreachable(what),
                (408 | 409 | 429 | 500.., _) => StoreError::Unreachable(what),
                // An error inside an answer of 200, as `CompleteMultipartUpload` may give.
                (..400, _) => StoreError::Unreachable(what),
                _ => StoreError::Refused(what),
            }
        }
        SdkError::TimeoutError(_) => StoreError::Unreachable("did not answer in time".to_owned()),
        SdkError::ResponseError(_) => StoreError::Unreachable("answered something that is not S3".to_owned()),
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(e) if e.is_timeout() => StoreError::Unreachable("did not answer in time".to_owned()),
            Some(e) if e.is_io() => StoreError::Unreachable("cannot be reached".to_owned()),
            _ => StoreError::Unreachable(format!("cannot be asked: {}", innermost(&error))),
        },
        _ => StoreError::Refused(format!("cannot be asked: {}", innermost(&error))),
    }
}

fn innermost(error: &dyn Error) -> String {
    let mut inner = error;
    while let Some(cause) = inner.source() {
        inner = cause;
    }
    inner.to_string()
}
