//! What a server is sent: Ogg/Opus, a tenth of the bytes, or WAV where it takes nothing else. Which that is shows: a server
//! that refuses the first piece as Opus, or breaks on it, and takes it as WAV is sent WAV from then on.

use std::sync::atomic::{AtomicU8, Ordering};

use bytes::{Buf, Bytes};

use super::{
    ask::{Format, NoReply},
    buy::Order,
    reply::Reply,
};
use crate::{
    audio,
    domain::StepError,
    env::{Env, EnvError},
    http::{ClientError, ErrorKind},
};

/// A piece as a file.
pub(super) struct Sound {
    /// Servers tell formats apart by its ending.
    pub(super) filename: &'static str,
    pub(super) bytes: Bytes,
}

/// What the server is known to take.
pub(super) struct Upload(AtomicU8);

const UNTRIED: u8 = 0;
const OPUS: u8 = 1;
const WAV: u8 = 2;

impl Upload {
    /// `TRANSCRIBE_UPLOAD`: `opus`, or `wav` where that should not even be tried.
    pub(super) fn from_env(env: &Env) -> Result<Self, EnvError> {
        let name = "TRANSCRIBE_UPLOAD";
        match env.var("TRANSCRIBE_UPLOAD") {
            None | Some("opus") => Ok(Self(AtomicU8::new(UNTRIED))),
            Some("wav") => Ok(Self(AtomicU8::new(WAV))),
            Some(_) => Err(EnvError::Invalid { name: name.into(), why: "expected opus or wav".into() }),
        }
    }

    fn is(&self, what: u8) -> bool {
        self.0.load(Ordering::Relaxed) == what
    }

    fn now(&self, what: u8) {
        self.0.fetch_max(what, Ordering::Relaxed);
    }
}

impl Order<'_> {
    /// Sends a piece, as small as the server takes it.
    pub(super) async fn send(&self, wav: Bytes, seconds: f64, format: Format) -> Result<Reply, NoReply> {
        let plain = |bytes| Sound { filename: "piece.wav", bytes };
        let upload = &self.speech.upload;
        if upload.is(WAV) {
            return self.ask(plain(wav), seconds, format).await;
        }
        match self.ask(opus(wav.clone()).await?, seconds, format).await {
            Ok(reply) => {
                upload.now(OPUS);
                Ok(reply)
            }
            Err(NoReply::Step(error)) if upload.is(UNTRIED) && may_be_the_format(&error) => {
                let reply = self.ask(plain(wav), seconds, format).await?;
                tracing::info!("the speech server does not take Opus; it is sent WAV");
                upload.now(WAV);
                Ok(reply)
            }
            Err(why) => Err(why),
        }
    }
}

/// Whether the server said so, if badly: some refuse what they cannot read, and some break on it.
fn may_be_the_format(error: &StepError) -> bool {
    let said = error.source.downcast_ref::<ClientError>();
    said.is_some_and(|error| matches!(error.kind, ErrorKind::Refused | ErrorKind::Broken))
}

async fn opus(wav: Bytes) -> Result<Sound, NoReply> {
    let encoded = tokio::task::spawn_blocking(move || audio::to_opus(wav.reader())).await;
    let failed = |why: std::io::Error| NoReply::Step(StepError::fail("cannot-encode", why));
    let bytes = encoded.map_err(|panic| failed(std::io::Error::other(panic)))?.map_err(failed)?;
    Ok(Sound { filename: "piece.ogg", bytes: bytes.into() })
}
