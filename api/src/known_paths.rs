//! Which methods each path of the API has, so that a wrong method is told from a wrong path, and `OPTIONS` has an answer.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use salvo::{
    http::{
        Method, StatusCode,
        header::{ALLOW, CONTENT_TYPE, HeaderValue},
    },
    prelude::*,
};
use serde::{Deserialize, de::IgnoredAny};

/// What is read of a description: its paths, with what stands below each method left out.
#[derive(Deserialize)]
struct Described {
    paths: BTreeMap<String, BTreeMap<String, IgnoredAny>>,
}

/// The API's paths with their methods, read from its description. Cheap to clone.
#[derive(Clone)]
pub struct KnownPaths(Arc<[(Vec<String>, HeaderValue)]>);

impl KnownPaths {
    /// The paths of these descriptions, each where `placed` says that it is, if it is among those that are meant.
    ///
    /// # Panics
    /// A committed description is no OpenAPI document, which the tests rule out.
    #[must_use]
    pub fn of(documents: &[&str], placed: impl Fn(&str) -> Option<String>) -> Self {
        let parse = |document: &&str| serde_json::from_str::<Described>(document).expect("a description is OpenAPI");
        let paths = documents.iter().map(parse).flat_map(|document| document.paths).filter_map(|(path, methods)| {
            let mut methods: BTreeSet<_> = methods.into_keys().map(|method| method.to_uppercase()).collect();
            methods.insert("OPTIONS".into());
            if methods.contains("GET") {
                methods.insert("HEAD".into());
            }
            let allow = HeaderValue::from_str(&methods.into_iter().collect::<Vec<_>>().join(", ")).ok()?;
            Some((segments(&placed(&path)?).map(String::from).collect(), allow))
        });
        Self(paths.collect())
    }

    /// The methods of a path as `Allow` names them; `None` where there is no such path.
    fn methods(&self, path: &str) -> Option<&HeaderValue> {
        let matches = |known: &[String]| {
            known.len() == segments(path).count()
                && known.iter().zip(segments(path)).all(|(known, given)| known.starts_with('{') || known == given)
        };
        self.0.iter().find(|(known, _)| matches(known)).map(|(_, allow)| allow)
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// Answers what no route took: 405 without a body where the path has other methods, else 404.
#[handler]
impl KnownPaths {
    async fn handle(&self, req: &mut Request, res: &mut Response) {
        let Some(allow) = self.methods(req.uri().path()) else {
            res.status_code(StatusCode::NOT_FOUND);
            return res.render(Text::Plain("404 page not found\n"));
        };
        res.status_code(StatusCode::METHOD_NOT_ALLOWED);
        res.headers_mut().insert(ALLOW, allow.clone());
        res.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
}

/// Answers `OPTIONS` for the paths there are, whoever asks: which methods a path has is in the API's description.
pub struct Options(pub KnownPaths);

#[handler]
impl Options {
    async fn handle(&self, req: &mut Request, res: &mut Response, ctrl: &mut FlowCtrl) {
        if *req.method() == Method::OPTIONS
            && let Some(allow) = self.0.methods(req.uri().path())
        {
            res.status_code(StatusCode::NO_CONTENT);
            res.headers_mut().insert(ALLOW, allow.clone());
            ctrl.skip_rest();
        }
    }
}
