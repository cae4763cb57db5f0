//! What people are told of: by mail, and by the chats that a project or an endpoint names. One message for each change.

mod chat;
mod digest;
pub mod text;

use posthouse_jobs::{ChatService, Notify, SendChatMessage, SendEmail};
use posthouse_schema::{
    endpoint::Endpoint,
    ids::{EndpointId, ProjectId},
    pool::PooledConnection,
    project_config::{self, NotificationConfig},
    sealed::{MemberSecret, Unopened},
};

pub use self::{
    chat::{Told, send},
    digest::send_digests,
};
use crate::{context::Context, error::WorkerError};

/// Who hears of something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Contacts {
    email: String,
    slack_webhook_url: String,
    teams_webhook_url: String,
}

impl Contacts {
    fn webhook(&self, service: ChatService) -> &str {
        match service {
            ChatService::Slack => &self.slack_webhook_url,
            ChatService::Teams => &self.teams_webhook_url,
        }
    }
}

/// The contacts of the project, or of this endpoint of it; `None` where that is gone.
async fn contacts(
    conn: &mut PooledConnection,
    project: ProjectId,
    endpoint: Option<EndpointId>,
) -> Result<Option<Contacts>, WorkerError> {
    let Some(endpoint) = endpoint else {
        let config = project_config::load(conn, &[project]).await?.remove(&project);
        return Ok(config.map(|(config, _)| of_project(project, config.notifications)));
    };
    Ok(Endpoint::find(conn, project, endpoint).await?.map(|row| Contacts {
        slack_webhook_url: opened(row.slack_webhook_url(), project, Some(endpoint)),
        teams_webhook_url: opened(row.teams_webhook_url(), project, Some(endpoint)),
        email: row.support_email,
    }))
}

fn of_project(project: ProjectId, config: NotificationConfig) -> Contacts {
    let NotificationConfig { email, slack_webhook_url, teams_webhook_url } = config;
    let url = |url: &MemberSecret| opened(url.plain().map(str::to_string), project, None);
    Contacts { slack_webhook_url: url(&slack_webhook_url), teams_webhook_url: url(&teams_webhook_url), email }
}

/// Nobody is told by a URL that this process cannot open; the others are.
fn opened(url: Result<String, Unopened>, project: ProjectId, endpoint: Option<EndpointId>) -> String {
    url.unwrap_or_else(|error| {
        let endpoint = endpoint.map(tracing::field::display);
        tracing::warn!(project.id = %project, endpoint.id = endpoint, error = %error, "The URL of a chat cannot be opened.");
        String::new()
    })
}

/// Enqueues a message to each contact of the project and of the endpoint concerned; one that both name hears of it once.
///
/// # Errors
/// The database or the queue fails: the job runs again, and messages whose jobs live are not doubled.
pub async fn notify(context: &Context, job: &Notify) -> Result<(), WorkerError> {
    let mut conn = context.pool.get().await?;
    let mut named: Vec<(Option<EndpointId>, Contacts)> = Vec::new();
    if let Some(contacts) = contacts(&mut conn, job.project_id, None).await? {
        named.push((None, contacts));
    }
    if let Some(endpoint) = job.endpoint_id
        && let Some(contacts) = contacts(&mut conn, job.project_id, Some(endpoint)).await?
    {
        named.push((Some(endpoint), contacts));
    }
    drop(conn);
    let text = text::of(&job.notice);
    let (mails, messages) = messages(job, &text, &named);
    context.queues.push_all(&mails).await?;
    context.queues.push_all(&messages).await?;
    Ok(())
}

fn messages(
    job: &Notify,
    text: &text::Text,
    named: &[(Option<EndpointId>, Contacts)],
) -> (Vec<SendEmail>, Vec<SendChatMessage>) {
    let (mut mails, mut messages) = (Vec::<SendEmail>::new(), Vec::new());
    let mut webhooks: Vec<&str> = Vec::new();
    for (endpoint_id, contacts) in named {
        let to = &contacts.email;
        if !to.is_empty() && !mails.iter().any(|mail| mail.to.eq_ignore_ascii_case(to)) {
            let reason = format!("{}:{}", job.key(), to.to_ascii_lowercase());
            mails.push(SendEmail { to: to.clone(), subject: text.title.clone(), body: text.body(), reason });
        }
        for service in [ChatService::Slack, ChatService::Teams] {
            let webhook = contacts.webhook(service);
            if webhook.is_empty() || webhooks.contains(&webhook) {
                continue;
            }
            webhooks.push(webhook);
            let whose = if endpoint_id.is_some() { "endpoint" } else { "project" };
            messages.push(SendChatMessage {
                project_id: job.project_id,
                endpoint_id: *endpoint_id,
                service,
                title: text.title.clone(),
                text: text.body(),
                reason: format!("{}:{whose}:{service:?}", job.key()),
            });
        }
    }
    (mails, messages)
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use posthouse_jobs::Notice;

    use super::*;

    #[test]
    fn who_is_named_twice_hears_of_it_once() {
        let notice = Notice::EndpointDisabled {
            name: "a".into(),
            url: "https://example.com".into(),
            cause: "it is gone".into(),
        };
        let endpoint = EndpointId::generate();
        let job = Notify { project_id: ProjectId::generate(), endpoint_id: Some(endpoint), at: Utc::now(), notice };
        let contacts = |email: &str, slack: &str, teams: &str| Contacts {
            email: email.into(),
            slack_webhook_url: slack.into(),
            teams_webhook_url: teams.into(),
        };
        let named = [
            (None, contacts("ops@example.com", "https://slack.example/1", "")),
            (Some(endpoint), contacts("OPS@example.com", "https://slack.example/1", "https://teams.example/1")),
        ];
        let (mails, chats) = messages(&job, &text::of(&job.notice), &named);
        assert_eq!(mails.iter().map(|mail| mail.to.as_str()).collect::<Vec<_>>(), ["ops@example.com"]);
        let sent: Vec<_> = chats.iter().map(|message| (message.service, message.endpoint_id)).collect();
        assert_eq!(sent, [(ChatService::Slack, None), (ChatService::Teams, Some(endpoint))]);
        assert_ne!(chats[0].reason, chats[1].reason);
        assert_eq!(messages(&job, &text::of(&job.notice), &[(None, Contacts::default())]), (vec![], vec![]));
    }
}
