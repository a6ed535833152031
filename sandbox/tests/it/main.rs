//! The sandbox as its users meet it: over HTTP, one sandbox per test.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod callmind;
mod calls;
mod chat;
mod cloudtalk;
mod elevenlabs;
mod faults;
mod ghl;
mod recordings;
mod speech;
mod target;
mod twilio;

use reqwest::{Client, Method, RequestBuilder, Response};
use sandbox::{Sandbox, Vendor};
use serde_json::Value;

/// A sandbox, and a client that is signed in with every vendor.
struct World {
    sandbox: Sandbox,
    client: Client,
}

impl World {
    async fn new() -> Self {
        let sandbox = Sandbox::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
        // A kept connection that the sandbox dropped on purpose must not be tried again behind the test's back.
        let client = Client::builder().pool_max_idle_per_host(0).no_proxy().build().unwrap();
        Self { sandbox, client }
    }

    /// A request with the credentials and headers of the vendor whose path it is.
    fn ask(&self, vendor: Vendor, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{}{path}", self.sandbox.url(), vendor.api()));
        match vendor {
            Vendor::Cloudtalk | Vendor::Twilio => request.basic_auth("id", Some("secret")),
            Vendor::Elevenlabs => request.header("xi-api-key", "key"),
            Vendor::Ghl => request.bearer_auth("pit-test").header("Version", "2021-07-28"),
            Vendor::Generic => request,
            Vendor::Openai | Vendor::Callmind => request.bearer_auth("token"),
            Vendor::Target => request,
        }
    }

    async fn get(&self, vendor: Vendor, path: &str) -> Response {
        self.ask(vendor, Method::GET, path).send().await.unwrap()
    }

    async fn post(&self, vendor: Vendor, path: &str, body: Value) -> Response {
        self.ask(vendor, Method::POST, path).json(&body).send().await.unwrap()
    }
}

async fn json(answer: Response) -> Value {
    answer.json().await.unwrap()
}

#[tokio::test]
async fn says_that_it_is_a_simulation() {
    let world = World::new().await;
    let answer = world.client.get(world.sandbox.url()).send().await.unwrap();
    assert_eq!(answer.headers()["x-simulated-by"], "tapedeck-sandbox");
    let page = answer.text().await.unwrap();
    assert!(page.contains("SIMULATES"));
    for vendor in Vendor::ALL {
        assert!(page.contains(&format!("{}{}", world.sandbox.url(), vendor.api())), "{page}");
    }
    let alive = world.client.get(format!("{}/livez", world.sandbox.url())).send().await.unwrap();
    assert_eq!(alive.status(), 200);
}

#[tokio::test]
async fn stops_when_it_is_dropped() {
    let World { sandbox, client } = World::new().await;
    let url = format!("{}/livez", sandbox.url());
    assert!(client.get(&url).send().await.is_ok());
    drop(sandbox);
    let stopped = async {
        while client.get(&url).send().await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), stopped).await.unwrap();
}
