//! All proxies of a process. Connections take turns over those that work; where none is known to, all are tried.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use hyper::header::{HeaderName, HeaderValue};
use posthouse_service::metrics::Metrics;

use super::{
    ClientSettings, PROJECT,
    error::{ClientError, ExitError},
    exit::{Exit, Told, Tunnel},
    health::watch,
    metrics::ExitMetrics,
    tls::TlsIdentity,
};

pub(super) const PROJECT_HEADER: HeaderName = HeaderName::from_static(PROJECT);

/// The proxies. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Exits {
    all: Arc<[Arc<Exit>]>,
    next: Arc<AtomicUsize>,
    metrics: ExitMetrics,
    names_projects: bool,
}

impl Exits {
    /// The proxies of these settings; `None` where there are none. Where there are several they are asked for their health on
    /// the current runtime, for as long as somebody has them.
    ///
    /// # Errors
    /// A URL or a file is unusable.
    pub fn new(settings: &ClientSettings) -> Result<Option<Self>, ClientError> {
        if settings.egress_url.is_empty() {
            return Ok(None);
        }
        let identity = TlsIdentity {
            authorities: settings.egress_ca_file.clone(),
            certificate: settings.egress_client_cert.clone().zip(settings.egress_client_key.clone()),
        };
        let exits = Self::over(settings, &identity)?;
        for exit in exits.all.iter() {
            tokio::spawn(watch(Arc::downgrade(exit), settings.egress_check_interval));
        }
        Ok(Some(exits))
    }

    fn over(settings: &ClientSettings, identity: &TlsIdentity) -> Result<Self, ClientError> {
        let urls = &settings.egress_url;
        let tls = if urls.iter().any(|url| url.scheme() == "https") { Some(identity.config()?) } else { None };
        let metrics = ExitMetrics::default();
        let all = urls.iter().map(|url| Exit::new(url, tls.as_ref(), urls.len() == 1, &metrics).map(Arc::new));
        Ok(Self {
            all: all.collect::<Result<_, _>>()?,
            next: Arc::default(),
            metrics,
            names_projects: settings.egress_projects,
        })
    }

    /// One proxy that nobody watches, for a few questions.
    ///
    /// # Errors
    /// The URL or a file is unusable.
    pub fn one(url: &url::Url, identity: &TlsIdentity) -> Result<Arc<Exit>, ClientError> {
        let exits = Self::over(&ClientSettings::at(vec![url.clone()]), identity)?;
        exits.all.first().map(Arc::clone).ok_or_else(|| ClientError::url(url))
    }

    /// Registers what is counted of each.
    pub fn register(&self, metrics: &Metrics) {
        self.metrics.register(metrics);
    }

    /// All of them, in the order of the settings.
    #[must_use]
    pub fn all(&self) -> &[Arc<Exit>] {
        &self.all
    }

    /// What says for which project a connection is, where proxies are told.
    #[must_use]
    pub fn project(&self, id: impl std::fmt::Display) -> Option<(HeaderName, HeaderValue)> {
        let value = self.names_projects.then(|| HeaderValue::try_from(id.to_string()).ok());
        value.flatten().map(|value| (PROJECT_HEADER, value))
    }

    /// Whether proxies are told for which project a connection is.
    #[must_use]
    pub const fn names_projects(&self) -> bool {
        self.names_projects
    }

    /// All of them, in the order in which the next connection tries them: those that work first.
    #[must_use]
    pub fn in_turn(&self) -> Vec<usize> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let count = self.all.len();
        let turns = (0..count).map(|at| (turn % count + at) % count);
        let is_up = |at: &usize| self.all.get(*at).is_some_and(|exit| exit.is_up());
        let (up, away): (Vec<_>, Vec<_>) = turns.partition(is_up);
        [up, away].concat()
    }

    /// A tunnel through the first that gives one.
    ///
    /// # Errors
    /// What the last one said; a refusal of the first one that is its answer for all.
    pub async fn tunnel(&self, authority: &str, told: impl Into<Told<'_>>) -> Result<Tunnel, ExitError> {
        let told = told.into();
        let mut last = ExitError::Away("there is none".into());
        for exit in self.in_turn().into_iter().filter_map(|at| self.all.get(at)) {
            match exit.tunnel(authority, told).await {
                Err(error) if error.is_proxys_own() => last = error,
                answered => {
                    exit.recover();
                    return answered;
                }
            }
        }
        Err(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exits(urls: &[&str]) -> Exits {
        let settings = ClientSettings::at(urls.iter().map(|url| url.parse().unwrap()).collect());
        Exits::over(&settings, &TlsIdentity::default()).unwrap()
    }

    #[test]
    fn those_that_work_take_turns_and_the_others_come_last() {
        let exits = exits(&["http://a:1", "http://b:1", "http://c:1"]);
        assert_eq!([exits.in_turn(), exits.in_turn()], [vec![0, 1, 2], vec![1, 2, 0]]);
        exits.all[2].fail(&ExitError::NoTunnel);
        assert_eq!([exits.in_turn(), exits.in_turn()], [vec![0, 1, 2], vec![0, 1, 2]]);
        for exit in exits.all() {
            exit.fail(&ExitError::NoTunnel);
        }
        assert_eq!(exits.in_turn().len(), 3, "all are tried where none works");
        exits.all[1].recover();
        assert_eq!(exits.in_turn()[0], 1);
    }

    #[test]
    fn each_is_counted_by_its_name() {
        let exits = exits(&["http://a:1", "http://user:secret@b"]);
        let metrics = Metrics::new("worker");
        exits.register(&metrics);
        exits.all[1].fail(&ExitError::NoTunnel);
        let text = metrics.encode();
        for line in [
            "posthouse_egress_instance_up{proxy=\"a:1\"} 1",
            "posthouse_egress_instance_up{proxy=\"b:80\"} 0",
            "posthouse_egress_instance_failures_total{proxy=\"b:80\"} 1",
        ] {
            assert!(text.contains(line), "{text}");
        }
        assert!(!text.contains("secret") && !format!("{exits:?}").contains("secret"));
    }

    #[test]
    fn a_project_is_told_only_where_it_is_to_be() {
        assert_eq!(exits(&["http://a:1"]).project("p1"), None);
        let settings =
            ClientSettings { egress_projects: true, ..ClientSettings::at(vec!["http://a".parse().unwrap()]) };
        let exits = Exits::over(&settings, &TlsIdentity::default()).unwrap();
        assert_eq!(exits.project("p1").unwrap().1, "p1");
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_its_token() {
        for url in ["ftp://user:secret@a", "socks5://user:secret@a:1"] {
            let fault = Exits::one(&url.parse().unwrap(), &TlsIdentity::default()).unwrap_err().to_string();
            assert!(!fault.contains("secret") && fault.contains("must be http://"), "{fault}");
        }
        let nowhere = TlsIdentity { authorities: Some("/nonexistent/ca.pem".into()), certificate: None };
        assert!(Exits::one(&"https://a:1".parse().unwrap(), &nowhere).is_err());
        assert!(Exits::one(&"http://a:1".parse().unwrap(), &nowhere).is_ok(), "no file is read for it");
    }
}
