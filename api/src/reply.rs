//! The envelope of every answer, contract section 1.3: `{"status", "message", "data"}`.

use std::borrow::Cow;

use salvo::{
    http::header::{CONTENT_TYPE, HeaderValue},
    oapi::{Components, EndpointOutRegister, Operation, RefOr, Schema, ToSchema},
    prelude::*,
};
use serde::Serialize;

/// A successful answer.
#[derive(Debug)]
pub struct Reply<T> {
    code: StatusCode,
    message: Cow<'static, str>,
    data: T,
}

impl<T> Reply<T> {
    /// 200.
    pub fn ok(message: impl Into<Cow<'static, str>>, data: T) -> Self {
        Self { code: StatusCode::OK, message: message.into(), data }
    }

    /// 201.
    pub fn created(message: impl Into<Cow<'static, str>>, data: T) -> Self {
        Self { code: StatusCode::CREATED, message: message.into(), data }
    }

    /// 400 with data that says what is wrong; everything else that is refused is an [`crate::error::ApiError`].
    pub fn refused(message: impl Into<Cow<'static, str>>, data: T) -> Self {
        Self { code: StatusCode::BAD_REQUEST, message: message.into(), data }
    }

    /// 202.
    pub fn accepted(message: impl Into<Cow<'static, str>>, data: T) -> Self {
        Self { code: StatusCode::ACCEPTED, message: message.into(), data }
    }
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    status: bool,
    message: &'a str,
    data: &'a T,
}

/// What a failed request is answered with.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// Always false.
    pub status: bool,
    /// What is wrong, for people.
    pub message: String,
}

/// Data of an answer that has none.
#[derive(Debug, Clone, Copy, ToSchema)]
pub struct NoData;

impl Serialize for NoData {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_none()
    }
}

/// Writes a JSON answer. Nothing that we send can fail to be written as JSON.
pub fn render<T: Serialize>(res: &mut Response, code: StatusCode, body: &T) {
    res.status_code(code);
    res.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Err(error) =
        serde_json::to_vec(body).map_err(anyhow::Error::from).and_then(|bytes| Ok(res.write_body(bytes)?))
    {
        tracing::error!(error = format!("{error:#}"), "An answer could not be written.");
    }
}

#[async_trait]
impl<T: Serialize + Send + Sync> Writer for Reply<T> {
    async fn write(self, _req: &mut Request, _depot: &mut Depot, res: &mut Response) {
        let status = self.code.is_success();
        render(res, self.code, &Envelope { status, message: &self.message, data: &self.data });
    }
}

impl<T: ToSchema> EndpointOutRegister for Reply<T> {
    fn register(components: &mut Components, operation: &mut Operation) {
        let data: RefOr<Schema> = T::to_schema(components);
        let envelope = salvo::oapi::Object::new()
            .property(
                "status",
                salvo::oapi::Object::new().schema_type(salvo::oapi::BasicType::Boolean).description("Always true."),
            )
            .property(
                "message",
                salvo::oapi::Object::new()
                    .schema_type(salvo::oapi::BasicType::String)
                    .description("What was done, for people."),
            )
            .property("data", data)
            .required("status")
            .required("message")
            .required("data");
        let response = salvo::oapi::Response::new("Done.")
            .add_content("application/json", RefOr::Type(Schema::Object(Box::new(envelope))));
        operation.responses.insert("2XX", response);
    }
}
