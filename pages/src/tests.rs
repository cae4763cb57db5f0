//! What every page must hold: whatever people and machines write is text, never markup.

mod made;

use std::collections::BTreeMap;

use chrono::Utc;

use crate::{
    Markup,
    account::{self, Account, Form, KeyLine},
    batches::{self, BatchLine, BatchList},
    chart::Bar,
    deliveries::{self, DeliveryLine, DeliveryList, DeliveryQuery},
    delivery::{self, AttemptView, DeliveryView},
    door::{self, Invitation, SignUp},
    endpoint::{self, EndpointView, SecretView},
    endpoint_form::{self, EndpointForm},
    endpoints::{self, EndpointLine, EndpointList},
    event::{self, EventView},
    events::{self, EventLine, EventList, EventQuery},
    first_run::FirstRun,
    form::Problem,
    frame::{Flash, Frame, Person, Place, ProjectFrame, Theme},
    meta_events::{self, MetaAttemptView, MetaEventLine, MetaEventList, MetaEventView},
    notice,
    organisation::{self, InviteLine, MemberLine, OrganisationView},
    overview::{self, Activity, FailingEndpoint, Overview},
    pager::Pager,
    projects::{self, NewProject, OrganisationSection, ProjectLine},
    rejected::{self, RejectedLine, RejectedList, RejectedView},
    settings::{self, ProjectKeyLine, Settings},
    sign_in::{self, SignIn},
    source::{self, SourceView},
    sources::{self, SourceHealth, SourceLine, SourceList},
    subscription::{self, Outcome, SubscriptionForm, Trial, TriedEvent, TriedFunction},
    subscriptions::{self, SubscriptionLine, SubscriptionList},
    test_receiver::{self, ReceivedRequest, TestReceiver},
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
        runs_instance: true,
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

#[expect(clippy::too_many_lines, reason = "a value for each field of each page")]
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
        organisation::new(frame, (EVIL, problem().as_ref())),
        projects::made(frame, (EVIL, EVIL, EVIL)),
        sign_in::page(frame, &SignIn { email: evil(), next: evil(), is_sign_up_open: true, problem: problem() }),
        notice::error(frame, 404, EVIL),
        endpoint_form::page(
            frame,
            &EndpointForm { id: Some(evil()), values: made::values(&endpoint_form::fields(false)), problem: problem() },
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a value for each field of each page")]
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
                more: vec![("Redirects", evil())],
                totals: Some((1, 2, 3)),
                secrets: vec![SecretView { value: Some(evil()), created_at: Utc::now(), expires_at: None }],
                deliveries: vec![line()],
                created_at: Utc::now(),
                updated_at: Utc::now(),
            },
        ),
        test_receiver::page(
            frame,
            &TestReceiver {
                url: evil(),
                endpoint_id: Some(evil()),
                requests: vec![ReceivedRequest {
                    method: evil(),
                    headers: headers(),
                    body: EVIL.into(),
                    body_bytes: 1,
                    at: Utc::now(),
                }],
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

fn health() -> SourceHealth {
    SourceHealth {
        last_error: Some((evil(), Utc::now())),
        failing: Some((Utc::now(), evil())),
        ..SourceHealth::default()
    }
}

fn rejected_line() -> RejectedLine {
    RejectedLine {
        id: evil(),
        source: evil(),
        reason: evil(),
        detail: evil(),
        bytes: 1,
        is_waiting: false,
        at: Utc::now(),
    }
}

fn batch_line() -> BatchLine {
    BatchLine {
        id: evil(),
        kind: evil(),
        status: evil(),
        done: 1,
        reached_at: None,
        asked: vec![(evil(), evil())],
        created_at: Utc::now(),
        updated_at: Utc::now(),
    }
}

fn meta_line() -> MetaEventLine {
    MetaEventLine { id: evil(), event_type: evil(), status: evil(), attempts: 1, at: Utc::now() }
}

/// Pages of what a project is made of.
#[expect(clippy::too_many_lines, reason = "a value for each field of each page")]
fn parts(frame: &Frame) -> Vec<Markup> {
    let trial = Trial {
        events: vec![TriedEvent {
            id: evil(),
            event_type: evil(),
            at: Utc::now(),
            outcome: Outcome::Unreadable(evil()),
        }],
        function: Some(TriedFunction { event_id: evil(), payload: Err(evil()), log: vec![evil()] }),
    };
    let subscription_line = SubscriptionLine {
        id: evil(),
        name: evil(),
        endpoint: (evil(), evil()),
        source: evil(),
        event_types: vec![evil()],
        has_filter: true,
        has_function: true,
        created_at: Utc::now(),
    };
    let source_line = SourceLine {
        id: evil(),
        name: evil(),
        kind: evil(),
        provider: evil(),
        is_disabled: false,
        health: Some(health()),
        created_at: Utc::now(),
    };
    let source_view = SourceView {
        id: evil(),
        name: evil(),
        kind: evil(),
        provider: evil(),
        verifier: evil(),
        url: Some(evil()),
        is_disabled: false,
        health: Some(health()),
        settings: vec![(evil(), evil())],
        is_editable: true,
        test: None,
        created_at: Utc::now(),
    };
    let member =
        MemberLine { id: evil(), name: evil(), email: evil(), role: evil(), is_self: false, since: Utc::now() };
    vec![
        subscriptions::page(
            frame,
            &SubscriptionList { name_part: evil(), rows: vec![subscription_line], pager: pager() },
        ),
        subscription::page(
            frame,
            &SubscriptionForm {
                id: Some(evil()),
                values: std::array::from_fn(|_| evil()),
                problem: problem(),
                endpoints: vec![(evil(), evil())],
                sources: vec![(evil(), evil())],
                filters: vec![made::filter_line()],
                retries: made::values(&crate::retries::OF_SUBSCRIPTION),
                trial: Some(trial),
            },
        ),
        sources::page(frame, &SourceList { rows: vec![source_line], pager: pager() }),
        source::page(frame, &source_view),
        rejected::list(frame, &RejectedList { rows: vec![rejected_line()], pager: pager() }),
        rejected::one(
            frame,
            &RejectedView {
                line: rejected_line(),
                is_whole: true,
                redrives: 1,
                metadata: evil(),
                payload: EVIL.into(),
            },
        ),
        settings::page(
            frame,
            &Settings {
                values: made::values(&crate::settings_fields::all()),
                problem: problem(),
                kind: evil(),
                keys: vec![ProjectKeyLine {
                    id: evil(),
                    name: evil(),
                    role: evil(),
                    expires_at: None,
                    created_at: Utc::now(),
                }],
                key_problem: problem(),
            },
        ),
        settings::new_key(frame, (EVIL, true)),
        account::page(
            frame,
            &Account {
                first_name: evil(),
                last_name: evil(),
                email: evil(),
                is_verified: true,
                keys: vec![KeyLine { id: evil(), name: evil(), expires_at: None, created_at: Utc::now() }],
                new_key: Some(evil()),
                problem: problem().map(|problem| (Form::Key, problem)),
            },
        ),
        batches::page(frame, &BatchList { rows: vec![batch_line()], pager: pager() }),
        meta_events::list(frame, &MetaEventList { is_enabled: true, rows: vec![meta_line()], pager: pager() }),
        meta_events::one(
            frame,
            &MetaEventView {
                line: meta_line(),
                payload: EVIL.into(),
                attempt: Some(MetaAttemptView {
                    status_code: None,
                    error: Some(evil()),
                    request_headers: headers(),
                    response_headers: headers(),
                    response_body: evil(),
                }),
            },
        ),
        door::sign_up(frame, &SignUp { values: std::array::from_fn(|_| evil()), problem: problem() }),
        door::forgot(frame, (EVIL, false), problem().as_ref()),
        door::reset(frame, EVIL, problem().as_ref()),
        door::verify(frame, EVIL, problem().as_ref()),
        door::void(frame),
        door::invitation(
            frame,
            &Invitation {
                token: evil(),
                organisation: evil(),
                email: evil(),
                has_account: false,
                values: std::array::from_fn(|_| evil()),
                problem: problem(),
            },
        ),
        organisation::page(
            frame,
            &OrganisationView {
                id: evil(),
                name: evil(),
                is_admin: true,
                roles: vec![evil()],
                members: vec![member],
                pager: pager(),
                invites: vec![InviteLine { id: evil(), email: evil(), role: evil(), ends: Utc::now() }],
                email: evil(),
                problem: problem(),
                link: Some(evil()),
            },
        ),
    ]
}

/// Every attribute is in double quotes, which maud escapes within values, and every `<` that is text is escaped.
#[test]
fn what_others_wrote_is_text_on_every_page() {
    let frame = frame();
    for page in lists(&frame).into_iter().chain(ones(&frame)).chain(parts(&frame)).chain(made::pages(&frame)) {
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
    for page in lists(&frame).into_iter().chain(ones(&frame)).chain(parts(&frame)).chain(made::pages(&frame)) {
        let html = page.into_string();
        assert_eq!(html.matches("<script").count(), 1, "{html}");
        for inline in [" style=\"", "<style", " onclick=\"", " onchange=\"", "javascript:"] {
            assert!(!html.contains(inline), "{inline}");
        }
    }
}
