//! What every sink has to do, whatever it writes to. [`sink_conformance!`](crate::sink_conformance) turns it into tests of
//! one sink: it is given a function that makes a [`Place`], the sink with its simulated vendor. To add a rule: one function
//! here, and its name in the macro.
#![expect(clippy::missing_panics_doc, reason = "tests may panic")]

use std::time::Duration;

use serde_json::Value;

use super::{Sink, sample};
use crate::domain::{Report, StepError, Verdict, Write};

/// The tests of one sink. `$place` is a function that makes a [`Place`] whose vendor holds nothing yet.
#[macro_export]
macro_rules! sink_conformance {
    ($place:path) => {
        $crate::sink_conformance!(@rules $place:
            delivering_twice_sends_nothing_the_second_time,
            delivering_again_without_memory_leaves_one,
            a_lost_reply_leaves_one,
            milestone_by_milestone_leaves_what_all_at_once_does,
            changed_content_is_brought_without_a_second_copy,
            waits_exactly_as_long_as_the_vendor_says,
            a_refused_request_needs_a_person,
            a_broken_or_silent_vendor_is_tried_again,
            a_call_with_a_hidden_number_is_no_failure,
            doctor_leaves_nothing_behind,
        );
    };
    (@rules $place:path: $($test:ident,)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                $crate::sinks::conformance::$test($place).await;
            }
        )+
    };
}

/// A sink and the simulated vendor it writes to.
pub trait Place {
    /// The sink. It gives up on a vendor that is silent for more than two seconds.
    fn sink(&self) -> &dyn Sink;
    /// What the vendor holds, without its own ids and times, and in an order that does not depend on that of the writes.
    fn holds(&self) -> Value;
    /// How many notes or records of calls the vendor holds.
    fn copies(&self) -> usize;
    /// How many requests the vendor saw.
    fn requests(&self) -> usize;
    /// Whether every answer of 2xx counts, whatever its body: then a page, or half an answer, is as good as any.
    fn status_is_all(&self) -> bool {
        false
    }
    /// Statuses that say that the request itself is wrong, so that no later one will fare better.
    fn refusals(&self) -> &'static [u16] {
        &[400, 401, 403]
    }
    /// The next request that would create a note or a record suffers this.
    fn trouble(&self, trouble: Trouble);
}

/// What may happen to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// This status and `Retry-After`, and nothing is done.
    Status(u16, Option<u64>),
    /// It is carried out, but its answer never comes.
    ReplyLost,
    /// Silence for longer than the sink's patience.
    Hang,
    /// A page for people, with status 200, and nothing is done.
    Page,
    /// It is carried out, but its answer breaks off in the middle.
    CutOff,
}

/// Brings a report and keeps what the runner would keep.
pub async fn bring(place: &impl Place, report: &mut Report) -> Result<(), StepError> {
    let result = place.sink().deliver(report).await;
    let brought: Vec<_> = match &result {
        Ok(brought) => brought.clone(),
        Err(error) => error.writes.iter().filter_map(delivery).cloned().collect(),
    };
    for delivery in brought {
        report.held.retain(|held| held.milestone != delivery.milestone);
        report.held.push(delivery);
    }
    report.maybe_written = result.is_err();
    result.map(drop)
}

fn delivery(write: &Write) -> Option<&crate::domain::Delivery> {
    match write {
        Write::Delivery(_, _, delivery) => Some(delivery),
        _ => None,
    }
}

/// The same call, further on its way.
pub fn later(report: Report, state: Report) -> Report {
    Report { held: report.held, maybe_written: report.maybe_written, ..state }
}

/// What the vendor holds after one undisturbed delivery.
async fn undisturbed<P: Place>(place: &impl AsyncFn() -> P, mut report: Report) -> Value {
    let place = place().await;
    bring(&place, &mut report).await.expect("an undisturbed delivery succeeds");
    place.holds()
}

/// What a sink holds already with the same content is not sent again.
pub async fn delivering_twice_sends_nothing_the_second_time<P: Place>(place: impl AsyncFn() -> P) {
    let place = place().await;
    let mut report = sample::analyzed();
    bring(&place, &mut report).await.expect("the vendor is well");
    let (holds, requests) = (place.holds(), place.requests());
    assert!(place.copies() > 0, "nothing was brought: {holds}");
    let again = place.sink().deliver(&report).await.expect("the vendor is well");
    assert_eq!(again, [], "nothing is held now that was not before");
    assert_eq!((place.holds(), place.requests()), (holds, requests));
}

/// A worker that dies after its writes, and before they are kept, leaves the next one to find them.
pub async fn delivering_again_without_memory_leaves_one<P: Place>(place: impl AsyncFn() -> P) {
    let place = place().await;
    bring(&place, &mut sample::analyzed()).await.expect("the vendor is well");
    let (holds, copies) = (place.holds(), place.copies());
    let mut forgotten = sample::analyzed();
    forgotten.maybe_written = true;
    bring(&place, &mut forgotten).await.expect("the vendor is well");
    assert_eq!((place.holds(), place.copies()), (holds, copies));
}

/// A write whose answer was lost is not repeated.
pub async fn a_lost_reply_leaves_one<P: Place>(place: impl AsyncFn() -> P) {
    let expected = undisturbed(&place, sample::analyzed()).await;
    for trouble in [Trouble::ReplyLost, Trouble::CutOff] {
        let place = place().await;
        let mut report = sample::analyzed();
        if trouble == Trouble::CutOff && place.status_is_all() {
            continue;
        }
        place.trouble(trouble);
        let error = bring(&place, &mut report).await.expect_err("the answer was lost");
        assert_eq!(error.verdict, Verdict::Retry { after: None }, "{trouble:?}");
        bring(&place, &mut report).await.expect("the vendor is well again");
        assert_eq!(place.holds(), expected, "after {trouble:?}");
    }
}

/// However a call's events come in, the sink ends up with the same.
pub async fn milestone_by_milestone_leaves_what_all_at_once_does<P: Place>(place: impl AsyncFn() -> P) {
    let expected = undisturbed(&place, sample::analyzed()).await;
    let place = place().await;
    let mut report = sample::started();
    for state in [sample::started, sample::ended, sample::recorded, sample::analyzed] {
        report = later(report, state());
        bring(&place, &mut report).await.expect("the vendor is well");
    }
    assert_eq!(place.holds(), expected);
}

/// A call that is analyzed anew is updated where it is.
pub async fn changed_content_is_brought_without_a_second_copy<P: Place>(place: impl AsyncFn() -> P) {
    let place = place().await;
    let mut report = sample::analyzed();
    bring(&place, &mut report).await.expect("the vendor is well");
    let copies = place.copies();
    let feedback = report.feedback.as_mut().expect("an analyzed call has feedback");
    feedback.judged.summary = "Quite another summary.".into();
    bring(&place, &mut report).await.expect("the vendor is well");
    assert_eq!(place.copies(), copies);
    let holds = place.holds().to_string();
    assert!(holds.contains("Quite another summary.") && !holds.contains("about an invoice"), "{holds}");
}

/// A throttled job comes back when the vendor wants, without using up an attempt, and finishes its work.
pub async fn waits_exactly_as_long_as_the_vendor_says<P: Place>(place: impl AsyncFn() -> P) {
    let expected = undisturbed(&place, sample::analyzed()).await;
    let place = place().await;
    let mut report = sample::analyzed();
    place.trouble(Trouble::Status(429, Some(17)));
    let error = bring(&place, &mut report).await.expect_err("the vendor was throttling");
    assert_eq!(error.verdict, Verdict::Snooze { after: Duration::from_secs(17) });
    bring(&place, &mut report).await.expect("the vendor is well again");
    assert_eq!(place.holds(), expected);
}

/// Repeating what the vendor finds wrong is pointless.
pub async fn a_refused_request_needs_a_person<P: Place>(place: impl AsyncFn() -> P) {
    let refusals = place().await.refusals();
    assert!(refusals.contains(&400));
    for status in refusals.iter().copied() {
        let place = place().await;
        place.trouble(Trouble::Status(status, None));
        let error = bring(&place, &mut sample::analyzed()).await.expect_err("the vendor refused");
        assert_eq!(error.verdict, Verdict::Fail, "{status}");
        let text = format!("{error:#}");
        for secret in ["393501234567", "invoice", "https://calls.example.test", "Mario"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

/// A vendor that fails is tried again by the schedule; so is one that says "200" without doing anything.
pub async fn a_broken_or_silent_vendor_is_tried_again<P: Place>(place: impl AsyncFn() -> P) {
    let expected = undisturbed(&place, sample::analyzed()).await;
    for trouble in [Trouble::Status(500, None), Trouble::Status(408, None), Trouble::Page, Trouble::Hang] {
        let place = place().await;
        let mut report = sample::analyzed();
        if trouble == Trouble::Page && place.status_is_all() {
            continue;
        }
        place.trouble(trouble);
        let error = bring(&place, &mut report).await.expect_err("the vendor was broken");
        assert_eq!(error.verdict, Verdict::Retry { after: None }, "{trouble:?}");
        bring(&place, &mut report).await.expect("the vendor is well again");
        assert_eq!(place.holds(), expected, "after {trouble:?}");
    }
}

/// Nobody need look after a call of somebody who hides the number.
pub async fn a_call_with_a_hidden_number_is_no_failure<P: Place>(place: impl AsyncFn() -> P) {
    let place = place().await;
    let mut report = sample::analyzed();
    report.call.facts.external_phone = None;
    bring(&place, &mut report).await.expect("nothing is wrong");
    let requests = place.requests();
    bring(&place, &mut report).await.expect("nothing is wrong");
    assert_eq!(place.requests(), requests, "and it is not tried over and over");
}

/// The check of credentials is harmless.
pub async fn doctor_leaves_nothing_behind<P: Place>(place: impl AsyncFn() -> P) {
    let place = place().await;
    let before = place.holds();
    place.sink().check().await.expect("the credentials are good");
    assert_eq!(place.holds(), before);
}
