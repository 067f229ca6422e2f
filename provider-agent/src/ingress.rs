//! The way in to workloads: a TCP proxy for each published port, its own port from the kernel.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use nupeer_lease::LeaseId;
use nupeer_paas_drivers::Ingress;
use nupeer_paas_drivers::proxy::{self, Proxy, ProxyConfig, ProxyError};
use tokio::runtime::Handle;

use crate::records::hold;

/// The open proxies, each to one run of a workload. Its methods block: call them off the async threads.
pub struct Doors {
    listen: IpAddr,
    runtime: Handle,
    open: Mutex<BTreeMap<LeaseId, Door>>,
}

struct Door {
    run: u64,
    proxy: Proxy,
}

impl Doors {
    /// No proxies yet; those to come listen at `listen`, with their tasks in `runtime`.
    pub fn new(listen: IpAddr, runtime: Handle) -> Self {
        Doors {
            listen,
            runtime,
            open: Mutex::new(BTreeMap::new()),
        }
    }

    /// Opens a proxy to this run of a lease's workload, at `port` if that is free. Returns its port.
    ///
    /// # Errors
    /// See [`ProxyError`].
    pub fn open(
        &self,
        lease: &LeaseId,
        run: u64,
        ingress: Ingress,
        port: u16,
    ) -> Result<u16, ProxyError> {
        // The one before lets go of the port first.
        self.close(lease);
        let config = ProxyConfig {
            port,
            ..ProxyConfig::new(self.listen)
        };
        let proxy = self.runtime.block_on(Proxy::start(ingress, config))?;
        let port = proxy.address().port();
        hold(&self.open).insert(*lease, Door { run, proxy });
        Ok(port)
    }

    /// Whether the proxy of this run is open.
    pub fn is_open(&self, lease: &LeaseId, run: Option<u64>) -> bool {
        let open = hold(&self.open);
        open.get(lease).is_some_and(|door| Some(door.run) == run)
    }

    /// Waits up to `patience` for the workload to take a connection. Returns whether it did.
    pub fn reaches(&self, ingress: &Ingress, patience: Duration) -> bool {
        let reached = proxy::reach(ingress, patience);
        self.runtime.block_on(reached).is_ok()
    }

    /// Where a lease's port is published.
    pub fn address(&self, lease: &LeaseId) -> Option<SocketAddr> {
        hold(&self.open).get(lease).map(|door| door.proxy.address())
    }

    /// Bytes carried, in and out.
    pub fn traffic_bytes(&self, lease: &LeaseId) -> (u64, u64) {
        let open = hold(&self.open);
        open.get(lease)
            .map_or((0, 0), |door| door.proxy.traffic_bytes())
    }

    /// Closes a lease's proxy and cuts its connections.
    pub fn close(&self, lease: &LeaseId) {
        hold(&self.open).remove(lease);
    }
}
