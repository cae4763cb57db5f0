//! How a request went: where it was led, over what connection, and when the answer began.

use std::time::{Duration, Instant};

use hyper::{Request, http::Extensions};
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use posthouse_schema::json::Redirect;

use super::connector::{Facts, Notes};

/// What is known of a request besides its answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Course {
    /// The connection of the last request. One that was open already has an address alone.
    pub connection: Facts,
    /// From the last request to the head of its answer; `None` where there was none.
    pub first_byte: Option<Duration>,
    /// The answers that led elsewhere, in their order.
    pub redirects: Vec<Redirect>,
    /// The status of an answer that led nowhere, where that is why the request failed.
    pub status: Option<u16>,
}

/// Watches a request on its way, so that something is known of it also where it is cut off.
#[derive(Debug, Default)]
pub(super) struct Watch {
    notes: Notes,
    captured: Option<CaptureConnection>,
    forwarded: Option<Facts>,
    first_byte: Option<Duration>,
    redirects: Vec<Redirect>,
    pub(super) status: Option<u16>,
}

impl Watch {
    /// Begins to watch the next request. Its connector finds the answer by [`Notes::scope`].
    pub(super) fn begin<B>(&mut self, request: &mut Request<B>) -> (Notes, Instant) {
        self.captured = Some(capture_connection(request));
        (self.notes.clone(), Instant::now())
    }

    /// Notes that the answer's head is there, and what egress tells of the connection by which it got it.
    pub(super) fn answered(&mut self, began: Instant, forwarded: Option<Facts>) {
        self.first_byte = Some(began.elapsed());
        self.forwarded = forwarded;
    }

    /// Notes that the answer led elsewhere. What is known of its connection says nothing of the next one.
    pub(super) fn led(&mut self, redirect: Redirect) {
        (self.notes, self.captured) = (Notes::default(), None);
        (self.forwarded, self.first_byte) = (None, None);
        self.redirects.push(redirect);
    }

    /// The answers that led elsewhere so far.
    pub(super) fn redirects(&self) -> &[Redirect] {
        &self.redirects
    }

    pub(super) fn end(self) -> Course {
        Course {
            connection: self.connection(),
            first_byte: self.first_byte,
            redirects: self.redirects,
            status: self.status,
        }
    }

    fn connection(&self) -> Facts {
        if let Some(forwarded) = self.forwarded {
            return forwarded;
        }
        match self.captured.as_ref().and_then(sheet_of) {
            // Another request made it.
            Some(used) if !used.is(&self.notes) => Facts { address: used.read().address, ..Facts::default() },
            _ => self.notes.read(),
        }
    }
}

/// The sheet of the connection that the request went over, once there is one.
fn sheet_of(captured: &CaptureConnection) -> Option<Notes> {
    let mut extras = Extensions::new();
    captured.connection_metadata().as_ref()?.get_extras(&mut extras);
    extras.remove()
}
