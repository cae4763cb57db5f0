//! The first page of a project: what came in, what became of it, and which endpoints fail.

use maud::{Markup, html};

use crate::{
    badge,
    chart::{Bar, Bars},
    first_run::{self, FirstRun},
    frame::Frame,
    link::Link,
    moment::{count, milliseconds},
    notice,
};

/// An endpoint that fails.
#[derive(Debug, Clone)]
pub struct FailingEndpoint {
    /// The endpoint.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `active`, `paused` or `inactive`.
    pub status: String,
    /// Deliveries that failed.
    pub failures: i64,
}

/// What happened in a period.
#[derive(Debug, Clone, Default)]
pub struct Activity {
    /// Events, from the oldest bar to the newest: accepted ones.
    pub events: Vec<Bar>,
    /// Deliveries by outcome: succeeded, still open, discarded, failed.
    pub deliveries: Vec<Bar>,
    /// Milliseconds from acceptance to success within which a half, 95 and 99 in a hundred arrived.
    pub latency: Option<[f64; 3]>,
    /// Endpoints with most failures, the worst first.
    pub failing: Vec<FailingEndpoint>,
}

/// The whole page.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// The period that is shown, by its word.
    pub period: String,
    /// Every period, by word and label.
    pub periods: Vec<(String, String)>,
    /// `None`: the question took too long.
    pub activity: Option<Activity>,
    /// Steps that are left in a new project.
    pub first_run: Option<FirstRun>,
}

const EVENTS: [(&str, &str); 1] = [("Events", "c-events")];
const OUTCOMES: [(&str, &str); 4] =
    [("Succeeded", "c-success"), ("Open", "c-open"), ("Discarded", "c-discarded"), ("Failed", "c-failure")];

/// The page.
#[must_use]
pub fn page(frame: &Frame, view: &Overview) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Overview", &html! {}) };
    frame.document("Overview", &html! {
        div.head {
            h1 { "Overview" }
            nav.tabs aria-label="Period" {
                @for (word, label) in &view.periods {
                    a href=(Link::to(project.path("")).with("period", word).build()) aria-current=[(*word == view.period).then_some("true")] { (label) }
                }
            }
        }
        @if let Some(first_run) = &view.first_run { (first_run::steps(project, first_run)) }
        div #activity data-live="10000" {
            @match &view.activity {
                Some(activity) => (show(frame, view, activity)),
                None => (notice::warning(&html! { "Summing this period up took too long. Choose a shorter one." })),
            }
        }
    })
}

fn show(frame: &Frame, view: &Overview, activity: &Activity) -> Markup {
    let sum = |at: usize| activity.deliveries.iter().filter_map(|bar| bar.parts.get(at)).sum::<i64>();
    let events: i64 = activity.events.iter().flat_map(|bar| &bar.parts).sum();
    let (succeeded, failed) = (sum(0), sum(3));
    let Some(project) = &frame.project else { return html! {} };
    let deliveries = |status: &str| Link::to(project.path("/deliveries")).with("status", status).build();
    html! {
        div.figures {
            (figure("Events", &count(events), ""))
            (figure("Delivered", &count(succeeded), ""))
            (figure("Failed", &count(failed), if failed > 0 { "bad" } else { "" }))
            (figure("Success rate", &rate(succeeded, failed), ""))
            @let [p50, p95, p99] = activity.latency.map_or(["–".to_string(), "–".to_string(), "–".to_string()], |all| all.map(milliseconds));
            (figure("Latency p50", &p50, ""))
            (figure("p95", &p95, ""))
            (figure("p99", &p99, ""))
        }
        div.columns {
            section.card {
                h2 { "Events" }
                (Bars { title: "Events", series: &EVENTS, bars: &activity.events }.show())
            }
            section.card {
                h2 { "Deliveries by outcome" }
                (Bars { title: "Deliveries by outcome", series: &OUTCOMES, bars: &activity.deliveries }.show())
            }
        }
        section.card {
            div.head {
                h2 { "Failing endpoints" }
                a.button href=(deliveries("Failure")) { "Failed deliveries" }
            }
            @if activity.failing.is_empty() {
                p.muted { "No delivery failed in this period." }
            } @else {
                @let worst = activity.failing.iter().map(|endpoint| endpoint.failures).max().unwrap_or(1).max(1);
                table.list {
                    thead { tr { th scope="col" { "Endpoint" } th scope="col" { "State" } th scope="col" { "Failed" } th.grow scope="col" { span.visually-hidden { "Share" } } } }
                    tbody {
                        @for endpoint in &activity.failing {
                            tr {
                                td data-label="Endpoint" { a.strong href=(project.path(&format!("/endpoints/{}", endpoint.id))) { (endpoint.name) } }
                                td data-label="State" { (badge::endpoint(&endpoint.status)) }
                                td.number data-label="Failed" { (count(endpoint.failures)) }
                                td.grow.bar {
                                    svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
                                        rect.c-failure width=(endpoint.failures * 100 / worst) height="8" rx="1" {}
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        p.muted.small { "For " (view.periods.iter().find(|(word, _)| *word == view.period).map(|(_, label)| label.to_lowercase()).unwrap_or_default()) ". Latency: from acceptance to the attempt that succeeded, of the newest 10,000 deliveries." }
    }
}

fn figure(label: &str, value: &str, class: &str) -> Markup {
    html! { div.figure { span.figure-label { (label) } span class={ "figure-value " (class) } { (value) } } }
}

/// In a hundred of those that came to an end.
fn rate(succeeded: i64, failed: i64) -> String {
    let all = succeeded + failed;
    if all == 0 {
        return "–".into();
    }
    // Rounded down: it is 100 % only when nothing failed.
    let tenths = succeeded * 1_000 / all;
    format!("{}.{} %", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_is_seen_in_the_rate() {
        for (succeeded, failed, expected) in [(0, 0, "–"), (10, 0, "100.0 %"), (99_999, 1, "99.9 %"), (0, 3, "0.0 %")]
        {
            assert_eq!(rate(succeeded, failed), expected);
        }
    }
}
