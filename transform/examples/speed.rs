//! How many simple functions a second one processor runs, by the engine alone and through the threads of a worker:
//! `cargo run --release -p posthouse-transform --example speed`.

use std::{
    error::Error,
    fs,
    io::{Write as _, stdout},
    sync::Arc,
    time::{Duration, Instant},
};

use posthouse_transform::{Limits, Transformer, run};

const FUNCTION: &str = "function transform(payload) {
    return {id: payload.id, total: payload.items.reduce((sum, item) => sum + item.price, 0), customer: payload.customer.name};
}";
/// A payload but for its filling.
const PAYLOAD: &str = r#"{"id": "in_1042", "customer": {"name": "Ada", "email": "ada@example.com"},
    "items": [{"sku": "a", "price": 12.5}, {"sku": "b", "price": 7.25}, {"sku": "c", "price": 3}], "filling": ""#;
const PAYLOAD_BYTES: usize = 1_024;
const SPAN: Duration = Duration::from_secs(3);
/// Runs that wait at the same time.
const CALLERS: u128 = 50;
/// The kernel counts in hundredths of a second.
const TICK_SECONDS: f64 = 0.01;

fn main() -> Result<(), Box<dyn Error>> {
    let (limits, payload) = (Limits::default(), format!("{PAYLOAD:x<0$}\"}}", PAYLOAD_BYTES - 2));
    let (began, cpu, mut runs) = (Instant::now(), cpu_seconds()?, 0);
    while began.elapsed() < SPAN {
        run(FUNCTION, &payload, &limits)?;
        runs += 1;
    }
    report("the engine alone", runs, cpu)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build()?;
    for (name, tenants) in [("of one tenant, through threads", 1), ("of 50 tenants, through threads", CALLERS)] {
        let cpu = cpu_seconds()?;
        report(name, runtime.block_on(through_threads(tenants, payload.as_str().into()))?, cpu)?;
    }
    Ok(())
}

async fn through_threads(tenants: u128, payload: Arc<str>) -> Result<u32, Box<dyn Error>> {
    let (transformer, function, began) = (Transformer::new(Limits::default()), Arc::from(FUNCTION), Instant::now());
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (transformer, function, payload) = (transformer.clone(), Arc::clone(&function), Arc::clone(&payload));
            tokio::spawn(async move {
                let mut runs = 0;
                while began.elapsed() < SPAN {
                    transformer.run(caller % tenants, Arc::clone(&function), Arc::clone(&payload)).await?;
                    runs += 1;
                }
                Ok::<u32, posthouse_transform::TransformError>(runs)
            })
        })
        .collect();
    let mut runs = 0;
    for caller in callers {
        runs += caller.await??;
    }
    Ok(runs)
}

fn report(name: &str, runs: u32, cpu_before: f64) -> Result<(), Box<dyn Error>> {
    let cpu = cpu_seconds()? - cpu_before;
    let (rate, micros) = (f64::from(runs) / cpu, cpu * 1e6 / f64::from(runs));
    writeln!(stdout(), "{name}: {micros:.0} µs of a processor, {rate:.0} a second on one")?;
    Ok(())
}

/// Of this process so far, in the system and outside: fields 14 and 15 of proc(5).
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no name")?;
    let ticks: Vec<f64> = fields.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() * TICK_SECONDS)
}
