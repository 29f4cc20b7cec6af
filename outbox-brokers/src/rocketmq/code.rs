//! The numbers of RocketMQ's requests and answers that are used here (`RequestCode` and `ResponseCode` of its sources).

/// What is asked for.
pub(super) mod ask {
    pub(in super::super) const PULL: i32 = 11;
    pub(in super::super) const CREATE_TOPIC: i32 = 17;
    pub(in super::super) const MAX_OFFSET: i32 = 30;
    pub(in super::super) const MIN_OFFSET: i32 = 31;
    pub(in super::super) const HEARTBEAT: i32 = 34;
    pub(in super::super) const END_TRANSACTION: i32 = 37;
    /// Asked by the server.
    pub(in super::super) const CHECK_TRANSACTION: i32 = 39;
    pub(in super::super) const ROUTE: i32 = 105;
    pub(in super::super) const CREATE_GROUP: i32 = 200;
    pub(in super::super) const SEND: i32 = 310;
    pub(in super::super) const SEND_BATCH: i32 = 320;
    pub(in super::super) const POP: i32 = 200_050;
    pub(in super::super) const ACK: i32 = 200_051;
    pub(in super::super) const CHANGE_INVISIBLE: i32 = 200_053;
}

/// How it went.
pub(super) mod said {
    pub(in super::super) const OK: i32 = 0;
    pub(in super::super) const MESSAGE_ILLEGAL: i32 = 13;
    pub(in super::super) const NO_PERMISSION: i32 = 16;
    pub(in super::super) const TOPIC_NOT_EXIST: i32 = 17;
    /// Nothing to pull.
    pub(in super::super) const PULL_NOT_FOUND: i32 = 19;
    pub(in super::super) const PULL_RETRY: i32 = 20;
    /// The log begins later.
    pub(in super::super) const PULL_MOVED: i32 = 21;
    pub(in super::super) const GROUP_NOT_EXIST: i32 = 26;
    /// More wait than the server lets wait.
    pub(in super::super) const POLLING_FULL: i32 = 209;
    /// Nothing came for as long as was waited.
    pub(in super::super) const POLLING_TIMEOUT: i32 = 210;
}
