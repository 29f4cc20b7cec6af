//! Inventory as a consumer: it sets stock aside and gives it back as orders asks, and takes it off when it is shipped.

use async_trait::async_trait;
use idempotency::consumer::IdempotentHandler;
use outbox_core::consumer::HandleError;
use outbox_core::{Event, Message};
use outbox_sqlx::OutboxTransaction;

use super::{Statements, StockItem, shelf};
use crate::database::ServiceDatabase;
use crate::events::{Outgoing, ShipmentEvent, StockAnswer, StockCommand, StockLine};
use crate::groups;
use crate::ids::{OrderId, SubOrderId};
use crate::messaging::{Hearing, Messenger, Module};
use crate::store_error::StoreError;

/// The module as a consumer group.
///
/// # Errors
/// The group's name can't be one.
pub fn module<DB: ServiceDatabase>(hearing: &Hearing<DB>) -> anyhow::Result<Module> {
    let topics = &[StockCommand::TOPIC, ShipmentEvent::TOPIC];
    hearing.module(groups::INVENTORY, topics, Listener)
}

struct Listener;

#[async_trait]
impl<DB: ServiceDatabase> IdempotentHandler<DB, Messenger> for Listener {
    /// Being short of stock is no error: it is an answer.
    async fn handle(
        &self,
        message: &Message,
        tx: &mut OutboxTransaction<DB>,
        messenger: &Messenger,
    ) -> Result<(), HandleError> {
        if message.topic() == ShipmentEvent::TOPIC {
            if let ShipmentEvent::Shipped { sub_order_id, .. } = message.decode()? {
                sell::<DB>(tx, sub_order_id).await?;
            }
            return Ok(());
        }
        match message.decode()? {
            StockCommand::Reserve {
                sub_order_id,
                order_id,
                merchant,
                lines,
            } => {
                let request = Request {
                    sub_order_id,
                    order_id,
                    merchant: &merchant,
                    lines: &lines,
                };
                let answer = reserve::<DB>(tx, request).await?;
                messenger.send(tx, vec![Outgoing::StockAnswer(answer)]).await?;
            }
            StockCommand::Release { sub_order_id, .. } => release::<DB>(tx, sub_order_id).await?,
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Request<'a> {
    sub_order_id: SubOrderId,
    order_id: OrderId,
    merchant: &'a str,
    lines: &'a [StockLine],
}

/// Sets all lines aside, or none of them.
async fn reserve<DB: ServiceDatabase>(
    tx: &mut OutboxTransaction<DB>,
    request: Request<'_>,
) -> Result<StockAnswer, StoreError> {
    let (sub_order_id, order_id) = (request.sub_order_id, request.order_id);
    Statements::insert_reservation(&mut **tx, sub_order_id.0, order_id.0, request.merchant).await?;
    Ok(match take::<DB>(tx, request).await? {
        None => StockAnswer::Reserved {
            sub_order_id,
            order_id,
        },
        Some(reason) => {
            Statements::refuse_reservation(&mut **tx, &reason, sub_order_id.0).await?;
            StockAnswer::Refused {
                sub_order_id,
                order_id,
                reason,
            }
        }
    })
}

/// Takes every line; or nothing, and says what is short.
async fn take<DB: ServiceDatabase>(
    tx: &mut OutboxTransaction<DB>,
    request: Request<'_>,
) -> Result<Option<String>, StoreError> {
    let merchant = request.merchant;
    // All are locked before the first is changed, so nothing has to be given back when a later one is short.
    let mut items: Vec<StockItem> = Vec::with_capacity(request.lines.len());
    let lines = in_lock_order(request.lines);
    for (_, line) in &lines {
        let known = items.iter().position(|item| item.sku == line.sku);
        let index = match known {
            Some(index) => index,
            None => {
                let Some(item) = shelf::lock(&mut **tx, merchant, &line.sku).await? else {
                    return Ok(Some(short_of(request, line)));
                };
                items.push(item);
                items.len() - 1
            }
        };
        if !items[index].reserve(line.quantity.into()) {
            return Ok(Some(short_of(request, line)));
        }
    }
    for item in &items {
        shelf::save(&mut **tx, item).await?;
    }
    for (position, line) in lines {
        let (sub_order, quantity) = (request.sub_order_id.0, i64::from(line.quantity));
        Statements::insert_reservation_line(&mut **tx, sub_order, position, merchant, &line.sku, quantity)
            .await?;
    }
    Ok(None)
}

fn short_of(request: Request<'_>, line: &StockLine) -> String {
    format!("{} is short of {}", request.merchant, line.sku)
}

/// What was set aside may be promised again.
async fn release<DB: ServiceDatabase>(
    tx: &mut OutboxTransaction<DB>,
    sub_order: SubOrderId,
) -> Result<(), StoreError> {
    end_reservation::<DB>(tx, sub_order, "released", StockItem::release).await
}

/// What was set aside has left the warehouse.
async fn sell<DB: ServiceDatabase>(
    tx: &mut OutboxTransaction<DB>,
    sub_order: SubOrderId,
) -> Result<(), StoreError> {
    end_reservation::<DB>(tx, sub_order, "sold", StockItem::sell).await
}

/// Ends a reservation, and does this to each of its stock items. Nothing, where it is none, or was ended before.
async fn end_reservation<DB: ServiceDatabase>(
    tx: &mut OutboxTransaction<DB>,
    sub_order: SubOrderId,
    state: &str,
    change: fn(&mut StockItem, i64),
) -> Result<(), StoreError> {
    if Statements::end_reservation(&mut **tx, state, sub_order.0).await? == 0 {
        return Ok(());
    }
    for (merchant, sku, quantity) in Statements::reservation_lines(&mut **tx, sub_order.0).await? {
        if let Some(mut item) = shelf::lock(&mut **tx, &merchant, &sku).await? {
            change(&mut item, quantity);
            shelf::save(&mut **tx, &item).await?;
        }
    }
    Ok(())
}

/// The lines with their positions, by article: two transactions that lock the same rows in one order can't deadlock.
fn in_lock_order(lines: &[StockLine]) -> Vec<(i32, &StockLine)> {
    let mut lines: Vec<_> = (0..).zip(lines).collect();
    lines.sort_by(|(_, a), (_, b)| a.sku.cmp(&b.sku));
    lines
}
