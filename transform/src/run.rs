//! One run of one function. It takes the calling thread for as long as the limits allow.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use rquickjs::{CatchResultExt, CaughtError, Context, Ctx, Function, Runtime, Value, context::EvalOptions};

use crate::{
    console::Console,
    error::TransformError,
    limits::{FUNCTION_BYTES_MAX, Limits},
};

/// Characters of what a function threw.
const THROWN_CHARS_MAX: usize = 500;
/// Also finds what was made by `const transform = …`, which is no property of the global object.
const FIND: &str = "typeof transform === 'function' ? transform : undefined";

/// What a function made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transformed {
    /// Its result as JSON.
    pub payload: String,
    /// What it wrote to the console, line by line.
    pub log: Vec<String>,
}

/// Runs `transform` of a script with a payload, which is JSON.
///
/// # Errors
/// The function gives no result within the limits.
pub fn run(function: &str, payload: &str, limits: &Limits) -> Result<Transformed, TransformError> {
    if function.len() > FUNCTION_BYTES_MAX {
        return Err(TransformError::FunctionTooLarge(FUNCTION_BYTES_MAX));
    }
    let deadline = Instant::now() + limits.time;
    let is_expired = Arc::new(AtomicBool::new(false));
    let runtime = Runtime::new().map_err(unavailable)?;
    runtime.set_memory_limit(limits.memory_bytes);
    runtime.set_max_stack_size(limits.stack_bytes);
    let expired = Arc::clone(&is_expired);
    runtime.set_interrupt_handler(Some(Box::new(move || {
        let is_late = Instant::now() >= deadline;
        if is_late {
            expired.store(true, Ordering::Relaxed);
        }
        is_late
    })));
    let context = Context::full(&runtime).map_err(unavailable)?;
    let console = Console::new(limits);
    let result = context.with(|ctx| evaluate(&ctx, function, payload, &console, limits));
    // The engine holds the console's functions.
    drop((context, runtime));
    match result {
        Err(_) if is_expired.load(Ordering::Relaxed) => Err(TransformError::Time(limits.time)),
        Err(error) => Err(error),
        Ok(_) if Instant::now() >= deadline => Err(TransformError::Time(limits.time)),
        Ok(payload) => Ok(Transformed { payload, log: console.into_lines() }),
    }
}

fn evaluate(
    ctx: &Ctx<'_>,
    function: &str,
    payload: &str,
    console: &Console,
    limits: &Limits,
) -> Result<String, TransformError> {
    let caught = |error: CaughtError<'_>| thrown(error, limits);
    console.install(ctx).map_err(unavailable)?;
    let argument: Value<'_> = ctx.json_parse(payload).catch(ctx).map_err(|error| match thrown(error, limits) {
        TransformError::Thrown(_) => TransformError::Payload,
        other => other,
    })?;
    let mut sloppy = EvalOptions::default();
    sloppy.strict = false;
    ctx.eval_with_options::<(), _>(function, sloppy).catch(ctx).map_err(caught)?;
    let found: Option<Function<'_>> = ctx.eval(FIND).catch(ctx).map_err(caught)?;
    let transform = found.ok_or(TransformError::NotFound)?;
    let result: Value<'_> = transform.call((argument,)).catch(ctx).map_err(caught)?;
    if result.is_promise() {
        return Err(TransformError::Promise);
    }
    let text = ctx.json_stringify(result).catch(ctx).map_err(caught)?.ok_or(TransformError::NotJson)?;
    let text = text.to_string().catch(ctx).map_err(caught)?;
    if text.len() > limits.output_bytes {
        return Err(TransformError::TooLarge(limits.output_bytes));
    }
    Ok(text)
}

fn thrown(error: CaughtError<'_>, limits: &Limits) -> TransformError {
    let text = match &error {
        CaughtError::Exception(exception) => {
            let name: Option<String> = exception.as_object().get("name").ok();
            let message = exception.message().unwrap_or_default();
            match name {
                Some(name) if !message.is_empty() => format!("{name}: {message}"),
                Some(name) => name,
                None => message,
            }
        }
        CaughtError::Value(value) => match value.as_string().and_then(|text| text.to_string().ok()) {
            Some(text) => text,
            // The engine throws null where it has no memory left for an error.
            None if value.is_null() => return TransformError::Memory(limits.memory_bytes),
            None => format!("{value:?}"),
        },
        CaughtError::Error(error) => error.to_string(),
    };
    if text.ends_with("out of memory") {
        return TransformError::Memory(limits.memory_bytes);
    }
    TransformError::Thrown(text.chars().take(THROWN_CHARS_MAX).collect())
}

fn unavailable(error: rquickjs::Error) -> TransformError {
    TransformError::Unavailable(error.to_string())
}

#[cfg(test)]
mod tests;
