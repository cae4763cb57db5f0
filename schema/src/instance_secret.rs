//! Random bytes that all instances of a deployment share, made by the first that needs them.

use diesel::{ExpressionMethods, QueryDsl, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    sealed::{Place, Sealed},
    tables::instance_secrets,
};

const BYTES: usize = 32;

/// The secret of this name.
///
/// # Errors
/// The database fails, or this process cannot open what another one has made.
pub async fn get_or_make(conn: &mut AsyncPgConnection, name: &str) -> QueryResult<Vec<u8>> {
    let random: [u8; BYTES] = rand::random();
    let place = Place::named("instance_secrets.value", name);
    let new = Sealed::seal(&random.to_vec(), &place);
    // Of several instances that start at once, the first one's is kept, and all read that.
    diesel::insert_into(instance_secrets::table)
        .values((instance_secrets::name.eq(name), instance_secrets::value.eq(new)))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    let stored: Sealed<Vec<u8>> =
        instance_secrets::table.find(name).select(instance_secrets::value).first(conn).await?;
    stored.open(&place).map_err(|why| diesel::result::Error::DeserializationError(why.into()))
}
