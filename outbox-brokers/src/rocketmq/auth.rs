//! Who asks, signed: RocketMQ's access control (`AclClientRPCHook` of its sources).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use super::frame::Command;

const ACCESS_KEY: &str = "AccessKey";
const SIGNATURE: &str = "Signature";

/// An access key, which is a user, and its secret.
#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) access_key: String,
    pub(super) secret_key: String,
}

impl Credentials {
    /// Says whose it is, and proves it.
    pub(super) fn sign(&self, command: &mut Command) {
        command
            .fields
            .insert(ACCESS_KEY.to_owned(), self.access_key.clone());
        // A key of any length can be.
        let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(self.secret_key.as_bytes()) else {
            return;
        };
        let in_order: BTreeMap<_, _> = command.fields.iter().collect();
        for value in in_order.values() {
            mac.update(value.as_bytes());
        }
        mac.update(&command.body);
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        command.fields.insert(SIGNATURE.to_owned(), signature);
    }
}

/// Without the secret.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key", &self.access_key)
            .finish_non_exhaustive()
    }
}
