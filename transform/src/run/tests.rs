use std::time::Duration;

use super::*;

fn limits() -> Limits {
    Limits { time: Duration::from_millis(300), ..Limits::default() }
}

fn transformed(function: &str, payload: &str) -> Result<String, TransformError> {
    run(function, payload, &limits()).map(|transformed| transformed.payload)
}

#[test]
fn a_payload_becomes_another() {
    for (function, payload, expected) in [
        ("function transform(p) { return p }", r#"{"b": 1.50, "a": ["ä", null]}"#, r#"{"b":1.5,"a":["ä",null]}"#),
        ("function transform(p) { return {b: p.a} }", r#"{"a":1}"#, r#"{"b":1}"#),
        ("const transform = p => p.length", "[1,2]", "2"),
        ("var transform = function (p) { p.seen = true; return p }", "{}", r#"{"seen":true}"#),
        ("helper = p => p + 1; function transform(p) { return helper(p) }", "1", "2"),
        ("function transform(p) { return null }", "1", "null"),
        ("function transform(p) { return [...new Set(p)].map(x => x ** 2) }", "[1,1,2]", "[1,4]"),
        ("function transform(p) { return p.replace(/a+/g, 'b') }", r#""caat""#, r#""cbt""#),
        ("function transform(p) { return new Date(p).toISOString() }", "0", r#""1970-01-01T00:00:00.000Z""#),
        (r"function transform(p) { return '\ud800' }", "0", r#""\ud800""#),
    ] {
        assert_eq!(transformed(function, payload).as_deref(), Ok(expected), "{function}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    for (function, text) in [
        ("", "the transform function is not found, please define it or rename the existing function"),
        ("function other(p) { return p }", "the transform function is not found"),
        ("var transform = 1", "the transform function is not found"),
        ("function transform(p) {", "SyntaxError: "),
        ("function transform(p) { return p.a.b }", "TypeError: cannot read property 'b' of undefined"),
        ("function transform(p) { return missing }", "ReferenceError: missing is not defined"),
        ("function transform(p) { throw new Error('no') }", "Error: no"),
        ("function transform(p) { throw 'no' }", "no"),
        ("throw new Error('early')", "Error: early"),
        ("function transform(p) { return undefined }", "the transform function must return a value"),
        ("function transform(p) { return () => 1 }", "the transform function must return a value"),
        ("async function transform(p) { return p }", "the transform function must return its value, not a promise"),
        ("function transform(p) { const a = {}; a.a = a; return a }", "TypeError: circular reference"),
        ("function transform(p) { return 1n }", "TypeError: "),
        ("function transform(p) { return transform(p) }", "RangeError: Maximum call stack size exceeded"),
    ] {
        let error = transformed(function, "{}").unwrap_err().to_string();
        assert!(error.starts_with(text), "{function}: {error}");
    }
    assert_eq!(transformed("function transform(p) { return p }", "{"), Err(TransformError::Payload));
    let long = format!("function transform(p) {{ return p }} // {}", "x".repeat(FUNCTION_BYTES_MAX));
    assert_eq!(transformed(&long, "{}"), Err(TransformError::FunctionTooLarge(FUNCTION_BYTES_MAX)));
}

#[test]
fn time_ends_every_loop() {
    for function in [
        "for (;;) {}",
        "function transform(p) { for (;;) {} }",
        "function transform(p) { for (;;) { try { for (;;) {} } catch (e) {} finally { continue } } }",
        "function transform(p) { return {toJSON() { for (;;) {} }} }",
        "function transform(p) { return /^(a+)+$/.test('a'.repeat(40) + 'b') }",
        "function transform(p) { return Array.from({length: 1e9}, () => 1) }",
        "function transform(p) { [3, 1, 2].sort(() => { for (;;) {} }) }",
        // Long steps of the engine itself.
        "function transform(p) { return [].indexOf.call({length: 2 ** 53 - 1}, 1) }",
        "function transform(p) { return [].lastIndexOf.call({length: 2 ** 53 - 1}, 1) }",
        "function transform(p) { return [].includes.call({length: 2 ** 53 - 1}, 1) }",
        "function transform(p) { return new Array(2 ** 32 - 1).forEach(x => x) }",
    ] {
        let began = Instant::now();
        let result = transformed(function, "{}");
        assert!(began.elapsed() < Duration::from_secs(3), "{function}: {:?}", began.elapsed());
        assert_eq!(result, Err(TransformError::Time(limits().time)), "{function}");
    }
    let error = TransformError::Time(Limits::default().time).to_string();
    assert_eq!(error, "script execution time elapsed 10 seconds");
}

#[test]
fn memory_and_output_are_bounded() {
    let limits = Limits { memory_bytes: 8 * 1_024 * 1_024, output_bytes: 1_000, ..limits() };
    for function in [
        "function transform(p) { const all = []; for (;;) all.push('x'.repeat(10000)) }",
        "function transform(p) { return 'x'.repeat(100000000) }",
        "function transform(p) { let s = 'x'; for (let i = 0; i < 26; i++) s += s; return s }",
        "function transform(p) { return new ArrayBuffer(100000000) }",
    ] {
        let error = run(function, "{}", &limits).unwrap_err();
        assert_eq!(error, TransformError::Memory(limits.memory_bytes), "{function}");
    }
    let function = "function transform(n) { return 'x'.repeat(n) }";
    assert_eq!(run(function, "999", &limits), Err(TransformError::TooLarge(1_000)));
    assert!(run(function, "998", &limits).is_ok());
}

#[test]
fn the_console_is_kept_for_each_run_and_is_bounded() {
    let function = r#"
        console.log("at", "once");
        function transform(p) {
            console.log(p, 1, null, undefined, [true]);
            console.error("wrong"); console.warn(); console.info("i"); console.debug(() => 1);
            return p;
        }"#;
    let log = run(function, r#"{"a":"b"}"#, &limits()).unwrap().log;
    assert_eq!(log, ["at once", r#"{"a":"b"} 1 null undefined [true]"#, "wrong", "", "i", "function"]);
    let limits = Limits { console_lines: 3, console_bytes: 100, ..limits() };
    let many = run("function transform(p) { for (let i = 0; i < 10; i++) console.log(i); return p }", "1", &limits);
    assert_eq!(many.unwrap().log, ["0", "1", "2…"]);
    let long = run("function transform(p) { console.log('ä'.repeat(90)); console.log(2); return p }", "1", &limits);
    assert_eq!(long.unwrap().log, ["ä".repeat(50) + "…"]);
}

#[test]
fn nothing_is_around_and_nothing_is_left() {
    let names =
        "function transform() { return Object.getOwnPropertyNames(globalThis).filter(n => /^[a-z]/.test(n)).sort() }";
    let names = transformed(names, "1").unwrap();
    for name in
        ["require", "process", "fetch", "std", "os", "print", "scriptArgs", "setTimeout", "module", "loadScript"]
    {
        assert!(!names.contains(&format!("{name:?}")), "{name}: {names}");
    }
    let import = "function transform() { import('fs'); return typeof require + typeof process + typeof fetch }";
    assert_eq!(transformed(import, "1").as_deref(), Ok(r#""undefinedundefinedundefined""#));
    assert!(transformed("import fs from 'fs'; function transform() { return 1 }", "1").is_err());
    transformed("Array.prototype.map = 1; leaked = 1; function transform() { return 1 }", "1").unwrap();
    let after = "function transform() { return typeof leaked + typeof [].map }";
    assert_eq!(transformed(after, "1").as_deref(), Ok(r#""undefinedfunction""#));
}
