//! How many simple functions a second one processor runs: `cargo run --release -p posthouse-transform --example speed`.

use std::{
    io::{Write as _, stdout},
    time::{Duration, Instant},
};

use posthouse_transform::{Limits, TransformError, run};

const FUNCTION: &str = "function transform(payload) {
    return {id: payload.id, total: payload.items.reduce((sum, item) => sum + item.price, 0), customer: payload.customer.name};
}";
const PAYLOAD: &str = r#"{"id": "in_1042", "customer": {"name": "Ada", "email": "ada@example.com"},
    "items": [{"sku": "a", "price": 12.5}, {"sku": "b", "price": 7.25}, {"sku": "c", "price": 3}]}"#;
const SPAN: Duration = Duration::from_secs(3);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let limits = Limits::default();
    let (began, mut runs) = (Instant::now(), 0_u32);
    while began.elapsed() < SPAN {
        run(FUNCTION, PAYLOAD, &limits).map_err(|error: TransformError| error.to_string())?;
        runs += 1;
    }
    let rate = f64::from(runs) / began.elapsed().as_secs_f64();
    writeln!(stdout(), "{rate:.0} functions a second on one processor")?;
    Ok(())
}
