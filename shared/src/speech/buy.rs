//! Buys the replies to all pieces of a call. What is paid for is kept at once, and a server that fails in the middle is
//! waited for.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt, stream};

use super::{
    Speech,
    ask::{Format, NoReply},
    kept::Shelf,
    listener::Listener,
    reply::Reply,
    voices::Reference,
};
use crate::{
    audio::{self, Piece},
    domain::{StepError, Verdict},
    ledger::Purse,
};

/// How long a server is waited for in all, once something was paid for.
const PATIENCE: Duration = Duration::from_secs(5 * 60);
/// The wait after a failure without a time of its own; doubled each time.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// A server that wants no wait gets this much.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// How often a piece may be cut in two. Pieces have two minutes at most: an eighth is short enough for any server.
const MOST_HALVINGS: u32 = 3;

/// A piece with its reply.
pub(super) struct Bought {
    pub(super) piece: Piece,
    pub(super) reply: Reply,
}

/// Why the pieces could not be bought.
pub(super) enum Trouble {
    /// The server gives less than was asked for, which is remembered; nothing was bought.
    Downgraded,
    /// Anything else, with its verdict.
    Step(StepError),
}

/// A piece that was not bought, and why; `None` when it was not tried.
type Left = (Piece, PathBuf, Option<NoReply>);

/// Who is asked, for which pieces, and what is known beforehand.
#[derive(Clone, Copy)]
pub(super) struct Order<'a> {
    pub(super) speech: &'a Speech,
    pub(super) listener: &'a Listener,
    pub(super) purse: &'a Purse,
    pub(super) shelf: &'a Shelf<'a>,
    /// Voices that the server is to recognise.
    pub(super) voices: &'a [Reference],
}

impl Order<'_> {
    /// What the replies depend on beside the sound.
    pub(super) fn terms(&self, format: Format) -> String {
        let voices: Vec<&str> = self.voices.iter().map(|voice| voice.name.as_str()).collect();
        format!("{}/{voices:?}", self.listener.terms(format))
    }

    /// Buys the replies, a few at a time, in the order of the pieces, and returns them with those that it has already.
    pub(super) async fn buy_all(
        &self,
        files: Vec<(Piece, PathBuf)>,
        mut bought: Vec<Bought>,
    ) -> Result<Vec<Bought>, Trouble> {
        let mut pending = files;
        let (mut waited, mut wait) = (Duration::ZERO, FIRST_WAIT);
        loop {
            let left = self.round(pending, &mut bought).await;
            if left.is_empty() {
                break;
            }
            let pause = self.pause(&left, bought.is_empty(), PATIENCE.saturating_sub(waited), wait);
            pending = Vec::with_capacity(left.len());
            let mut trouble = None;
            for (piece, path, why) in left {
                trouble = trouble.or(why);
                pending.push((piece, path));
            }
            match (pause, trouble) {
                (Some(pause), _) => {
                    tokio::time::sleep(pause).await;
                    (waited, wait) = (waited + pause, wait * 2);
                }
                (None, Some(NoReply::NotAs(_))) => return Err(Trouble::Downgraded),
                (None, Some(NoReply::Step(error))) => return Err(Trouble::Step(error)),
                (None, _) => {
                    let why = anyhow::anyhow!("the speech server finds the shortest piece too long");
                    return Err(Trouble::Step(StepError::fail("piece-too-long", why)));
                }
            }
        }
        bought.sort_by(|a, b| a.piece.channel.cmp(&b.piece.channel).then(start(a).total_cmp(&start(b))));
        Ok(bought)
    }

    /// Tries every piece once, until one fails. Requests that are under way then are waited for: they are paid for.
    async fn round(&self, files: Vec<(Piece, PathBuf)>, bought: &mut Vec<Bought>) -> Vec<Left> {
        let stop = AtomicBool::new(false);
        let one = |(piece, path): (Piece, PathBuf)| async {
            if stop.load(Ordering::Relaxed) {
                return Err((piece, path, None));
            }
            let found = self.hear(&piece, &path).await;
            found.map_err(|why| {
                stop.store(true, Ordering::Relaxed);
                (piece, path, Some(why))
            })
        };
        let mut replies = stream::iter(files).map(one).buffer_unordered(self.speech.settings.parallel);
        let mut left = Vec::new();
        while let Some(found) = replies.next().await {
            match found {
                Ok(found) => bought.extend(found),
                Err(why) => left.push(why),
            }
        }
        left
    }

    /// How long to wait before the pieces that are left are tried again; `None` to give up.
    fn pause(&self, left: &[Left], nothing_bought: bool, patience: Duration, wait: Duration) -> Option<Duration> {
        let mut pause = Duration::ZERO;
        for why in left.iter().filter_map(|(_, _, why)| why.as_ref()) {
            match why {
                NoReply::TooLong => return None,
                NoReply::NotAs(format) => {
                    // Another request may have found out already.
                    let news = self.listener.format() as u8 > *format as u8 || self.listener.downgrade(*format);
                    // Text alone wants other pieces, unless some were paid for.
                    if !news || (nothing_bought && self.listener.format() == Format::Json) {
                        return None;
                    }
                }
                NoReply::Step(error) => match error.verdict {
                    _ if nothing_bought => return None,
                    Verdict::Snooze { after } => pause = pause.max(after.max(SHORTEST_WAIT)),
                    Verdict::Retry { after } => pause = pause.max(after.unwrap_or(wait)),
                    Verdict::Fail | Verdict::Ours => return None,
                },
            }
        }
        (pause <= patience).then_some(pause)
    }

    /// One piece; more than one reply where the server wants it shorter.
    async fn hear(&self, piece: &Piece, path: &Path) -> Result<Vec<Bought>, NoReply> {
        let unreadable = |e: std::io::Error| NoReply::Step(StepError::retry("recording-unreadable", e));
        let wav = tokio::fs::read(path).await.map_err(unreadable)?;
        let mut todo = vec![(piece.clone(), Bytes::from(wav), 0)];
        let mut bought = Vec::new();
        while let Some((piece, wav, halvings)) = todo.pop() {
            let format = self.listener.format();
            let key = self.shelf.key(&piece, &self.terms(format));
            if let Some(reply) = self.shelf.find(&key) {
                bought.push(Bought { piece, reply });
                continue;
            }
            match self.send(wav.clone(), piece.seconds(), format).await {
                Ok(reply) => {
                    self.count(&piece);
                    self.shelf.keep(&key, &reply).await;
                    bought.push(Bought { piece, reply });
                }
                Err(NoReply::TooLong) if halvings < MOST_HALVINGS => {
                    let halves = audio::halve(&piece, &wav).map_err(unreadable)?.ok_or(NoReply::TooLong)?;
                    todo.extend(halves.map(|(piece, wav)| (piece, Bytes::from(wav), halvings + 1)));
                }
                Err(why) => return Err(why),
            }
        }
        Ok(bought)
    }

    fn count(&self, piece: &Piece) {
        let seconds = piece.seconds().ceil() as u64;
        metrics::counter!("tapedeck_speech_billed_seconds_total", "model" => self.listener.model.clone())
            .increment(seconds);
    }
}

fn start(bought: &Bought) -> f64 {
    bought.piece.span().start
}
