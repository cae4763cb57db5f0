//! Messages to the incoming webhooks of Slack and Teams. They leave as deliveries do, by the same rules for addresses: the URLs are
//! those that users named.

use std::time::Duration;

use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT as AGENT};
use posthouse_jobs::{ChatService, SendChatMessage};
use posthouse_schema::ids::EndpointId;
use serde_json::{Value, json};
use url::Url;

use super::contacts;
use crate::{
    context::Context,
    delivery::{
        redirect::Redirects,
        request::{DeliveryRequest, USER_AGENT},
        send::Sent,
    },
    error::WorkerError,
};

const TIMEOUT: Duration = Duration::from_secs(10);

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It was taken.
    Yes,
    /// It never will be: the webhook is gone, refuses it, or may not be called.
    Never,
    /// The gate of the webhook is full for so long.
    Later(Duration),
}

/// Sends the message to the chat that its project or endpoint names by now.
///
/// # Errors
/// The database fails, or the chat does for now: the job runs again.
pub async fn send(context: &Context, job: &SendChatMessage) -> Result<Told, WorkerError> {
    let mut conn = context.pool.get().await?;
    let contacts = contacts(&mut conn, job.project_id, job.endpoint_id).await?.unwrap_or_default();
    drop(conn);
    let Some(request) = request(contacts.webhook(job.service), job) else { return Ok(Told::Never) };
    let (sender, gates) = &context.sending;
    let gate = job.endpoint_id.unwrap_or_else(|| EndpointId::from_bits(job.project_id.to_bits()));
    let mut pass = match gates.enter(job.project_id, gate).await {
        Ok(pass) => pass,
        Err(away) => return Ok(Told::Later(away)),
    };
    pass.begin();
    let sent = sender.send(&request).await;
    let failed = match sent {
        Sent::Answered(answer) => match answer.status {
            200..300 => return Ok(Told::Yes),
            408 | 429 | 500.. => format!("it answered {}", answer.status),
            status => return Ok(never(job, &format!("it answered {status}"))),
        },
        Sent::Refused { code } => return Ok(never(job, &format!("refused by egress: {code}"))),
        Sent::Failed { message, .. } => message,
        Sent::EgressUnavailable(reason) => reason,
    };
    Err(WorkerError::Chat(failed))
}

fn never(job: &SendChatMessage, reason: &str) -> Told {
    tracing::warn!(project.id = %job.project_id, chat = ?job.service, reason, "A chat does not take messages.");
    Told::Never
}

/// The request, or `None` where there is no URL to which one can go.
fn request(webhook: &str, job: &SendChatMessage) -> Option<DeliveryRequest> {
    let url = Url::parse(webhook).ok()?;
    let payload = match job.service {
        ChatService::Slack => slack(&job.title, &job.text),
        ChatService::Teams => teams(&job.title, &job.text),
    };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(AGENT, HeaderValue::from_static(USER_AGENT));
    let body = serde_json::to_vec(&payload).ok()?.into();
    Some(DeliveryRequest {
        url,
        headers,
        body,
        timeout: TIMEOUT,
        identity: None,
        redirects: Redirects::Kept,
        project: job.project_id,
    })
}

/// Blocks of plain text, in which nothing is markup. The text beside them is for notifications, where these three characters are.
fn slack(title: &str, text: &str) -> Value {
    let escaped = title.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    json!({
        "text": escaped,
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": cut(title, 150), "emoji": false}},
            {"type": "section", "text": {"type": "plain_text", "text": cut(text, 3_000), "emoji": false}},
        ],
    })
}

/// An adaptive card, as Teams' workflows take it. Its blocks know some of Markdown, so what would be that is escaped.
fn teams(title: &str, text: &str) -> Value {
    let block = |text: &str| json!({"type": "TextBlock", "text": text, "wrap": true});
    let mut heading = block(&escaped(title));
    if let Some(heading) = heading.as_object_mut() {
        heading.insert("weight".into(), "Bolder".into());
        heading.insert("size".into(), "Medium".into());
    }
    // A block for each line: within one, Markdown would join them.
    let lines = text.lines().filter(|line| !line.is_empty()).map(|line| block(&escaped(line)));
    let body: Vec<Value> = std::iter::once(heading).chain(lines).collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": body,
            },
        }],
    })
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '[' | ']' | '(' | ')' | '*' | '_' | '`' | '~' | '#' | '<' | '>' | '!') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

fn cut(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_of_others_is_text() {
        let name = "<!channel> [pay](https://evil.example) *now*";
        let slack = slack(name, name);
        assert_eq!(slack["text"], "&lt;!channel&gt; [pay](https://evil.example) *now*");
        assert_eq!(slack["blocks"][1]["text"]["type"], "plain_text");
        let teams = teams(name, "one\n\ntwo");
        let body = &teams["attachments"][0]["content"]["body"];
        assert_eq!(body[0]["text"], r"\<\!channel\> \[pay\]\(https://evil.example\) \*now\*");
        assert_eq!((body[1]["text"].as_str(), body[2]["text"].as_str()), (Some("one"), Some("two")));
    }
}
