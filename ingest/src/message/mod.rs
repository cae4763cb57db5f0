//! What a broker message must look like and which event it becomes. Nothing in a message can make this code panic, and
//! the bytes of `data` are carried over unchanged.

mod function;
mod headers;
mod refused;
mod rejection;
mod text;

use posthouse_jobs::{CreateEvent, EventTarget};
use posthouse_schema::{
    event::BROKER_MESSAGE_HEADER,
    ids::{EventId, ProjectId, SourceId},
    source_feed::FeedSource,
    words::ProjectKind,
};
use posthouse_transform::Transformer;
use serde::Deserialize;
use serde_json::value::RawValue;

use self::headers::MessageHeaders;
pub use self::{
    function::SourceFunctions,
    refused::{KEPT_BYTES_MAX, Refused, beside, storable},
    rejection::Rejection,
};

/// Largest message that is accepted, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Where a message came in, and how it is read there.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The project of the source.
    pub project_id: ProjectId,
    /// In an incoming project the source decides who receives, in an outgoing one the message does.
    pub project_kind: ProjectKind,
    /// The source.
    pub source_id: SourceId,
    /// What is run on its messages.
    pub functions: SourceFunctions,
}

impl Origin {
    /// This source.
    #[must_use]
    pub fn of(source: &FeedSource) -> Self {
        let function = |text: &Option<String>| text.as_deref().map(Into::into);
        Self {
            project_id: source.project_id,
            project_kind: source.project_kind,
            source_id: source.id,
            functions: SourceFunctions {
                body: function(&source.body_function),
                header: function(&source.header_function),
            },
        }
    }
}

/// The keys that a message may have; any other is refused. A key with `null` counts as absent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(borrow)]
    endpoint_id: Option<&'a RawValue>,
    #[serde(borrow)]
    owner_id: Option<&'a RawValue>,
    #[serde(borrow)]
    event_type: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    custom_headers: Option<&'a RawValue>,
    #[serde(borrow)]
    idempotency_key: Option<&'a RawValue>,
}

/// The event that a message asks for, after the source's functions. Its id is chosen here and its time is now. Headers that
/// its broker has beside the body count like custom headers, and win over them. Where too many functions run already, this
/// waits.
///
/// # Errors
/// The message will never be an event; see [`Rejection`].
pub async fn read(
    bytes: &[u8],
    beside: Vec<(String, String)>,
    origin: &Origin,
    transformer: &Transformer,
) -> Result<CreateEvent, Rejection> {
    let made;
    let bytes = match &origin.functions.body {
        None => bytes,
        Some(_) if bytes.len() > MESSAGE_BYTES_MAX => return Err(Rejection::TooLarge),
        Some(function) => {
            let json = std::str::from_utf8(bytes).map_err(|_| Rejection::NotJson)?;
            made = function::made(transformer, origin, ("body_function", function), json).await?;
            made.as_bytes()
        }
    };
    let Some(function) = &origin.functions.header else { return decode(bytes, None, beside, origin) };
    let given = headers::merged(envelope(bytes)?.custom_headers, &beside)?;
    let headers = function::made(transformer, origin, ("header_function", function), &given).await?;
    let headers = RawValue::from_string(headers).map_err(|_| Rejection::Headers)?;
    // The function decides about all but the name that the broker has for the message.
    let id = beside.into_iter().filter(|(name, _)| name == BROKER_MESSAGE_HEADER).collect();
    decode(bytes, Some(&headers), id, origin)
}

fn envelope(bytes: &[u8]) -> Result<Envelope<'_>, Rejection> {
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(Rejection::TooLarge);
    }
    serde_json::from_slice(bytes).map_err(|error| Rejection::of_envelope(&error))
}

/// The event that a message asks for as it is, with these headers in the place of its own, if any, and with those from beside
/// the body.
fn decode(
    bytes: &[u8],
    headers: Option<&RawValue>,
    beside: Vec<(String, String)>,
    origin: &Origin,
) -> Result<CreateEvent, Rejection> {
    let envelope = envelope(bytes)?;
    let event_type = text::required("event_type", envelope.event_type)?;
    let data = envelope.data.ok_or(Rejection::Missing("data"))?.to_owned();
    let headers = MessageHeaders::read(headers.or(envelope.custom_headers))?.with(beside)?;
    let target = match origin.project_kind {
        ProjectKind::Incoming => EventTarget::Source { source_id: origin.source_id },
        ProjectKind::Outgoing => target(&envelope, headers.message_type())?,
    };
    let event_id = EventId::generate();
    Ok(CreateEvent {
        project_id: origin.project_id,
        event_id,
        target,
        event_type,
        data,
        headers: headers.into_map(),
        idempotency_key: text::optional("idempotency_key", envelope.idempotency_key)?.unwrap_or_default(),
        source_id: Some(origin.source_id),
        url_query_params: String::new(),
        url_path: String::new(),
        ordering_key: None,
        after: None,
        accepted_at: event_id.created_at(),
    })
}

/// Whom a message of an outgoing project is meant for. Whether the endpoint or owner exists is the worker's matter.
fn target(envelope: &Envelope<'_>, message_type: Option<&str>) -> Result<EventTarget, Rejection> {
    match message_type {
        None | Some("single") => {
            let id = text::required("endpoint_id", envelope.endpoint_id)?;
            let endpoint_id = id.parse().map_err(|_| Rejection::Invalid("endpoint_id"))?;
            Ok(EventTarget::Single { endpoint_id })
        }
        Some("fanout") => Ok(EventTarget::Fanout { owner_id: text::required("owner_id", envelope.owner_id)? }),
        Some("broadcast") => Ok(EventTarget::Broadcast),
        Some(_) => Err(Rejection::MessageType),
    }
}

#[cfg(test)]
mod tests;
