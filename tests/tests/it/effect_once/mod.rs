//! Every message takes effect once: delivered a hundred times at once, with the lock's store in every state that it can be
//! in, and with consumers killed at each step and frozen. Every run prints its seed and ends with one line of figures.

mod effect;
mod http;
mod killed;
mod slow;
mod storm;
