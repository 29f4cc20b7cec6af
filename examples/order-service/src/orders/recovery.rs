//! What a restart has to make up for when the queue is in memory. With a durable queue alone, this file goes away.

use super::OrderStore;
use crate::ids::SubOrderId;
use crate::store_error::StoreError;

/// How many sub-orders one transaction asks for.
const PAGE: u32 = 500;

/// Asks inventory again about every sub-order it has not answered, and says how many these are.
///
/// A committed message is safe in the outbox until the relay has handed it to the queue, and a queue in memory lives
/// with the process: when that dies, requests and answers that were handed over and not handled are gone. So a question
/// without an answer is asked again, in a new message, unless the old one is still in the outbox: a service that can't
/// stay up must not pile them up there.
///
/// A question that was on its way after all is harmless (another instance may have the old message in its queue):
/// inventory reserves once per sub-order, and orders hears the first answer only.
///
/// # Errors
/// The database can't be read or written.
pub async fn ask_again(store: &dyn OrderStore) -> Result<u64, StoreError> {
    let mut asked = 0;
    let mut after = SubOrderId(uuid::Uuid::nil());
    // Ends: each page begins behind the one before, and new sub-orders come only once requests are taken.
    loop {
        let page = store.ask_again(after, PAGE).await?;
        let Some(last) = page.last else { return Ok(asked) };
        after = last;
        asked += page.requests;
    }
}
