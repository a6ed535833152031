//! From a recording to the replies: cuts it, writes the pieces that are not paid for yet, and buys them.

use std::path::Path;

use super::{
    ask::Format,
    blocking,
    buy::{Bought, Order, Trouble},
    voices,
};
use crate::{
    audio::{self, Limits, Piece, Survey},
    domain::{Layout, StepError},
};

impl Order<'_> {
    /// The replies to everything that is said in the recording, voice after voice.
    pub(super) async fn of_all(
        &self,
        recording: &Path,
        spool: &Path,
        survey: &Survey,
    ) -> Result<Vec<Bought>, StepError> {
        loop {
            match self.as_the_server_answers(recording, spool, survey).await {
                Ok(bought) => return Ok(bought),
                // The server gives less than was asked for: other pieces suit that.
                Err(Trouble::Downgraded) => {}
                Err(Trouble::Step(error)) => return Err(error),
            }
        }
    }

    async fn as_the_server_answers(
        &self,
        recording: &Path,
        spool: &Path,
        survey: &Survey,
    ) -> Result<Vec<Bought>, Trouble> {
        let format = self.listener.format();
        let limits = Limits { seconds: self.listener.known.seconds, bytes: self.listener.known.bytes };
        let mut pieces = audio::cut(survey, format.grain(), limits);
        if format != Format::Diarized || survey.layout == Layout::Separate || pieces.len() < 2 {
            return self.of(recording, spool, pieces).await;
        }
        // Who speaks in the first piece is who the server is to recognise in the others.
        let rest = pieces.split_off(1);
        let mut bought = self.of(recording, spool, pieces).await?;
        let voices = voices::references(recording, spool, &bought[0]).await.map_err(Trouble::Step)?;
        bought.extend(Order { voices: &voices, ..*self }.of(recording, spool, rest).await?);
        Ok(bought)
    }

    async fn of(&self, recording: &Path, spool: &Path, pieces: Vec<Piece>) -> Result<Vec<Bought>, Trouble> {
        let (bought, pieces) = self.shelf.sorted(pieces, &self.terms(self.listener.format()));
        let dir = tempfile::tempdir_in(spool).map_err(|e| Trouble::Step(StepError::retry("no-space", e)))?;
        let from = recording.to_owned();
        let writing = blocking(move |stop| {
            let files =
                if pieces.is_empty() { Vec::new() } else { audio::write_pieces(&from, &pieces, dir.path(), stop)? };
            Ok((pieces.into_iter().zip(files).collect::<Vec<_>>(), dir))
        });
        let (files, _dir) = writing.await.map_err(Trouble::Step)?;
        self.buy_all(files, bought).await
    }
}
