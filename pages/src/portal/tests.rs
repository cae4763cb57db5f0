//! What every page of the portal must hold: whatever others wrote is text, in every language, and nothing is inline.

use std::collections::BTreeMap;

use chrono::Utc;

use super::{
    catalogue::{self, EventTypeView},
    deliveries::{self, DeliveryLine, DeliveryList, DeliveryQuery},
    delivery::{self, AttemptView, DeliveryView},
    endpoint::{self, EndpointView, SubscriptionLine},
    endpoint_form::{self, EndpointForm},
    endpoints::{self, EndpointLine, EndpointList},
    events::{self, EventLine, EventList, EventQuery, EventView},
    frame::{PortalFrame, PortalPlace},
    notice,
    retry::{self, RetryView},
    strings::Language,
    subscription::{self, Choice, SubscriptionForm},
};
use crate::{
    Markup,
    endpoint::SecretView,
    form::Problem,
    frame::{Flash, Theme},
    pager::Pager,
};

const EVIL: &str =
    "</title></pre></script><script>alert(1)</script><img src=x onerror=alert(2)>\"' onmouseover=alert(3) x='";

fn evil() -> String {
    EVIL.into()
}

fn frame(language: Language) -> PortalFrame {
    PortalFrame {
        now: Utc::now(),
        language,
        name: evil(),
        logo: Some(evil()),
        sheet: Some(evil()),
        scheme: Theme::Dark,
        base: "/portal/01".into(),
        page_token: "token&of=\"page".into(),
        csrf: evil(),
        can_manage: true,
        can_make: true,
        place: PortalPlace::Deliveries,
        flash: Some(Flash { is_good: false, text: evil() }),
        here: ("/deliveries".into(), vec![(evil(), evil())]),
    }
}

fn line() -> DeliveryLine {
    DeliveryLine {
        id: evil(),
        event_type: evil(),
        endpoint_id: evil(),
        endpoint: evil(),
        status: evil(),
        attempts: (1, 2),
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

fn headers() -> BTreeMap<String, String> {
    BTreeMap::from([(evil(), evil())])
}

fn lists(frame: &PortalFrame) -> Vec<Markup> {
    let endpoint = EndpointLine { id: evil(), name: evil(), url: evil(), status: evil(), created_at: Utc::now() };
    let event_query = EventQuery { text: evil(), endpoint_id: evil(), from: evil(), to: evil() };
    let delivery_query =
        DeliveryQuery { statuses: vec![evil()], event_type: evil(), endpoint_id: evil(), from: evil(), to: evil() };
    let event_type = EventTypeView {
        name: evil(),
        category: evil(),
        description: evil(),
        schema: Some(serde_json::json!({ EVIL: EVIL }).to_string()),
        is_deprecated: true,
    };
    vec![
        endpoints::page(frame, &EndpointList { name_part: evil(), rows: vec![endpoint], pager: pager() }),
        events::list(
            frame,
            &EventList {
                query: event_query,
                problem: problem(),
                rows: vec![EventLine { id: evil(), event_type: evil(), at: Utc::now() }],
                pager: pager(),
                endpoints: vec![(evil(), evil())],
            },
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
        catalogue::page(frame, &[event_type]),
        retry::page(
            frame,
            &RetryView {
                number: 3,
                query: vec![("status".into(), evil()), ("endpointId".into(), evil()), (evil(), evil())],
                endpoints: vec![(evil(), evil())],
                problem: problem(),
            },
        ),
        notice::error(frame, 400, EVIL),
    ]
}

#[expect(clippy::too_many_lines, reason = "a value for each field of each page")]
fn ones(frame: &PortalFrame) -> Vec<Markup> {
    let attempt = AttemptView {
        number: 1,
        method: evil(),
        url: evil(),
        is_success: false,
        status: Some(evil()),
        error: Some(evil()),
        request_headers: headers(),
        response_headers: headers(),
        response_body: Some(evil()),
        at: Utc::now(),
        duration_ms: 3.0,
    };
    let subscription =
        |id: &str| SubscriptionLine { id: id.into(), name: evil(), event_types: vec![evil()], is_narrow: true };
    let choice = Choice { name: evil(), description: evil(), is_chosen: true, is_deprecated: true };
    vec![
        endpoint::page(
            frame,
            &EndpointView {
                id: evil(),
                name: evil(),
                url: evil(),
                description: evil(),
                status: evil(),
                timeout_seconds: 10,
                rate: (1, 1),
                secrets: vec![SecretView { value: Some(evil()), created_at: Utc::now(), expires_at: Some(Utc::now()) }],
                public_keys: vec![evil()],
                subscriptions: vec![subscription(EVIL), subscription("s2")],
                can_subscribe: true,
                deliveries: vec![line()],
                event_types: vec![evil(), evil()],
                created_at: Utc::now(),
            },
        ),
        endpoint_form::page(
            frame,
            &EndpointForm { id: Some(evil()), values: std::array::from_fn(|_| evil()), problem: problem() },
        ),
        subscription::page(
            frame,
            &SubscriptionForm {
                endpoint: (evil(), evil()),
                id: Some(evil()),
                is_all: false,
                choices: vec![choice],
                problem: problem(),
            },
        ),
        events::one(
            frame,
            &EventView {
                id: evil(),
                event_type: evil(),
                headers: headers(),
                payload: serde_json::json!({ EVIL: EVIL }).to_string(),
                at: Utc::now(),
                deliveries: vec![line()],
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
                status: evil(),
                description: evil(),
                attempts_made: (1, 2),
                next: Some(Utc::now()),
                at: Utc::now(),
                payload: evil(),
                attempts: vec![attempt],
            },
        ),
    ]
}

fn all(language: Language) -> impl Iterator<Item = String> {
    let frame = frame(language);
    lists(&frame).into_iter().chain(ones(&frame)).map(Markup::into_string)
}

#[test]
fn what_others_wrote_is_text_on_every_page() {
    for html in Language::all().flat_map(all) {
        assert!(html.contains("&lt;script&gt;alert(1)"), "the page does not show it: {html}");
        for markup in ["<script>alert", "<img src=x", "\"' onmouseover", "</title></pre>"] {
            assert!(!html.contains(markup), "{markup}: {html}");
        }
        assert_eq!(html.matches("<script").count(), 1, "{html}");
        for inline in
            [" style=\"", "<style", " onclick=\"", " onchange=\"", "href=\"javascript:", "action=\"javascript:"]
        {
            assert!(!html.contains(inline), "{inline}: {html}");
        }
    }
}

/// The address of a form or a link, with what follows its quote.
fn addresses<'h>(html: &'h str, attribute: &str) -> Vec<&'h str> {
    html.split(&format!(" {attribute}=\"")).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

#[test]
fn a_page_token_is_on_every_way_to_another_page() {
    let token = "s=token%26of%3D%22page";
    for html in all(Language::default()) {
        for href in addresses(&html, "href").into_iter().filter(|href| href.starts_with("/portal/")) {
            assert!(href.contains(token), "{href}");
        }
        for form in html.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap();
            let carries = if form.contains("method=\"get\"") {
                form.contains("name=\"s\" value=\"token&amp;of=&quot;page\"")
            } else {
                addresses(form, "action").iter().all(|action| action.contains(token)) && form.contains("name=\"csrf\"")
            };
            assert!(carries, "{form}");
        }
    }
    let plain = PortalFrame { page_token: String::new(), ..frame(Language::default()) };
    for html in lists(&plain).into_iter().chain(ones(&plain)).map(Markup::into_string) {
        assert!(!html.contains("s=token") && !html.contains("name=\"s\""), "{html}");
    }
}

#[test]
fn who_may_not_change_endpoints_sees_no_way_to() {
    let frame = PortalFrame { can_manage: false, can_make: false, ..frame(Language::default()) };
    let html: String = lists(&frame).into_iter().chain(ones(&frame)).map(Markup::into_string).collect();
    for rest in ["/endpoints/new", "/roll-secret", "/secrets", "/pause", "/delete?"] {
        let found = addresses(&html, "action")
            .into_iter()
            .chain(addresses(&html, "href"))
            .find(|to| to.contains(rest) && !to.contains("/events/"));
        assert_eq!(found, None, "{rest}");
    }
}
