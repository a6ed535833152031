//! `GET /openapi.json`: what each route takes and answers (OpenAPI 3.1), made of the handlers themselves. [`public`] adds the
//! other listener's routes, which follow from the sources that are set up.

mod public;

use std::sync::Arc;

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use shared::{
    env::Env,
    service::{
        ops,
        problem::{PROBLEM_JSON, ProblemBody},
    },
    sources::{Accepted, Sources},
};
use utoipa::{
    OpenApi as _,
    openapi::{
        Content, OpenApi, Ref, RefOr,
        path::{Operation, PathItem},
        response::Response as Described,
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Tapedeck",
        description = "Calls with their recordings, transcripts and feedback; what failed, and its replay. Routes that \
            providers call, and the links to recordings, are on a listener of their own, as their `servers` say.\n\n\
            Errors are problem JSON (RFC 9457).",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers((url = "/", description = "CONSOLE_PORT")),
    security(("API_TOKEN" = [])),
    components(schemas(ProblemBody, Accepted)),
    tags(
        (name = "calls", description = "The call log"),
        (name = "failures", description = "What failed for good"),
        (name = "costs", description = "What speech and models cost"),
        (name = "agents", description = "Calls with ElevenLabs' agents"),
        (name = "webhooks", description = "For providers, on the public listener"),
        (name = "recordings", description = "For players, on the public listener"),
        (name = "health", description = "For orchestrators and monitors, on every listener"),
    ),
)]
struct Frame;

/// The description of both listeners, with the webhooks of these sources.
pub fn document(env: &Env, sources: &Sources) -> OpenApi {
    let mut document = Frame::openapi();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    document.merge(crate::routes().into_openapi());
    each(&mut document, guarded);
    document.merge(ops::Described::openapi());
    document.merge(public::describe(env, sources));
    each(&mut document, problems);
    name(&mut document);
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("API_TOKEN", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    document
}

/// The description as it is sent. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Document(Arc<str>);

impl Document {
    pub(crate) fn new(document: &OpenApi) -> Self {
        Self(document.to_json().expect("it holds texts, numbers and lists").into())
    }
}

/// This description
#[utoipa::path(get, path = "/openapi.json", tag = "health", responses(
    (status = 200, description = "OpenAPI 3.1", body = Object),
))]
pub(crate) async fn serve(State(Document(json)): State<Document>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], json.to_string()).into_response()
}

fn each(document: &mut OpenApi, change: fn(&mut Operation)) {
    for item in document.paths.paths.values_mut() {
        operations(item).into_iter().for_each(|(_, operation)| change(operation));
    }
}

fn operations(item: &mut PathItem) -> Vec<(&'static str, &mut Operation)> {
    let PathItem { get, head, post, put, patch, delete, .. } = item;
    let all = [("get", get), ("head", head), ("post", post), ("put", put), ("patch", patch), ("delete", delete)];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?))).collect()
}

/// What generated clients call an operation, by method and path: handlers may have the same name, operations must not.
fn name(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let path = path.replace('{', "by_").replace('}', "").replace(['/', '-', '.'], "_");
        for (method, operation) in operations(item) {
            operation.operation_id = Some(format!("{method}{path}"));
        }
    }
}

/// What every route answers that needs the token and the database.
fn guarded(operation: &mut Operation) {
    for (status, why) in
        [("401", "`Authorization: Bearer <API_TOKEN>` is missing or wrong"), ("503", "the database is away")]
    {
        operation.responses.responses.entry(status.to_owned()).or_insert_with(|| Described::new(why).into());
    }
}

/// Refusals are problem JSON, unless they say otherwise.
fn problems(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.as_str() >= "4"
            && response.content.is_empty()
        {
            let content = Content::new(Some(Ref::from_schema_name("Problem")));
            response.content.insert(PROBLEM_JSON.to_owned(), content.into());
        }
    }
}
