//! Rows of the lists that providers' APIs give.

use std::sync::{Arc, LazyLock};

use serde_json::Value;

use super::bodies::{outside, plausible};
use crate::{
    domain::NewEvent,
    env::Env,
    providers::{
        Provider,
        cloudtalk::CloudTalk,
        elevenlabs::{self, ElevenLabs},
        twilio::{Dialect, SIGNALWIRE, TELNYX, TWILIO, Twilio},
    },
};

type Listed = Box<dyn Fn(&[Value]) -> Vec<NewEvent> + Send + Sync>;

/// Every provider that has a list, and what its rows come to.
static LISTS: LazyLock<[(Arc<dyn Provider>, Listed); 5]> = LazyLock::new(|| {
    let settings = Env::from_pairs([
        ("CLOUDTALK_API_KEY", "id:secret"),
        ("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000001"),
        ("TWILIO_AUTH_TOKEN", "t"),
        ("SIGNALWIRE_PROJECT_ID", "p"),
        ("SIGNALWIRE_API_TOKEN", "t"),
        ("SIGNALWIRE_BASE_URL", "http://127.0.0.1:9"),
        ("TELNYX_ACCOUNT_SID", "a"),
        ("TELNYX_API_KEY", "k"),
        ("ELEVENLABS_API_KEY", "k"),
    ]);
    let off = ["CLOUDTALK", "TWILIO", "SIGNALWIRE", "TELNYX", "ELEVENLABS"];
    let env = settings.with(off.map(|name| (format!("{name}_WEBHOOK_VERIFY"), "off")));
    let cloudtalk = CloudTalk::from_env(&env, &outside()).expect("settings that can be used").expect("settings");
    let cloudtalk = Arc::new(cloudtalk);
    let elevenlabs = ElevenLabs::from_env(&env, &outside()).expect("settings that can be used").expect("settings");
    let twilio = |dialect: &'static Dialect| -> (Arc<dyn Provider>, Listed) {
        let one = Twilio::from_env(dialect, &env, &outside()).expect("settings that can be used").expect("settings");
        let one = Arc::new(one);
        (one.clone(), Box::new(move |rows| one.fuzz_listed(rows)))
    };
    [
        (cloudtalk.clone(), Box::new(move |rows| cloudtalk.fuzz_listed(rows))),
        twilio(&TWILIO),
        twilio(&SIGNALWIRE),
        twilio(&TELNYX),
        (Arc::new(elevenlabs), Box::new(elevenlabs::fuzz_listed)),
    ]
});

/// A list of the provider that the first byte says: what is taken from it is plausible, like what its webhooks bring.
pub fn list(data: &[u8]) {
    let Some((first, rows)) = data.split_first() else { return };
    let Ok(rows) = serde_json::from_slice::<Vec<Value>>(rows) else { return };
    let (provider, listed) = &LISTS[usize::from(*first) % LISTS.len()];
    listed(&rows).into_iter().for_each(|event| plausible(&**provider, event));
}
