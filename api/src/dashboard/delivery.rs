//! One delivery with its attempts.

use posthouse_boxed::boxed;
use posthouse_pages::{
    deliveries::is_open,
    delivery::{self as pages, AttemptView, DeliveryView},
    frame::Place,
    waterfall::Timings,
};
use posthouse_schema::{
    delivery_attempt::{self, AttemptTimings, DeliveryAttempt},
    endpoint::Endpoint,
    event::Event,
    event_delivery::EventDelivery,
    ids::EventDeliveryId,
};
use salvo::prelude::*;

use super::{
    answer::{PageError, PageResult, Redirection},
    deliveries::resend_one,
    delivery_lines::milliseconds,
    visit::{ProjectVisit, id, page},
};
use crate::auth::Need;

/// Attempts that are shown, the newest.
const ATTEMPTS_MAX: i64 = 50;

/// The routes below the deliveries.
pub fn router() -> Router {
    Router::with_path("{delivery_id}").get(show).push(Router::with_path("resend").post(resend))
}

/// Shows it.
#[handler]
#[boxed]
pub async fn show(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Deliveries, Need::View).await?;
    let delivery_id: EventDeliveryId = id(req, "delivery_id")?;
    let mut conn = visit.conn().await?;
    let row = EventDelivery::find(&mut conn, visit.id(), delivery_id).await?.ok_or_else(PageError::not_found)?;
    let event = Event::find(&mut conn, visit.id(), row.event_id).await?;
    let endpoint = Endpoint::find_many(&mut conn, visit.id(), &[row.endpoint_id]).await?.pop();
    let attempts = delivery_attempt::list(&mut conn, visit.id(), row.id, ATTEMPTS_MAX).await?;
    drop(conn);
    Ok(page(pages::page(visit.frame(), &view(row, event, endpoint, attempts))))
}

fn view(
    row: EventDelivery,
    event: Option<Event>,
    endpoint: Option<Endpoint>,
    attempts: Vec<DeliveryAttempt>,
) -> DeliveryView {
    let status = row.status.to_string();
    // Those before the newest are not shown, but they count.
    let before = usize::try_from(row.attempt_count).unwrap_or(0).saturating_sub(attempts.len());
    let url = row.target_url.or_else(|| endpoint.as_ref().map(|endpoint| endpoint.url.clone()));
    let endpoint_id = row.endpoint_id.to_string();
    DeliveryView {
        id: row.id.to_string(),
        event_id: row.event_id.to_string(),
        event_type: row.event_type,
        endpoint: (endpoint_id.clone(), endpoint.map_or(endpoint_id, |endpoint| endpoint.name)),
        url: url.unwrap_or_default(),
        subscription_id: row.subscription_id.to_string(),
        next: is_open(&status).then_some(row.next_send_time),
        status,
        description: row.description,
        attempts_made: (row.attempt_count, row.retry_limit),
        latency_ms: milliseconds(row.latency_seconds),
        at: row.acknowledged_at,
        is_transformed: row.payload.is_some(),
        payload: row.payload.or_else(|| event.map(|event| event.payload)).unwrap_or_default(),
        attempts: attempts.into_iter().enumerate().map(|(at, row)| attempt(before + at + 1, row)).collect(),
    }
}

fn attempt(number: usize, row: DeliveryAttempt) -> AttemptView {
    AttemptView {
        id: row.id.to_string(),
        number,
        url: row.url,
        method: row.method,
        is_success: row.is_success,
        status_code: row.status_code,
        error: row.error,
        error_class: row.error_class,
        request_headers: row.request_headers.0,
        response_headers: row.response_headers.0,
        response_body: row.response_body,
        ip_address: row.ip_address,
        at: row.requested_at,
        timings: timings(row.timings, row.duration_ms),
        redirects: row
            .redirects
            .unwrap_or_default()
            .0
            .into_iter()
            .map(|redirect| (redirect.status, redirect.url))
            .collect(),
    }
}

fn timings(measured: AttemptTimings, duration_ms: i32) -> Timings {
    let of_us = |us: Option<i32>| us.map(|us| f64::from(us) / 1_000.0);
    let first_byte = of_us(measured.first_byte_us);
    Timings {
        queue: measured.queue_ms.map(f64::from),
        dns: of_us(measured.dns_us),
        connect: of_us(measured.connect_us),
        tls: of_us(measured.tls_us),
        first_byte,
        // The whole is known in milliseconds: a part of it is never more.
        total: f64::from(duration_ms).max(first_byte.unwrap_or(0.0)),
    }
}

/// Sends it again.
#[handler]
#[boxed]
pub async fn resend(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Deliveries, Need::Manage).await?;
    let delivery_id: EventDeliveryId = id(req, "delivery_id")?;
    let row = EventDelivery::find(&mut *visit.conn().await?, visit.id(), delivery_id).await?;
    let row = row.ok_or_else(PageError::not_found)?;
    let back = Redirection::to(visit.path(&format!("/deliveries/{delivery_id}")));
    Ok(match resend_one(&visit, &row).await? {
        None => back.saying(true, "It will be sent again at once.").into(),
        Some(why) => back.saying(false, format!("It was not sent again: {why}.")).into(),
    })
}
