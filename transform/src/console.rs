//! The console of one run: what the function wrote is kept in order, up to a limit, and goes nowhere else.

use std::{cell::RefCell, rc::Rc};

use rquickjs::{Ctx, Function, Object, Value, function::Rest};

use crate::limits::Limits;

/// Methods that write a line.
const METHODS: [&str; 5] = ["log", "info", "warn", "error", "debug"];
/// What stands for what was left out.
const LEFT_OUT: &str = "…";

/// The lines of a console.
#[derive(Debug, Clone)]
pub(crate) struct Console(Rc<RefCell<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    lines: Vec<String>,
    lines_left: usize,
    bytes_left: usize,
}

impl Console {
    pub(crate) fn new(limits: &Limits) -> Self {
        let lines = Lines { lines: Vec::new(), lines_left: limits.console_lines, bytes_left: limits.console_bytes };
        Self(Rc::new(RefCell::new(lines)))
    }

    /// Gives the engine's scripts their `console`.
    pub(crate) fn install<'js>(&self, ctx: &Ctx<'js>) -> rquickjs::Result<()> {
        let lines = Rc::clone(&self.0);
        let write = move |ctx: Ctx<'js>, values: Rest<Value<'js>>| -> rquickjs::Result<()> {
            if lines.borrow().lines_left == 0 {
                return Ok(());
            }
            let words = values.0.into_iter().map(|value| word(&ctx, value));
            let line = words.collect::<rquickjs::Result<Vec<_>>>()?.join(" ");
            lines.borrow_mut().push(line);
            Ok(())
        };
        let (console, write) = (Object::new(ctx.clone())?, Function::new(ctx.clone(), write)?);
        for method in METHODS {
            console.set(method, write.clone())?;
        }
        ctx.globals().set("console", console)
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.0.take().lines
    }
}

impl Lines {
    fn push(&mut self, mut line: String) {
        if line.len() > self.bytes_left {
            let mut end = self.bytes_left;
            while !line.is_char_boundary(end) {
                end -= 1;
            }
            line.truncate(end);
            line.push_str(LEFT_OUT);
            self.lines_left = 1;
        }
        self.bytes_left = self.bytes_left.saturating_sub(line.len());
        self.lines_left -= 1;
        if self.lines_left == 0 && !line.ends_with(LEFT_OUT) {
            line.push_str(LEFT_OUT);
        }
        self.lines.push(line);
    }
}

/// A text as it is, anything else as JSON, and what has none by its name.
fn word<'js>(ctx: &Ctx<'js>, value: Value<'js>) -> rquickjs::Result<String> {
    if let Some(text) = value.as_string() {
        return text.to_string();
    }
    if value.is_undefined() {
        return Ok("undefined".into());
    }
    match ctx.json_stringify(value)? {
        Some(text) => text.to_string(),
        None => Ok("function".into()),
    }
}
