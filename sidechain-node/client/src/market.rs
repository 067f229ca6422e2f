//! The market: machines, offers, requests, leases. Records are the chain's own, decoded from their canonical CBOR.

use nupeer_lease::{
    Lease, LeaseId, Machine, MachineId, OfferId, Request, SignedOffer, view::PAGE_MAX,
};
use nupeer_primitives::{AccountId, Hash, Height, TimeMs};

use crate::{answers::Answer, client::Client, error::ClientError};

/// A listing as it stood at one height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// Which; of a listing of several pages, the first one's.
    pub height: Height,
    /// That block's time, unix ms.
    pub time: TimeMs,
    /// The entries, in the order of ids.
    pub entries: Vec<T>,
}

/// Which machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineFilter {
    /// All.
    All,
    /// Those of an account.
    Of(AccountId),
}

/// Which requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestFilter {
    /// Those that stand open.
    Open,
    /// Those of a tenant, in any state.
    Of(AccountId),
}

/// Which leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseFilter {
    /// All.
    All,
    /// Those of a tenant.
    Of(AccountId),
    /// Those on a machine.
    On(MachineId),
}

impl Client {
    /// A machine and the block time of the answer; `None` where the chain knows none of that name.
    ///
    /// # Errors
    /// As [`Client::get`], here and below.
    pub fn machine(&self, id: &MachineId) -> Result<Option<(Machine, TimeMs)>, ClientError> {
        self.record(&format!("/v1/machines/{id}"))
    }

    /// A request and the block time of the answer.
    pub fn request(&self, id: &LeaseId) -> Result<Option<(Request, TimeMs)>, ClientError> {
        self.record(&format!("/v1/requests/{id}"))
    }

    /// A lease and the block time of the answer.
    pub fn lease(&self, id: &LeaseId) -> Result<Option<(Lease, TimeMs)>, ClientError> {
        self.record(&format!("/v1/leases/{id}"))
    }

    /// All machines that the filter says, page after page.
    pub fn machines(
        &self,
        filter: MachineFilter,
    ) -> Result<Page<(MachineId, Machine)>, ClientError> {
        let filter = match filter {
            MachineFilter::All => String::new(),
            MachineFilter::Of(owner) => format!("owner={}&", self.address(&owner)?),
        };
        self.listing("machines", &filter, |entry| {
            Ok((MachineId(entry.parsed("id")?), entry.cbor("record_cbor")?))
        })
    }

    /// All requests that the filter says.
    pub fn requests(&self, filter: RequestFilter) -> Result<Page<(LeaseId, Request)>, ClientError> {
        let filter = match filter {
            RequestFilter::Open => String::new(),
            RequestFilter::Of(tenant) => format!("tenant={}&", self.address(&tenant)?),
        };
        self.listing("requests", &filter, |entry| {
            Ok((LeaseId(entry.parsed("id")?), entry.cbor("record_cbor")?))
        })
    }

    /// All leases that the filter says; closed ones too, until the chain forgets them.
    pub fn leases(&self, filter: LeaseFilter) -> Result<Page<(LeaseId, Lease)>, ClientError> {
        let filter = match filter {
            LeaseFilter::All => String::new(),
            LeaseFilter::Of(tenant) => format!("tenant={}&", self.address(&tenant)?),
            LeaseFilter::On(machine) => format!("machine={machine}&"),
        };
        self.listing("leases", &filter, |entry| {
            Ok((LeaseId(entry.parsed("id")?), entry.cbor("record_cbor")?))
        })
    }

    /// The signed offers that the node holds: all, or those of one machine. They were good when the node took them; the match decides.
    pub fn offers(
        &self,
        machine: Option<&MachineId>,
    ) -> Result<Page<(OfferId, SignedOffer)>, ClientError> {
        let filter = machine.map_or(String::new(), |machine| format!("machine={machine}&"));
        self.listing("offers", &filter, |entry| {
            Ok((OfferId(entry.parsed("id")?), entry.cbor("offer_cbor")?))
        })
    }

    /// Publishes a signed offer, which the node passes on to the others. Doing so again does no harm.
    pub fn post_offer(&self, offer: &SignedOffer) -> Result<OfferId, ClientError> {
        let value = self.post_cbor("/v1/offers", &offer.to_bytes())?;
        Answer::new("/v1/offers", &value).parsed("id").map(OfferId)
    }

    fn address(&self, account: &AccountId) -> Result<String, ClientError> {
        Ok(account.to_bech32(self.chain()?.1.cardano))
    }

    fn record<T>(&self, path: &str) -> Result<Option<(T, TimeMs)>, ClientError>
    where
        T: for<'b> minicbor::Decode<'b, ()> + minicbor::Encode<()>,
    {
        let value = match self.get(path) {
            Ok(value) => value,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        let answer = Answer::new(path, &value);
        let time = TimeMs(answer.number("time_unix_ms")?);
        Ok(Some((answer.cbor("record_cbor")?, time)))
    }

    fn listing<T>(
        &self,
        what: &str,
        filter: &str,
        read: impl Fn(&Answer<'_>) -> Result<T, ClientError>,
    ) -> Result<Page<T>, ClientError> {
        let mut all: Option<Page<T>> = None;
        let mut after: Option<Hash> = None;
        loop {
            let from = after.map_or(String::new(), |id| format!("&after={id}"));
            let path = format!("/v1/{what}?{filter}limit={PAGE_MAX}{from}");
            let value = self.get(&path)?;
            let answer = Answer::new(&path, &value);
            let entries = answer.list(what, &read)?;
            let next: Option<Hash> = answer.optional("next")?;
            let page = Page {
                height: Height(answer.number("height")?),
                time: TimeMs(answer.number("time_unix_ms")?),
                entries,
            };
            let all = match &mut all {
                None => all.insert(page),
                Some(all) => {
                    all.entries.extend(page.entries);
                    all
                }
            };
            // A node that does not advance would be asked for ever.
            match next.filter(|next| after.is_none_or(|after| *next > after)) {
                Some(next) => after = Some(next),
                None => {
                    let (height, time) = (all.height, all.time);
                    let entries = std::mem::take(&mut all.entries);
                    return Ok(Page {
                        height,
                        time,
                        entries,
                    });
                }
            }
        }
    }
}
