//! Answers are compressed for clients that ask for it, where that pays.

use std::io::Write as _;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use posthouse_boxed::boxed;
use salvo::{
    http::{
        ResBody,
        header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, VARY},
    },
    prelude::*,
};

/// Shorter answers fit into one packet anyhow.
const BYTES_MIN: usize = 1_024;
/// Longer answers would keep a thread of the runtime busy for too long, and are compressed beside it.
const BYTES_INLINE_MAX: usize = 64 * 1024;
const GZIP_LEVEL: u32 = 5;
const BROTLI_QUALITY: u32 = 4;
const BROTLI_WINDOW: u32 = 20;
const BROTLI_BUFFER: usize = 4_096;

/// How an answer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Brotli,
    Gzip,
}

/// Compresses the answer.
#[handler]
#[boxed]
pub async fn compress(req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
    ctrl.call_next(req, depot, res).await;
    if res.headers().contains_key(CONTENT_ENCODING) || !is_text(res.headers()) {
        return;
    }
    let ResBody::Once(body) = &res.body else { return };
    if body.len() < BYTES_MIN {
        return;
    }
    let body = body.clone();
    res.headers_mut().append(VARY, HeaderValue::from_static("Accept-Encoding"));
    let Some(coding) = wanted(req.headers()) else { return };
    let compressed = if body.len() <= BYTES_INLINE_MAX {
        coding.encode(&body)
    } else {
        let encoding = tokio::task::spawn_blocking(move || coding.encode(&body));
        encoding.await.unwrap_or_else(|error| Err(std::io::Error::other(error)))
    };
    match compressed {
        Ok(bytes) => {
            res.replace_body(ResBody::Once(bytes.into()));
            res.headers_mut().remove(CONTENT_LENGTH);
            res.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        }
        Err(error) => tracing::warn!(%error, "An answer was sent uncompressed."),
    }
}

fn is_text(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.starts_with("text/") || ["json", "javascript", "xml"].iter().any(|part| content_type.contains(part))
}

impl Coding {
    const fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    fn encode(self, body: &Bytes) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL));
                encoder.write_all(body)?;
                encoder.finish()
            }
            Self::Brotli => {
                let mut encoder =
                    brotli::CompressorWriter::new(Vec::new(), BROTLI_BUFFER, BROTLI_QUALITY, BROTLI_WINDOW);
                encoder.write_all(body)?;
                encoder.flush()?;
                Ok(encoder.into_inner())
            }
        }
    }
}

/// The coding that the client likes best; of two that it likes alike, Brotli. `None`: neither.
fn wanted(headers: &HeaderMap) -> Option<Coding> {
    let mut liked: Vec<(String, f32)> = Vec::new();
    for value in headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()) {
        for part in value.split(',') {
            let (name, parameters) = part.split_once(';').unwrap_or((part, ""));
            let weight = parameters.trim().strip_prefix("q=").map_or(Some(1.0), |weight| weight.trim().parse().ok());
            if let Some(weight) = weight.filter(|weight: &f32| (0.0..=1.0).contains(weight)) {
                liked.push((name.trim().to_ascii_lowercase(), weight));
            }
        }
    }
    let weight = |coding: Coding| {
        let of = |wanted: &str| liked.iter().find(|(name, _)| name == wanted).map(|(_, weight)| *weight);
        of(coding.name()).or_else(|| of("*")).unwrap_or(0.0)
    };
    let (brotli, gzip) = (weight(Coding::Brotli), weight(Coding::Gzip));
    if brotli > 0.0 && brotli >= gzip { Some(Coding::Brotli) } else { (gzip > 0.0).then_some(Coding::Gzip) }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::*;

    use super::*;

    fn asked(value: &str) -> HeaderMap {
        [(ACCEPT_ENCODING, value.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn the_client_chooses() {
        for (value, coding) in [
            ("gzip", Some(Coding::Gzip)),
            ("br", Some(Coding::Brotli)),
            ("gzip, deflate, br, zstd", Some(Coding::Brotli)),
            ("gzip;q=1.0, br;q=0.5", Some(Coding::Gzip)),
            ("GZIP ; q=0.2", Some(Coding::Gzip)),
            ("*", Some(Coding::Brotli)),
            ("br;q=0, *", Some(Coding::Gzip)),
            ("identity", None),
            ("gzip;q=0", None),
            ("gzip;q=nonsense", None),
            ("", None),
        ] {
            assert_eq!(wanted(&asked(value)), coding, "{value}");
        }
        assert_eq!(wanted(&HeaderMap::new()), None);
    }

    proptest! {
        #[test]
        fn what_is_compressed_reads_back(body in prop::collection::vec(any::<u8>(), 0..5_000)) {
            let body = Bytes::from(body);
            let (mut gzip, mut brotli) = (Vec::new(), Vec::new());
            flate2::read::GzDecoder::new(Coding::Gzip.encode(&body).unwrap().as_slice()).read_to_end(&mut gzip).unwrap();
            brotli::Decompressor::new(Coding::Brotli.encode(&body).unwrap().as_slice(), 4_096).read_to_end(&mut brotli).unwrap();
            prop_assert_eq!((&gzip, &brotli), (&body.to_vec(), &body.to_vec()));
        }

        #[test]
        fn no_header_is_too_odd(value in "[ -~]{0,60}") {
            wanted(&asked(&value));
        }
    }
}
