//! What every page must hold: whatever people and machines write is text, never markup.

use std::collections::BTreeMap;

use chrono::Utc;

use crate::{
    Markup,
    chart::Bar,
    deliveries::{self, DeliveryLine, DeliveryList, DeliveryQuery},
    delivery::{self, AttemptView, DeliveryView},
    endpoint::{self, EndpointView, SecretView},
    endpoint_form::{self, EndpointForm},
    endpoints::{self, EndpointLine, EndpointList},
    event::{self, EventView},
    events::{self, EventLine, EventList, EventQuery},
    first_run::FirstRun,
    form::Problem,
    frame::{Flash, Frame, Person, Place, ProjectFrame, Theme},
    notice,
    overview::{self, Activity, FailingEndpoint, Overview},
    pager::Pager,
    projects::{self, NewProject, OrganisationSection, ProjectLine},
    sign_in::{self, SignIn},
    waterfall::Timings,
};

const EVIL: &str =
    "</title></pre></script><script>alert(1)</script><img src=x onerror=alert(2)>\"' onmouseover=alert(3) x='";

fn evil() -> String {
    EVIL.into()
}

fn frame() -> Frame {
    Frame {
        now: Utc::now(),
        theme: Theme::Dark,
        csrf: evil(),
        person: Some(Person { name: evil(), email: evil() }),
        project: Some(ProjectFrame {
            id: evil(),
            name: evil(),
            organisation: evil(),
            is_manager: true,
            siblings: vec![(evil(), evil())],
        }),
        place: Place::Events,
        flash: Some(Flash { is_good: false, text: evil() }),
        here: evil(),
    }
}

fn headers() -> BTreeMap<String, Vec<String>> {
    BTreeMap::from([(evil(), vec![evil()])])
}

fn line() -> DeliveryLine {
    DeliveryLine {
        id: evil(),
        event_id: evil(),
        event_type: evil(),
        endpoint_id: evil(),
        endpoint: evil(),
        status: evil(),
        attempts: (1, 2),
        latency_ms: Some(1.0),
        next: Some(Utc::now()),
        at: Utc::now(),
    }
}

fn pager() -> Pager {
    Pager { path: "/x".into(), query: vec![(evil(), evil())], previous: Some(evil()), next: Some(evil()) }
}

fn problem() -> Option<Problem> {
    Some(Problem { field: String::new(), text: evil() })
}

fn lists(frame: &Frame) -> Vec<Markup> {
    let event_line = EventLine {
        id: evil(),
        event_type: evil(),
        status: evil(),
        is_duplicate: false,
        source: evil(),
        key: evil(),
        endpoints: 1,
        at: Utc::now(),
    };
    let query = EventQuery {
        text: evil(),
        body: evil(),
        endpoint_id: evil(),
        source_id: evil(),
        key: evil(),
        from: evil(),
        to: evil(),
    };
    let delivery_query = DeliveryQuery {
        statuses: vec![evil()],
        event_type: evil(),
        endpoint_id: evil(),
        event_id: evil(),
        key: evil(),
        from: evil(),
        to: evil(),
    };
    let endpoint_line = EndpointLine {
        id: evil(),
        name: evil(),
        url: evil(),
        owner: evil(),
        status: evil(),
        breaker: Some(evil()),
        totals: None,
        created_at: Utc::now(),
    };
    let organisation = OrganisationSection {
        id: evil(),
        name: evil(),
        role: evil(),
        is_admin: true,
        projects: vec![ProjectLine { id: evil(), name: evil(), kind: evil(), created_at: Utc::now() }],
    };
    vec![
        events::page(
            frame,
            &EventList { query, problem: problem(), rows: vec![event_line], pager: pager(), is_live: false },
        ),
        deliveries::page(
            frame,
            &DeliveryList {
                query: delivery_query,
                problem: problem(),
                rows: vec![line()],
                pager: pager(),
                endpoints: vec![(evil(), evil())],
            },
        ),
        deliveries::retry_all(frame, (3, &[(evil(), evil())]), problem().as_ref()),
        endpoints::page(
            frame,
            &EndpointList { name_part: evil(), owner: evil(), rows: vec![endpoint_line], pager: pager() },
        ),
        projects::list(frame, &[organisation]),
        projects::new(
            frame,
            &NewProject {
                organisation_id: evil(),
                organisation_name: evil(),
                name: evil(),
                kind: evil(),
                problem: problem(),
            },
        ),
        projects::made(frame, (EVIL, EVIL, EVIL)),
        sign_in::page(frame, &SignIn { email: evil(), next: evil(), problem: problem() }),
        notice::error(frame, 404, EVIL),
        endpoint_form::page(
            frame,
            &EndpointForm { id: Some(evil()), values: std::array::from_fn(|_| evil()), problem: problem() },
        ),
    ]
}

fn ones(frame: &Frame) -> Vec<Markup> {
    let attempt = AttemptView {
        id: evil(),
        number: 1,
        url: evil(),
        method: evil(),
        is_success: false,
        status_code: Some(500),
        error: Some(evil()),
        error_class: Some(evil()),
        request_headers: headers(),
        response_headers: headers(),
        response_body: Some(EVIL.into()),
        ip_address: Some(evil()),
        at: Utc::now(),
        timings: Timings { total: 3.0, ..Timings::default() },
        redirects: vec![(302, evil())],
    };
    let payload = serde_json::json!({ EVIL: EVIL }).to_string().into_bytes();
    let bar = Bar { label: evil(), parts: vec![1, 1, 1, 1] };
    vec![
        event::page(
            frame,
            &EventView {
                id: evil(),
                event_type: evil(),
                status: evil(),
                is_duplicate: false,
                failure: Some(evil()),
                target: evil(),
                source: Some((evil(), evil())),
                key: evil(),
                headers: headers(),
                payload: payload.clone(),
                request: evil(),
                at: Utc::now(),
                deliveries: vec![line()],
                has_more: true,
            },
        ),
        delivery::page(
            frame,
            &DeliveryView {
                id: evil(),
                event_id: evil(),
                event_type: evil(),
                endpoint: (evil(), evil()),
                url: evil(),
                subscription_id: evil(),
                status: evil(),
                description: evil(),
                attempts_made: (1, 2),
                next: Some(Utc::now()),
                latency_ms: Some(1.0),
                at: Utc::now(),
                payload,
                is_transformed: true,
                attempts: vec![attempt],
            },
        ),
        endpoint::page(
            frame,
            &EndpointView {
                id: evil(),
                name: evil(),
                url: evil(),
                description: evil(),
                owner: evil(),
                status: evil(),
                breaker: Some(evil()),
                rate: (1, 1),
                timeout_seconds: 10,
                content_type: evil(),
                authentication: Some(evil()),
                totals: Some((1, 2, 3)),
                secrets: vec![SecretView { value: Some(evil()), created_at: Utc::now(), expires_at: None }],
                deliveries: vec![line()],
                created_at: Utc::now(),
                updated_at: Utc::now(),
            },
        ),
        overview::page(
            frame,
            &Overview {
                period: evil(),
                periods: vec![(evil(), evil())],
                activity: Some(Activity {
                    events: vec![bar.clone()],
                    deliveries: vec![bar],
                    latency: Some([1.0, 2.0, 3.0]),
                    failing: vec![FailingEndpoint { id: evil(), name: evil(), status: evil(), failures: 3 }],
                }),
                first_run: Some(FirstRun { api: evil(), endpoint_id: Some(evil()), ..FirstRun::default() }),
            },
        ),
    ]
}

/// Every attribute is in double quotes, which maud escapes within values, and every `<` that is text is escaped.
#[test]
fn what_others_wrote_is_text_on_every_page() {
    let frame = frame();
    for page in lists(&frame).into_iter().chain(ones(&frame)) {
        let html = page.into_string();
        assert!(html.contains("&lt;script&gt;alert(1)"), "the page does not show it: {html}");
        for markup in ["<script>alert", "<img", "\"' onmouseover", "</title></pre>"] {
            assert!(!html.contains(markup), "{markup}: {html}");
        }
    }
}

/// The policy forbids inline styles, scripts and handlers, so none may be written.
#[test]
fn pages_need_nothing_inline() {
    let frame = frame();
    for page in lists(&frame).into_iter().chain(ones(&frame)) {
        let html = page.into_string();
        assert_eq!(html.matches("<script").count(), 1, "{html}");
        for inline in [" style=\"", "<style", " onclick=\"", " onchange=\"", "javascript:"] {
            assert!(!html.contains(inline), "{inline}");
        }
    }
}
