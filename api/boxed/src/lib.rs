//! `#[boxed]`, for handlers.
//!
//! A handler becomes a future of which the compiler proves that it can go from thread to thread, down to the last field of
//! everything that it holds while it waits. It remembers what it has proven, but not within salvo's handlers, whose lifetimes
//! have bounds of their own: there each of the hundreds proved the whole application anew. A boxed future is proven where it
//! is boxed, within the handler's function, where everything that is remembered counts.

use proc_macro::TokenStream;
use quote::quote;
use syn::{ItemFn, ReturnType, parse_macro_input, parse_quote};

/// Puts the body of an asynchronous function into a box. What it does stays the same.
///
/// ```
/// use posthouse_boxed::boxed;
///
/// /// Goes below `#[handler]` or `#[endpoint]`.
/// #[boxed]
/// async fn add(text: &mut String, more: &str) -> usize {
///     text.push_str(more);
///     text.len()
/// }
///
/// let mut text = String::from("a");
/// assert_eq!(futures::executor::block_on(add(&mut text, "bc")), 3);
/// assert_eq!(text, "abc");
/// ```
///
/// A function that is not asynchronous is refused:
///
/// ```compile_fail
/// #[posthouse_boxed::boxed]
/// fn add(one: u32, other: u32) -> u32 {
///     one + other
/// }
/// ```
///
/// So is a body that has to stay on its thread:
///
/// ```compile_fail
/// #[posthouse_boxed::boxed]
/// async fn wait() {
///     let held = std::rc::Rc::new(1);
///     std::future::ready(()).await;
///     drop(held);
/// }
/// ```
#[proc_macro_attribute]
pub fn boxed(_arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut function = parse_macro_input!(item as ItemFn);
    if function.sig.asyncness.is_none() {
        let error = syn::Error::new_spanned(function.sig.fn_token, "#[boxed] is for asynchronous functions");
        return error.into_compile_error().into();
    }
    let output = match &function.sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, output) => quote!(#output),
    };
    let body = &function.block;
    function.block = parse_quote!({
        let body: ::std::pin::Pin<::std::boxed::Box<dyn ::std::future::Future<Output = #output> + ::std::marker::Send + '_>> =
            ::std::boxed::Box::pin(async move #body);
        body.await
    });
    quote!(#function).into()
}
