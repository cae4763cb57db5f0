//! Sends one e-mail by SMTP.

use serde::{Deserialize, Serialize};

use crate::Job;

/// Queue `send_email`. The text is ready to send; addresses are parsed by the worker, where CR and LF cannot pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendEmail {
    /// Address of the one recipient.
    pub to: String,
    /// Subject, one line.
    pub subject: String,
    /// Plain text.
    pub body: String,
    /// Makes the mail unique while its job lives, such as `endpoint-disabled:<endpoint>`; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

impl Job for SendEmail {
    const QUEUE: &'static str = "send_email";

    fn job_id(&self) -> Option<String> {
        (!self.reason.is_empty()).then(|| self.reason.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_is_stable() {
        let stored = r#"{"to":"ops@example.com","subject":"Endpoint disabled","body":"It failed.","reason":"endpoint-disabled:1"}"#;
        let job: SendEmail = serde_json::from_str(stored).unwrap();
        assert_eq!(serde_json::to_string(&job).unwrap(), stored);
    }
}
