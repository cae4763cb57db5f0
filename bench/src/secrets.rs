//! What sealing and opening a secret costs. Workers open an endpoint's secrets when they read its row, not for a delivery.

use std::{hint::black_box, time::Instant};

use anyhow::{Context as _, Result};
use posthouse_schema::sealed::{Keys, Place, Sealed};

use crate::table::Row;

const KEY: &str = "bench:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const ROUNDS: u32 = 200_000;

/// One thread, one secret of 40 characters, nanoseconds on average.
pub fn measure() -> Result<Vec<Row>> {
    let (keys, place) = (Keys::parse(KEY)?, Place::new("endpoint_secrets.value", &[1, 2, 3]));
    let secret = "whsec_".to_owned() + &"k".repeat(34);
    let sealed = Sealed::seal_by(&keys, &secret, &place);
    let plain = Sealed::seal_by(&Keys::default(), &secret, &place);
    let opened = sealed.open_by(&keys, &place).context("what was sealed opens")?;
    anyhow::ensure!(opened == secret, "what was opened is what was sealed");
    let mut rows = vec![average("a secret of 40 characters", "sealed, ns", || {
        black_box(Sealed::seal_by(&keys, black_box(&secret), &place));
    })];
    for (what, stored) in [("opened, ns", &sealed), ("read where it is not sealed, ns", &plain)] {
        rows.push(average("", what, || {
            black_box(black_box(stored).open_by(&keys, &place)).ok();
        }));
    }
    Ok(rows)
}

fn average(case: &str, what: &str, mut work: impl FnMut()) -> Row {
    let start = Instant::now();
    for _ in 0..ROUNDS {
        work();
    }
    Row::new(case, what, start.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS), None)
}
