//! Sessions that are taken up again: sealed into tickets that clients keep (RFC 8446 section 4.6.1, RFC 5077).

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Weak};

use tokio_rustls::rustls::Error;
use tokio_rustls::rustls::crypto::aws_lc_rs::Ticketer;
use tokio_rustls::rustls::server::ProducesTickets;

use crate::config::ClientAuth;

/// The keys that tickets are sealed with. They outlive reloads, so that clients need not shake hands anew, but not a change of what is
/// asked of clients: a ticket says that its holder has been verified, and it has been by other rules then.
#[derive(Default)]
pub(crate) struct Sessions(HashMap<Option<u64>, Weak<dyn ProducesTickets>>);

impl Sessions {
    /// Seals tickets for who asks this of clients. Keys are made anew every six hours, and tickets are good for twelve.
    pub(super) fn ticketer(
        &mut self,
        clients: Option<&ClientAuth>,
    ) -> Result<Arc<dyn ProducesTickets>, Error> {
        let rules = clients.map(|clients| {
            let mut hasher = DefaultHasher::new();
            let crl = clients.crl.as_ref().map(|(pem, _)| pem.text());
            (clients.required, clients.ca.text(), crl).hash(&mut hasher);
            hasher.finish()
        });
        self.0.retain(|_, kept| kept.strong_count() > 0);
        if let Some(kept) = self.0.get(&rules).and_then(Weak::upgrade) {
            return Ok(kept);
        }
        let made = Ticketer::new()?;
        self.0.insert(rules, Arc::downgrade(&made));
        Ok(made)
    }
}
