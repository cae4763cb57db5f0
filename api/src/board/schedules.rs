//! The schedules as a page of the job board: what runs when, and what came of it. Read only, as the rest of the board.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use posthouse_boxed::boxed;
use posthouse_schema::schedule::{ScheduleRun, ScheduleView};
use salvo::prelude::*;

use crate::{app::app, error::ApiError};

const HEAD: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Schedules</title>\
    <style>body{font:14px system-ui;margin:2em}table{border-collapse:collapse}td,th{padding:.3em .8em;text-align:left;\
    border-bottom:1px solid #ccc;vertical-align:top}code{white-space:pre-wrap;overflow-wrap:anywhere}</style>\
    <h1>Schedules</h1><p><a href=\"/\">Queues</a></p>";
const TITLES: [&str; 8] = ["name", "cron (UTC)", "state", "last run", "took", "worker", "result", "next run"];
/// Characters of a result or an error that are shown.
const RESULT_CHARS_MAX: usize = 600;

/// The page.
pub fn router() -> Router {
    Router::with_path("schedules").get(show_schedules)
}

#[handler]
#[boxed]
async fn show_schedules(depot: &mut Depot, res: &mut Response) -> Result<(), ApiError> {
    let mut conn = app(depot)?.conn().await?;
    let mut rows = Vec::new();
    for view in ScheduleView::list(&mut conn).await? {
        let last = ScheduleRun::last_begun(&mut conn, &view.name).await?;
        rows.push(cells(&view, last.as_ref()));
    }
    res.render(Text::Html(page(&rows)));
    Ok(())
}

fn cells(view: &ScheduleView, last: Option<&ScheduleRun>) -> [String; TITLES.len()] {
    let time = |at: Option<DateTime<Utc>>| at.map(|at| at.format("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default();
    let state = match (&view.paused_by, last) {
        (Some(by), _) if view.paused_at.is_some() => format!("paused by {by}"),
        (_, Some(run)) => run.status().to_string(),
        (_, None) => "never ran".into(),
    };
    let took = last.and_then(|run| run.finished_at.zip(run.started_at)).map(|(end, begin)| end - begin);
    let result = last.and_then(|run| run.error.clone().or_else(|| run.result.as_ref().map(ToString::to_string)));
    [
        view.name.clone(),
        view.cron.clone(),
        state,
        time(last.and_then(|run| run.started_at)),
        took.map(|took| format!("{} ms", took.num_milliseconds())).unwrap_or_default(),
        last.and_then(|run| run.worker.clone()).unwrap_or_default(),
        result.unwrap_or_default().chars().take(RESULT_CHARS_MAX).collect(),
        if view.paused_at.is_some() { String::new() } else { time(view.next_tick_at) },
    ]
}

fn page(rows: &[[String; TITLES.len()]]) -> String {
    let mut html = format!("{HEAD}<table><tr>");
    for title in TITLES {
        write!(html, "<th>{title}</th>").ok();
    }
    html.push_str("</tr>");
    for row in rows {
        html.push_str("<tr>");
        for cell in row {
            write!(html, "<td><code>{}</code></td>", escaped(cell)).ok();
        }
        html.push_str("</tr>");
    }
    html.push_str("</table></html>");
    html
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_has_written_is_text_and_no_markup() {
        let mut row = TITLES.map(String::from);
        row[6] = "<script>alert(\"1\")</script> & more".into();
        let html = page(&[row]);
        assert!(html.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; more"), "{html}");
        assert!(!html.contains("<script>"));
    }
}
