//! Sends one message to a chat by its incoming webhook.

use posthouse_schema::ids::{EndpointId, ProjectId};
use serde::{Deserialize, Serialize};

use crate::Job;

/// A service with incoming webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatService {
    /// Slack, and what takes the same.
    Slack,
    /// Microsoft Teams.
    Teams,
}

/// Queue `send_chat_message`. The webhook's URL, which whoever knows it can write to, is read when the job runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendChatMessage {
    /// The project.
    pub project_id: ProjectId,
    /// The endpoint whose chat it is; `None` for the project's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<EndpointId>,
    /// Which of its chats.
    pub service: ChatService,
    /// One line.
    pub title: String,
    /// Plain text.
    pub text: String,
    /// Makes the message unique while its job lives.
    pub reason: String,
}

impl Job for SendChatMessage {
    const QUEUE: &'static str = "send_chat_message";

    fn job_id(&self) -> Option<String> {
        Some(self.reason.clone())
    }

    fn lane(&self) -> Option<String> {
        Some(self.project_id.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_is_stable() {
        let stored =
            r#"{"project_id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","service":"slack","title":"a","text":"b","reason":"c"}"#;
        let job: SendChatMessage = serde_json::from_str(stored).unwrap();
        assert_eq!(serde_json::to_string(&job).unwrap(), stored);
        assert_eq!(job.job_id().unwrap(), "c");
    }
}
