//! Which methods each path of the API has, so that a wrong method is told from a wrong path.

use salvo::{
    http::{
        StatusCode,
        header::{ALLOW, CONTENT_TYPE, HeaderValue},
    },
    oapi::OpenApi,
    prelude::*,
};

/// The API's paths with their methods, read from its description.
pub struct KnownPaths(Vec<(Vec<String>, HeaderValue)>);

impl KnownPaths {
    /// The paths of a description.
    #[must_use]
    pub fn of(description: &OpenApi) -> Self {
        let paths = description.paths.iter().filter_map(|(path, item)| {
            let methods: Vec<_> = item.operations.keys().map(|method| format!("{method:?}").to_uppercase()).collect();
            let allow = HeaderValue::from_str(&methods.join(", ")).ok()?;
            Some((segments(path).map(String::from).collect(), allow))
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
