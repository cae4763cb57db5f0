//! Where the time of an attempt went, as bars that follow each other.

use maud::{Markup, html};

use crate::moment::milliseconds;

/// The times of an attempt, in milliseconds; `None` for what did not happen or was not measured.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Timings {
    /// Waited beyond its time, before the request.
    pub queue: Option<f64>,
    /// Until the name was resolved.
    pub dns: Option<f64>,
    /// Until it was connected.
    pub connect: Option<f64>,
    /// Until the TLS handshake was done.
    pub tls: Option<f64>,
    /// From the beginning to the head of the answer, with all of the above but the wait.
    pub first_byte: Option<f64>,
    /// From the beginning to the end of the answer.
    pub total: f64,
}

impl Timings {
    /// The phases that took time, in their order, with the class that colours each.
    fn phases(&self) -> Vec<(&'static str, &'static str, f64)> {
        let before: f64 = [self.dns, self.connect, self.tls].into_iter().flatten().sum();
        let wait = self.first_byte.map(|first_byte| (first_byte - before).max(0.0));
        let rest = (self.total - self.first_byte.unwrap_or(before)).max(0.0);
        let named = [
            ("In the queue", "w-queue", self.queue),
            ("Name", "w-dns", self.dns),
            ("Connection", "w-connect", self.connect),
            ("TLS", "w-tls", self.tls),
            ("Waiting for the answer", "w-wait", wait),
            (if self.first_byte.is_some() { "Reading" } else { "Until it ended" }, "w-read", Some(rest)),
        ];
        named
            .into_iter()
            .filter_map(|(name, class, time)| Some((name, class, time?)))
            .filter(|phase| phase.2 > 0.0)
            .collect()
    }

    /// The bars.
    #[must_use]
    pub fn show(&self) -> Markup {
        let phases = self.phases();
        let total: f64 = phases.iter().map(|phase| phase.2).sum::<f64>().max(0.001);
        let mut begin = 0.0;
        html! {
            table.waterfall {
                caption.visually-hidden { "Where the time went" }
                tbody {
                    @for (name, class, time) in &phases {
                        @let x = begin / total * 100.0;
                        @let width = { begin += time; (time / total * 100.0).max(0.5) };
                        tr {
                            th scope="row" { (name) }
                            td.bar {
                                svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
                                    rect class=(class) x=(format!("{:.2}", x.min(99.5))) y="1" width=(format!("{width:.2}")) height="8" rx="1" {}
                                }
                            }
                            td.amount { (milliseconds(*time)) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_add_up_to_the_whole() {
        let timings = Timings {
            queue: Some(2.0),
            dns: Some(1.0),
            connect: Some(3.0),
            tls: None,
            first_byte: Some(10.0),
            total: 12.0,
        };
        let phases = timings.phases();
        assert_eq!(phases.iter().map(|phase| phase.2).sum::<f64>(), 14.0);
        assert_eq!(
            phases.iter().map(|phase| phase.0).collect::<Vec<_>>(),
            ["In the queue", "Name", "Connection", "Waiting for the answer", "Reading"]
        );
        let failed = Timings { total: 5.0, connect: Some(4.0), ..Timings::default() };
        assert_eq!(failed.phases().last().map(|phase| (phase.0, phase.2)), Some(("Until it ended", 1.0)));
        assert!(Timings::default().phases().is_empty());
    }
}
