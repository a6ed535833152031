//! The public listener: webhooks, as the sources that are set up send them, and the links to recordings.

use shared::{
    env::Env,
    links,
    sources::{Source, Sources, WebhookRoute},
};
use utoipa::openapi::{
    Content, HttpMethod, ObjectBuilder, OpenApi, OpenApiBuilder, PathItem, Paths, Ref, Required, SecurityRequirement,
    Server, Type,
    header::HeaderBuilder,
    path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
    request_body::RequestBodyBuilder,
    response::{Response, ResponseBuilder},
};

/// What a webhook is answered that is not taken.
const REFUSALS: [(&str, &str); 6] = [
    ("400", "the body is not of the announced form"),
    ("401", "the signature or secret does not match"),
    ("408", "the body did not arrive in time"),
    ("413", "the body is larger than this route takes"),
    ("415", "not the media type that this route takes"),
    ("422", "understood, but it cannot be used; `field` says why"),
];

/// The routes of the public listener, except those that every listener has.
pub(super) fn describe(env: &Env, sources: &Sources) -> OpenApi {
    let mut paths = Paths::new();
    for source in sources.iter() {
        for route in source.webhooks() {
            paths.add_path_operation(route.path, vec![HttpMethod::Post], webhook(&**source, route));
        }
    }
    let mut link = PathItem::new(HttpMethod::Get, recording(false));
    link.head = Some(recording(true));
    paths.paths.insert(links::ROUTE.to_owned(), link);
    let server = Server::new(env.var("WEBHOOK_BASE_URL").map_or("/", |base| base.trim_end_matches('/')));
    for item in paths.paths.values_mut() {
        item.servers = Some(vec![server.clone()]);
    }
    OpenApiBuilder::new().paths(paths).build()
}

fn webhook(source: &dyn Source, route: &WebhookRoute) -> Operation {
    let name = source.id().to_string();
    let (media_type, example) = source.example(route).unzip();
    let mut content = Content::new(Some(ObjectBuilder::new().schema_type(Type::Object)));
    content.example = example;
    let body = RequestBodyBuilder::new()
        .description(Some("What is sent; other fields are kept as well"))
        .content(media_type.unwrap_or("application/json"), content)
        .required(Some(Required::True));
    let taken = Content::new(Some(Ref::from_schema_name("Accepted")));
    let taken =
        ResponseBuilder::new().description("it is committed to the database").content("application/json", taken);
    let operation = OperationBuilder::new()
        .tag("webhooks")
        .summary(Some(format!("{name}: {}", route.hint)))
        .description(Some(format!(
            "Checked as {name} signs it or shows its secret, over the raw request, before it is read."
        )))
        .security(SecurityRequirement::default())
        .request_body(Some(body.build()))
        .response("200", taken.build());
    let busy = "the database is away, or too much comes at once; `Retry-After` says when to send it again";
    let operation = operation.response(source.busy().as_str(), Response::new(busy));
    REFUSALS.iter().fold(operation, |operation, (status, why)| operation.response(*status, Response::new(*why))).build()
}

fn recording(head: bool) -> Operation {
    let summary = if head { "Length and type of a recording" } else { "Plays a recording" };
    let operation = OperationBuilder::new()
        .tag("recordings")
        .summary(Some(summary))
        .description(Some("The lasting link, as `recording_url` has it: for an `<audio>` element or a CRM. No token; `s` is its signature."))
        .security(SecurityRequirement::default())
        .parameter(text("provider", ParameterIn::Path, "the provider's name"))
        .parameter(text("call", ParameterIn::Path, "the provider's id of the call"))
        .parameter(text("s", ParameterIn::Query, "the signature"));
    let operation = match head {
        true => operation.response("200", sound("no body")),
        false => operation
            .parameter(optional("Range", "one range of bytes; several are answered with the whole"))
            .parameter(optional(
                "If-Range",
                "the `ETag` that the range belongs to; another one is answered with the whole",
            ))
            .response("200", sound("the whole recording"))
            .response("206", sound("the bytes that `Range` asked for"))
            .response("302", found())
            .response("416", Response::new("`Range` begins behind the end")),
    };
    operation
        .response("403", Response::new("the link was not made here, or was changed"))
        .response("404", Response::new("no such call, or no recording yet; `detail` says which"))
        .response("410", Response::new("there is no recording and none is to come; `detail` says why"))
        .response("503", Response::new("the database or the object store is away"))
        .build()
}

fn text(name: &str, place: ParameterIn, what: &str) -> Parameter {
    let schema = ObjectBuilder::new().schema_type(Type::String);
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::True)
        .description(Some(what))
        .schema(Some(schema))
        .build()
}

fn optional(name: &str, what: &str) -> Parameter {
    let mut parameter = text(name, ParameterIn::Header, what);
    parameter.required = Required::False;
    parameter
}

fn sound(what: &str) -> Response {
    ResponseBuilder::new().description(what).content("audio/*", Content::default()).build()
}

fn found() -> Response {
    let location = HeaderBuilder::new().description(Some("a URL of the object store that works for an hour")).build();
    ResponseBuilder::new()
        .description("where the recording is, in an object store")
        .header("Location", location)
        .build()
}
