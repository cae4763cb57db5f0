//! What is around the job board, whose own pages come from elsewhere: the way to it, the way back, and why somebody is not let
//! in. Nothing of it needs a style sheet or a script, which the board does not have.

use maud::{DOCTYPE, Markup, html};

use crate::frame::Frame;

/// The way from the dashboard to the board, where a browser does not go by itself.
#[must_use]
pub fn way_on(frame: &Frame, to: &str) -> Markup {
    frame.document(
        "Job board",
        &html! {
            div.error-page {
                h1 { "Job board" }
                p.lead { "You are on your way." }
                p { a.button href=(to) rel="noreferrer" { "Open the job board" } }
            }
        },
    )
}

/// A page of the board that says why there is no other, and where to go.
#[must_use]
pub fn refused(text: &str, (to, label): (&str, &str)) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Not allowed · Job board" }
            }
            body style="font:16px system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem" {
                main {
                    h1 { "Not allowed" }
                    p { (text) }
                    p { a href=(to) { (label) } }
                }
            }
        }
    }
}

/// The dashboard's navigation, for a page of the board.
#[must_use]
pub fn navigation(dashboard: &str) -> Markup {
    let links = [
        (format!("{dashboard}/projects"), "Projects"),
        (format!("{dashboard}/admin/schedules"), "Schedules"),
        (format!("{dashboard}/admin/queues"), "Queues"),
    ];
    html! {
        nav aria-label="Dashboard" style="position:fixed;right:0;bottom:0;z-index:50;display:flex;gap:1rem;padding:.5rem 1rem;font:14px system-ui,sans-serif;background:#111827;border-top-left-radius:.5rem" {
            @for (to, label) in links { a href=(to) style="color:#fff;text-decoration:underline" { (label) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_on_the_board_is_text() {
        let evil = "\"><script>alert(1)</script>";
        for page in [refused(evil, (evil, evil)), navigation(evil)] {
            let html = page.into_string();
            assert!(html.contains("&lt;script&gt;") && !html.contains("<script"), "{html}");
        }
    }
}
