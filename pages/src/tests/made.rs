//! Pages on which things are made and looked after, with markup in every text.

use chrono::Utc;

use super::{evil, pager, problem};
use crate::{
    Markup,
    audit_log::{self, AuditLine, AuditLog, AuditQuery, Change},
    authentication::{self, AuthenticationForm, WAYS},
    batches::{self, BatchView, Report},
    connection_test::ConnectionTest,
    event_types::{self, EventTypeLine, EventTypeList, EventTypeView},
    events::{self, ReplayAll},
    field::Field,
    filters::{self, FilterForm, FilterLine},
    frame::Frame,
    job_board,
    job_queues::{self, DeadLetterLine, DeadLetterList, QueueLine},
    portal_links::{self, PortalLinkLine, PortalLinkList, PortalLinkView},
    portal_look::{self, PortalLook},
    schedules::{self, RunLine, ScheduleLine, ScheduleView},
    source_form::{self, SourceForm, TriedFunction},
    source_kind::KINDS,
    values::Values,
};

pub fn values(fields: &[Field]) -> Values {
    Values::typed(fields, |_| super::EVIL, &Values::default())
}

pub fn filter_line() -> FilterLine {
    FilterLine { id: evil(), event_type: evil(), is_enabled: true, asks: evil() }
}

fn test() -> Option<ConnectionTest> {
    Some(ConnectionTest { failed_step: Some(evil()), reason: evil(), notes: vec![evil()], duration_ms: 1 })
}

/// All of them.
pub fn pages(frame: &Frame) -> Vec<Markup> {
    let mut pages = vec![source_form::choose(frame)];
    pages.extend(sources(frame));
    pages.extend(event_types(frame));
    pages.extend(portal_links(frame));
    pages.extend(of_the_instance(frame));
    pages.push(audit(frame));
    pages.push(filters::page(
        frame,
        &FilterForm {
            subscription: (evil(), evil()),
            id: Some(evil()),
            values: values(&filters::FIELDS),
            problem: problem(),
        },
    ));
    let look = PortalLook {
        values: values(&portal_look::FIELDS),
        problem: problem(),
        is_tried: true,
        instance_ancestors: vec![evil()],
    };
    pages.push(portal_look::page(frame, &look));
    let query = vec![(evil(), evil())];
    pages.push(events::replay_all(frame, &ReplayAll { number: 3, query, problem: problem() }));
    let report = Report { endpoints: vec![(evil(), evil(), 1)], others: 1, ..Report::default() };
    pages.push(batches::one(frame, &BatchView { line: super::batch_line(), report: Some(report) }));
    pages.extend(WAYS.iter().map(|way| authentication::page(frame, &authentication_form(way))));
    pages
}

fn sources(frame: &Frame) -> Vec<Markup> {
    let form = |kind| SourceForm {
        id: Some(evil()),
        kind,
        values: values(&kind.all_fields()),
        problem: problem(),
        test: test(),
        sample: evil(),
        tried: Some(TriedFunction { message: Err(evil()), log: vec![evil()] }),
    };
    KINDS.iter().map(|kind| source_form::page(frame, &form(kind))).collect()
}

fn authentication_form(way: &'static authentication::Way) -> AuthenticationForm {
    AuthenticationForm {
        endpoint_id: evil(),
        endpoint: evil(),
        way,
        values: values(way.fields),
        problem: problem(),
        tried: Some(Err(evil())),
    }
}

fn event_types(frame: &Frame) -> Vec<Markup> {
    let line = EventTypeLine {
        id: evil(),
        name: evil(),
        category: evil(),
        description: evil(),
        has_schema: true,
        deprecated_at: None,
    };
    let view = EventTypeView {
        id: Some(evil()),
        values: values(&event_types::FIELDS),
        problem: problem(),
        deprecated_at: Some(Utc::now()),
        schema: Some(evil()),
    };
    vec![
        event_types::list(frame, &EventTypeList { part: evil(), rows: vec![line], has_more: true }),
        event_types::one(frame, &view),
        event_types::one(frame, &EventTypeView { id: None, ..view }),
        event_types::import(frame, (super::EVIL, problem().as_ref())),
    ]
}

fn portal_links(frame: &Frame) -> Vec<Markup> {
    let line = PortalLinkLine {
        id: evil(),
        name: evil(),
        owner: evil(),
        endpoints: 1,
        can_manage: true,
        auth_type: evil(),
        created_at: Utc::now(),
    };
    let view = PortalLinkView {
        line: Some(line.clone()),
        values: values(&portal_links::FIELDS),
        endpoints: vec![(evil(), evil())],
        chosen: vec![evil()],
        problem: problem(),
        url: Some(evil()),
    };
    vec![
        portal_links::list(
            frame,
            &PortalLinkList { name_part: evil(), owner: evil(), rows: vec![line], pager: pager() },
        ),
        portal_links::one(frame, &view),
        portal_links::one(frame, &PortalLinkView { line: None, ..view }),
    ]
}

fn of_the_instance(frame: &Frame) -> Vec<Markup> {
    let run = RunLine {
        tick_at: Utc::now(),
        status: evil(),
        requested_by: evil(),
        worker: evil(),
        tries: 2,
        duration_ms: Some(1.0),
        result: evil(),
    };
    let line = ScheduleLine {
        name: evil(),
        cron: evil(),
        next: None,
        paused: Some((Utc::now(), evil())),
        last: Some(run.clone()),
    };
    let view = ScheduleView {
        line: line.clone(),
        settings: evil(),
        catch_up_max: 1,
        jitter_seconds: 1,
        scheduler: evil(),
        runs: vec![run],
    };
    let queue = QueueLine { name: evil(), is_paused: true, dead: 9, ..QueueLine::default() };
    let letter = DeadLetterLine { id: evil(), reason: evil(), tries: 1, enqueued_at: Utc::now(), died_at: Utc::now() };
    let letters = DeadLetterList { queue: queue.clone(), offset: 1, limit: 1, rows: vec![letter.clone()] };
    let board = Some(super::EVIL);
    vec![
        schedules::list(frame, &[line], board),
        schedules::one(frame, &view, board),
        job_queues::list(frame, &[queue], board),
        job_queues::dead_letters(frame, &letters, board),
        job_queues::dead_letter(frame, (super::EVIL, &letter, super::EVIL.as_bytes()), board),
        job_board::way_on(frame, super::EVIL),
    ]
}

fn audit(frame: &Frame) -> Markup {
    let row = AuditLine {
        at: Utc::now(),
        actor: evil(),
        actor_kind: evil(),
        actor_id: String::new(),
        action: evil(),
        resource_kind: evil(),
        resource_id: evil(),
        is_confirmed: false,
        changes: vec![Change { field: evil(), values: Some((evil(), evil())) }, Change { field: evil(), values: None }],
        source_address: evil(),
        user_agent: evil(),
        request_id: evil(),
    };
    let query = AuditQuery { actor_id: evil(), action: evil(), resource_id: evil(), from: evil(), to: evil() };
    let view = AuditLog {
        path: evil(),
        organisation: Some((evil(), evil())),
        query,
        problem: problem(),
        actions: vec![evil()],
        rows: vec![row],
        pager: pager(),
    };
    audit_log::page(frame, &view)
}

/// What a reader without rights sees: no form but those of the frame.
#[test]
fn who_may_only_read_sees_no_buttons() {
    let mut frame = super::frame();
    frame.flash = None;
    if let Some(project) = &mut frame.project {
        project.is_manager = false;
    }
    let of_the_frame = frame.document("x", &maud::html! {}).into_string().matches("method=\"post\"").count();
    let mut shown = event_types(&frame);
    shown.extend(portal_links(&frame));
    // The second of each is one that is there; forms for new ones are refused before.
    for page in [&shown[0], &shown[1], &shown[4], &shown[5]] {
        let html = page.clone().into_string();
        assert_eq!(html.matches("method=\"post\"").count(), of_the_frame, "{html}");
    }
}

/// Every control has a label of its own, and what describes it is there.
#[test]
fn every_field_has_a_label_and_its_hints() {
    let frame = super::frame();
    for page in sources(&frame) {
        let html = page.into_string();
        for part in html.split("aria-describedby=\"").skip(1) {
            for id in part.split('"').next().unwrap().split(' ') {
                assert!(html.contains(&format!("id=\"{id}\"")), "nothing has the id {id}");
            }
        }
        for part in html.split(" id=\"").skip(1) {
            let (id, rest) = part.split_once('"').unwrap();
            if rest.starts_with(&format!(" name=\"{id}\"")) {
                assert!(html.contains(&format!("for=\"{id}\"")), "{id} has no label");
            }
        }
    }
}
