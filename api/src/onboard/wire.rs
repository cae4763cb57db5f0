//! Onboarding on the wire, contract section 2.14.

use salvo::oapi::ToSchema;
use serde::{Deserialize, Serialize};

/// Endpoints to make, each with a subscription.
#[derive(Debug, Deserialize, ToSchema)]
pub struct OnboardBody {
    /// Between 1 and 1000 of them.
    pub items: Option<Vec<OnboardItem>>,
}

/// An endpoint to make with a subscription.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct OnboardItem {
    /// What the endpoint is called.
    pub name: Option<String>,
    /// Where webhooks go; an endpoint with exactly this URL is used again.
    pub url: Option<String>,
    /// The event type that it subscribes to; `*` where it is missing.
    pub event_type: Option<String>,
    /// User name of its requests; with a password, or not at all.
    pub auth_username: Option<String>,
    /// Password of its requests.
    pub auth_password: Option<String>,
}

/// What became of a request.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum OnboardWire {
    /// It was accepted.
    Accepted(OnboardAccepted),
    /// It was only looked at, or refused.
    Checked(OnboardChecked),
}

/// A request that was accepted; its batches are worked on one by one.
#[derive(Debug, Serialize, ToSchema)]
pub struct OnboardAccepted {
    /// Batches of up to 50 rows.
    pub batch_count: usize,
    /// Rows.
    pub total_items: usize,
    /// For people.
    pub message: String,
}

/// What was found when rows were looked at.
#[derive(Debug, Serialize, ToSchema)]
pub struct OnboardChecked {
    /// Rows.
    pub total_rows: usize,
    /// Rows without a fault.
    pub valid_count: usize,
    /// What is wrong with the others.
    pub errors: Vec<RowError>,
}

/// What is wrong with a row.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RowError {
    /// Its number, from 1.
    pub row: usize,
    /// Its field.
    pub field: &'static str,
    /// What is wrong, for people.
    pub message: String,
}
