//! Trying functions on the wire, contract sections 2.7 and 2.10.

use posthouse_transform::Transformed;
use salvo::oapi::ToSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A function to try, and what to try it on.
#[derive(Debug, Deserialize, ToSchema)]
pub struct FunctionTestBody {
    /// What `transform` is given.
    #[salvo(schema(value_type = serde_json::Value))]
    pub payload: Option<Box<RawValue>>,
    /// JavaScript that defines `transform(payload)`.
    pub function: Option<String>,
    /// For sources: `body`, which is the default, or `header`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

/// What a function made.
#[derive(Debug, Serialize, ToSchema)]
pub struct FunctionTestWire {
    /// What `transform` returned.
    #[salvo(schema(value_type = serde_json::Value))]
    pub payload: Box<RawValue>,
    /// What it wrote to the console, line by line.
    pub log: Vec<String>,
}

impl FunctionTestWire {
    /// The result of a run.
    ///
    /// # Errors
    /// It is not the JSON that a run promises.
    pub fn new(transformed: Transformed) -> Result<Self, serde_json::Error> {
        Ok(Self { payload: RawValue::from_string(transformed.payload)?, log: transformed.log })
    }
}
