//! From values to rows and messages and back, the same for each database.

use outbox_core::{Event, MessageBuilder, MessageError};
use uuid::Uuid;

use super::StockItem;
use crate::events::{StockLine, StockRefused, StockRequested, StockReserved};

/// merchant, sku, on hand, available, reserved
pub(super) type StockRow = (String, String, i64, i64, i64);

/// who asked first, why it was refused
pub(super) type ReservationRow = (Uuid, Option<String>);

pub(super) fn stock_item((merchant, sku, on_hand, available, reserved): StockRow) -> StockItem {
    StockItem {
        merchant,
        sku,
        on_hand,
        available,
        reserved,
    }
}

/// The lines with their positions, by article: two transactions that lock the same rows in one order can't deadlock.
pub(super) fn in_lock_order(request: &StockRequested) -> Vec<(i32, &StockLine)> {
    let mut lines: Vec<_> = (0..).zip(&request.lines).collect();
    lines.sort_by(|(_, a), (_, b)| a.sku.cmp(&b.sku));
    lines
}

/// Why a request is refused, for the buyer.
pub(super) fn short_of(line: &StockLine) -> String {
    format!("short of {}", line.sku)
}

/// The answer to a request: refused for a reason, or reserved.
pub(super) fn answer(
    request: &StockRequested,
    refused: Option<String>,
) -> Result<MessageBuilder, MessageError> {
    let (sub_order_id, order_id) = (request.sub_order_id, request.order_id);
    match refused {
        None => StockReserved {
            sub_order_id,
            order_id,
        }
        .to_message(),
        Some(reason) => StockRefused {
            sub_order_id,
            order_id,
            reason,
        }
        .to_message(),
    }
}
