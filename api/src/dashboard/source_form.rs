//! Making and changing a source by a form, and testing whether its broker can be read.

use posthouse_boxed::boxed;
use posthouse_pages::{
    connection_test::ConnectionTest,
    form::Problem,
    frame::Place,
    source_form::{self as pages, SourceForm, TriedFunction},
    source_kind::{Intake, SourceKind},
    values::{self, Values},
};
use posthouse_schema::{source::Source, words};
use salvo::prelude::*;
use serde_json::{Value, json, value::RawValue};

use super::{
    answer::{Answer, PageError, PageResult},
    form::Form,
    operation::Done,
    query, sources,
    visit::{ProjectVisit, page, said},
};
use crate::{
    auth::Need,
    error::ApiError,
    functions::test_source_function,
    sources::{create_source, test_settings, test_source, update_source},
};

/// The field of what a function is tried on.
const SAMPLE: &str = "sample";
/// The step of a test at which settings are refused before a broker is asked.
const SETTINGS: &str = "settings";

/// The choice of a kind, or the form of the one that was chosen.
#[handler]
#[boxed]
pub async fn new(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Sources, Need::Manage).await?;
    let Some(kind) = SourceKind::find(&query::text(req, "kind")) else {
        return Ok(page(pages::choose(visit.frame())));
    };
    Ok(page(pages::page(visit.frame(), &form_of(None, kind, Values::default()))))
}

fn form_of(id: Option<String>, kind: &'static SourceKind, values: Values) -> SourceForm {
    SourceForm { id, kind, values, problem: None, test: None, sample: String::new(), tried: None }
}

/// Makes one, or tests what stands in the form.
#[handler]
#[boxed]
pub async fn create(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Sources, Need::Manage).await?;
    let form = Form::of(depot);
    let kind = SourceKind::find(form.text("kind")).ok_or_else(PageError::not_found)?;
    let fields = kind.all_fields();
    let typed = Values::typed(&fields, |name| form.text(name), &Values::default());
    let view = SourceForm { sample: form.text(SAMPLE).into(), ..form_of(None, kind, typed) };
    let asked = Asked { visit: &visit, form: &form, view };
    if form.text("do") == "try" && kind.is_broker() {
        return asked.tried().await;
    }
    let body = match asked.body(begin(kind)) {
        Ok(body) => body,
        Err(problem) => return Ok(asked.again(problem)),
    };
    if form.text("do") == "test" && kind.is_broker() {
        let tested = visit.on(&[]).with_body(json!({"pub_sub": body.get("pub_sub")}));
        let done = visit.run(test_settings, tested).await?;
        return Ok(asked.tested(&done));
    }
    let done = visit.run(create_source, visit.on(&[]).with_body(body)).await?;
    Ok(match done.problem(&[]) {
        Some(problem) => asked.again(Problem::within(&problem.text, &fields)),
        None => {
            let own = visit.path(&format!("/sources/{}", done.text("/uid")));
            said(own, &done, "The source is made. Events of it go nowhere until a subscription names it.")
        }
    })
}

/// The form with what is, or of another way to prove oneself.
#[handler]
#[boxed]
pub async fn edit(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Sources, Need::Manage).await?;
    let row = sources::find(req, &visit).await?;
    let own = kind_of(&row)?.ok_or_else(PageError::not_found)?;
    let kind = SourceKind::find(&query::text(req, "kind")).filter(|kind| is_change(own, kind)).unwrap_or(own);
    let values = Values::of(&kind.all_fields(), &document(&row, kind)?);
    Ok(page(pages::page(visit.frame(), &form_of(Some(row.id.to_string()), kind, values))))
}

/// Changes it, or tests what stands in the form.
#[handler]
#[boxed]
pub async fn update(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Sources, Need::Manage).await?;
    let row = sources::find(req, &visit).await?;
    let form = Form::of(depot);
    let own = kind_of(&row)?.ok_or_else(PageError::not_found)?;
    let kind = SourceKind::find(form.text("kind")).filter(|kind| is_change(own, kind));
    let kind = kind.ok_or_else(PageError::not_found)?;
    let (fields, stored) = (kind.all_fields(), document(&row, kind)?);
    let typed = Values::typed(&fields, |name| form.text(name), &Values::of(&fields, &stored));
    let view = SourceForm { sample: form.text(SAMPLE).into(), ..form_of(Some(row.id.to_string()), kind, typed) };
    let asked = Asked { visit: &visit, form: &form, view };
    if form.text("do") == "try" && kind.is_broker() {
        return asked.tried().await;
    }
    let body = match asked.body(stored) {
        Ok(body) => body,
        Err(problem) => return Ok(asked.again(problem)),
    };
    let on = [("source_id", row.id.to_string())];
    if form.text("do") == "test" && kind.is_broker() {
        let tested = visit.on(&on).with_body(json!({"pub_sub": body.get("pub_sub")}));
        let done = visit.run(test_source, tested).await?;
        return Ok(asked.tested(&done));
    }
    let done = visit.run(update_source, visit.on(&on).with_body(body)).await?;
    Ok(match done.problem(&[]) {
        Some(problem) => asked.again(Problem::within(&problem.text, &fields)),
        None => said(visit.path(&format!("/sources/{}", row.id)), &done, "The source is changed."),
    })
}

/// What somebody asked for by a form.
struct Asked<'a> {
    visit: &'a ProjectVisit,
    form: &'a Form,
    view: SourceForm,
}

impl Asked<'_> {
    /// What the API is asked for.
    fn body(&self, mut document: Value) -> Result<Value, Problem> {
        values::write(&mut document, &self.view.kind.all_fields(), |name| self.form.text(name))?;
        // A user's name and password beside it win over those in an object of their own.
        if !self.form.text("pub_sub.mqtt.username").is_empty()
            && let Some(mqtt) = document.pointer_mut("/pub_sub/mqtt").and_then(Value::as_object_mut)
        {
            mqtt.remove("auth");
        }
        Ok(document)
    }

    fn again(&self, problem: Problem) -> Answer {
        let view = SourceForm { problem: Some(problem), ..self.view.clone() };
        Answer::Again(pages::page(self.visit.frame(), &view))
    }

    /// What the function for messages makes of the sample.
    async fn tried(&self) -> PageResult {
        #[derive(serde::Serialize)]
        struct Body<'b> {
            function: &'b str,
            payload: &'b RawValue,
        }
        let payload = match serde_json::from_str(self.form.text(SAMPLE)) {
            Ok(payload) => payload,
            Err(error) => {
                let text = format!("JSON is expected: {error}");
                return Ok(self.again(Problem { field: SAMPLE.into(), text }));
            }
        };
        let function = self.form.text("body_function");
        let body = serde_json::to_string(&Body { function, payload }).unwrap_or_default();
        let done = self.visit.run(test_source_function, self.visit.on(&[]).with_text(body)).await?;
        let message = match done.problem(&[]) {
            Some(problem) => Err(problem.text),
            None => Ok(done.data.get("payload").map(Value::to_string).unwrap_or_default()),
        };
        let log = done.data.get("log").and_then(Value::as_array).into_iter().flatten();
        let log = log.filter_map(Value::as_str).map(str::to_string).collect();
        let view = SourceForm { tried: Some(TriedFunction { message, log }), ..self.view.clone() };
        Ok(page(pages::page(self.visit.frame(), &view)))
    }

    fn tested(&self, done: &Done) -> Answer {
        if let Some(problem) = done.problem(&[]) {
            return self.again(Problem::within(&problem.text, &self.view.kind.all_fields()));
        }
        let view = SourceForm { test: Some(test_of(done)), ..self.view.clone() };
        page(pages::page(self.visit.frame(), &view))
    }
}

/// What the API said of a test.
pub fn test_of(done: &Done) -> ConnectionTest {
    if let Some(problem) = done.problem(&[]) {
        let failed_step = Some(SETTINGS.to_string());
        return ConnectionTest { failed_step, reason: problem.text, ..ConnectionTest::default() };
    }
    let notes = done.data.get("notes").and_then(Value::as_array).into_iter().flatten();
    ConnectionTest {
        failed_step: Some(done.text("/failed_step")).filter(|step| !step.is_empty()),
        reason: done.text("/reason"),
        notes: notes.filter_map(Value::as_str).map(str::to_string).collect(),
        duration_ms: done.data.get("duration_ms").and_then(Value::as_u64).unwrap_or_default(),
    }
}

/// Whether a source of one kind may become one of the other: its URL stays, so a broker is none.
fn is_change(own: &SourceKind, other: &SourceKind) -> bool {
    own == other || (!own.is_broker() && !other.is_broker())
}

/// The kind of a source; `None` where no form is about it.
///
/// # Errors
/// 503 when a stored secret cannot be read.
pub fn kind_of(row: &Source) -> Result<Option<&'static SourceKind>, PageError> {
    let word = match row.kind {
        words::SourceKind::PubSub => kind_word(row.pub_sub().map_err(ApiError::from)?),
        words::SourceKind::Http if !row.provider.is_empty() => row.provider.clone(),
        words::SourceKind::Http => kind_word(row.verifier().map_err(ApiError::from)?),
        _ => return Ok(None),
    };
    let word = if word.is_empty() && row.kind == words::SourceKind::Http { "noop" } else { &word };
    let is_broker = row.kind == words::SourceKind::PubSub;
    Ok(SourceKind::find(word).filter(|kind| kind.is_broker() == is_broker))
}

fn kind_word(document: Option<Value>) -> String {
    let word = document.as_ref().and_then(|document| document.get("type")).and_then(Value::as_str);
    word.unwrap_or_default().to_string()
}

/// What every source of a kind is made with.
fn begin(kind: &SourceKind) -> Value {
    match kind.intake {
        Intake::Provider => json!({"type": "http", "provider": kind.word, "verifier": {"type": "hmac"}}),
        Intake::Verifier => json!({"type": "http", "provider": "", "verifier": {"type": kind.word}}),
        Intake::Broker => json!({"type": "pub_sub", "pub_sub": {"type": kind.word}}),
    }
}

/// A source as the API is asked for it, with the secrets that are stored where it stays of its kind.
///
/// # Errors
/// 503 when a stored secret cannot be read.
pub fn document(row: &Source, kind: &SourceKind) -> Result<Value, PageError> {
    let mut document = begin(kind);
    let is_same = kind_of(row)?.is_some_and(|own| own == kind);
    let secrets = if !is_same {
        None
    } else if kind.is_broker() {
        row.pub_sub().map_err(ApiError::from)?.map(|stored| ("pub_sub", stored))
    } else {
        row.verifier().map_err(ApiError::from)?.map(|stored| ("verifier", stored))
    };
    let own = json!({
        "name": row.name,
        "rate_limit": row.rate_limit,
        "rate_limit_duration": row.rate_limit_duration_seconds,
        "stale_after_seconds": row.stale_after_seconds.unwrap_or_default(),
    });
    let more = if kind.is_broker() {
        json!({"body_function": row.body_function, "header_function": row.header_function})
    } else {
        json!({
            "event_type_location": row.event_type_location,
            "idempotency_keys": row.idempotency_keys.0,
            "custom_response": row.custom_response,
            "forward_headers": row.forward_headers.0,
        })
    };
    if let Some(fields) = document.as_object_mut() {
        let parts = [own, more].into_iter().filter_map(|part| part.as_object().cloned()).flatten();
        fields.extend(parts.filter(|(_, value)| !value.is_null()));
        fields.extend(secrets.map(|(name, stored)| (name.to_string(), stored)));
    }
    Ok(document)
}

/// Tests the connection of a source as it is.
#[handler]
#[boxed]
pub async fn test(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Sources, Need::Manage).await?;
    let row = sources::find(req, &visit).await?;
    let done = visit.run(test_source, visit.on(&[("source_id", row.id.to_string())])).await?;
    sources::shown(&visit, (req, row), Some(test_of(&done))).await
}

/// Stops it.
#[handler]
#[boxed]
pub async fn pause(req: &mut Request, depot: &mut Depot) -> PageResult {
    switch(req, depot, (true, "The source takes nothing in until it is resumed.")).await
}

/// Lets it go on.
#[handler]
#[boxed]
pub async fn resume(req: &mut Request, depot: &mut Depot) -> PageResult {
    switch(req, depot, (false, "The source takes events in again.")).await
}

async fn switch(req: &Request, depot: &Depot, (is_disabled, good): (bool, &str)) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Sources, Need::Manage).await?;
    let row = sources::find(req, &visit).await?;
    let body = json!({"name": row.name, "type": row.kind.to_string(), "is_disabled": is_disabled});
    let done = visit.run(update_source, visit.on(&[("source_id", row.id.to_string())]).with_body(body)).await?;
    let own = visit.path(&format!("/sources/{}", row.id));
    Ok(said(own, &done, good))
}
