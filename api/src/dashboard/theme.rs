//! The reader's colours, kept in a cookie.

use posthouse_boxed::boxed;
use posthouse_pages::frame::Theme;
use salvo::prelude::*;

use super::{
    answer::{PageResult, Redirection},
    cookies,
    form::Form,
    local,
};
use crate::app::app;

const YEAR_SECONDS: u64 = 365 * 24 * 60 * 60;

/// Keeps the colours that were chosen.
#[handler]
#[boxed]
pub async fn choose(depot: &mut Depot, res: &mut Response) -> PageResult {
    let form = Form::of(depot);
    let theme = Theme::parse(form.text("theme")).unwrap_or_default();
    let app = app(depot)?;
    cookies::theme(&app).set(res, theme.as_str(), Some(YEAR_SECONDS));
    Ok(Redirection::to(local::path(form.text("next")).unwrap_or_else(|| "/".into())).into())
}
