//! The market in JSON. Each record also comes as the canonical CBOR that the chain keeps (`record_cbor`), for programs that
//! compute with it.

use nupeer_lease::{
    Bond, Event, Lease, LeaseId, LeaseState, Machine, MachineId, MachineState, Price, Request,
    RequestState, Resources, Score, SignedOffer,
};
use nupeer_primitives::{CardanoNetwork, Hash, TimeMs, cbor};
use serde_json::{Value, json};

/// A machine.
pub fn machine(id: &MachineId, machine: &Machine, network: CardanoNetwork) -> Value {
    let forget = match machine.state {
        MachineState::Withdrawn { forget } => Some(forget.0),
        MachineState::Live | MachineState::Draining => None,
    };
    json!({
        "id": id.to_string(),
        "owner": machine.owner.to_bech32(network),
        "operator": machine.terms.operator.to_string(),
        "endpoint": machine.terms.endpoint,
        "state": machine.state.name(),
        "forget_unix_ms": forget,
        "capacity": resources(&machine.terms.capacity),
        "used": resources(&machine.used),
        "free": resources(&machine.free()),
        "leases_open": machine.leases_open,
        "scores": machine.terms.scores.iter().map(score).collect::<Vec<_>>(),
        "evidence": machine.terms.evidence.to_string(),
        "bonds": machine.bonds.iter().map(bond).collect::<Vec<_>>(),
        "nonce_floor": machine.nonce_floor,
        "record_cbor": hex::encode(cbor::encode(machine)),
    })
}

/// A signed offer. `price_lovelace_per_hour` is that of a lease of all it offers; null where that leaves 64 bits.
pub fn offer(chain: &Hash, signed: &SignedOffer, network: CardanoNetwork) -> Value {
    let offer = &signed.offer;
    let whole = offer.price.for_resources(&offer.capacity);
    json!({
        "id": offer.id(chain).to_string(),
        "machine": offer.machine.to_string(),
        "kind": offer.kind.to_string(),
        "capacity": resources(&offer.capacity),
        "price": price(&offer.price),
        "price_lovelace_per_hour": whole.map(|price| price.to_string()),
        "duration_ms_max": offer.duration_ms_max,
        "tenant": offer.tenant.map(|tenant| tenant.to_bech32(network)),
        "leases_max": offer.leases_max,
        "expires_unix_ms": offer.expires.0,
        "nonce": offer.nonce,
        "operator": signed.operator.to_string(),
        "offer_cbor": hex::encode(signed.to_bytes()),
    })
}

/// A request.
pub fn request(id: &LeaseId, request: &Request, network: CardanoNetwork) -> Value {
    let wanted = &request.wanted;
    let forget = match request.state {
        RequestState::Expired { forget } | RequestState::Cancelled { forget } => Some(forget.0),
        RequestState::Open | RequestState::Matched => None,
    };
    json!({
        "id": id.to_string(),
        "tenant": request.tenant.to_bech32(network),
        "state": request.state.name(),
        "forget_unix_ms": forget,
        "kind": wanted.kind.to_string(),
        "resources": resources(&wanted.resources),
        "duration_ms": wanted.duration_ms,
        "image": wanted.image.to_string(),
        "manifest": wanted.manifest.to_string(),
        "score_floors": wanted.score_floors.iter().map(score).collect::<Vec<_>>(),
        "machine": wanted.machine.map(|machine| machine.to_string()),
        "price_max_lovelace_per_hour": wanted.price_max_lovelace_per_hour.to_string(),
        "expires_unix_ms": wanted.expires.0,
        "escrow_lovelace": request.escrow_lovelace.to_string(),
        "record_cbor": hex::encode(cbor::encode(request)),
    })
}

/// A lease at the block time `now`, with where its machine's agent answers.
pub fn lease(
    id: &LeaseId,
    lease: &Lease,
    endpoint: Option<&str>,
    now: TimeMs,
    network: CardanoNetwork,
) -> Value {
    let reason = lease_reason(&lease.state);
    json!({
        "id": id.to_string(),
        "tenant": lease.tenant.to_bech32(network),
        "provider": lease.provider.to_bech32(network),
        "machine": lease.machine.to_string(),
        "endpoint": endpoint,
        "offer": lease.offer.to_string(),
        "kind": lease.kind.to_string(),
        "resources": resources(&lease.resources),
        "image": lease.image.to_string(),
        "manifest": lease.manifest.to_string(),
        "state": lease_state(&lease.state),
        "reason": reason,
        "at_fault": fault(&lease.state),
        "due_unix_ms": lease.due().0,
        "matched_unix_ms": lease.matched_at.0,
        "duration_ms": lease.duration_ms,
        "covered_ms": lease.covered_ms(),
        "clock_ms": lease.clock_ms(now),
        "metered_ms": lease.metered_ms,
        "evidence": lease.evidence.to_string(),
        "price_lovelace_per_hour": lease.price_lovelace_per_hour.to_string(),
        "protocol_fee_per_10k": lease.protocol_fee_per_10k,
        "deposited_lovelace": lease.deposited_lovelace.to_string(),
        "charged_lovelace": lease.charged_lovelace.to_string(),
        "paid_lovelace": lease.paid_lovelace().to_string(),
        "protocol_fee_lovelace": lease.protocol_fee_lovelace().to_string(),
        "refunded_lovelace": lease.refunded_lovelace.to_string(),
        "escrow_lovelace": lease.held_lovelace().to_string(),
        "record_cbor": hex::encode(cbor::encode(lease)),
    })
}

fn lease_state(state: &LeaseState) -> &'static str {
    match state {
        LeaseState::Paused { .. } => "paused",
        other => other.name(),
    }
}

fn lease_reason(state: &LeaseState) -> Option<&'static str> {
    match state {
        LeaseState::Paused { reason, .. } => Some(reason.name()),
        LeaseState::Closing { reason, .. } | LeaseState::Closed { reason, .. } => {
            Some(reason.name())
        }
        LeaseState::Reserved { .. }
        | LeaseState::Provisioning { .. }
        | LeaseState::Active { .. } => None,
    }
}

fn fault(state: &LeaseState) -> Option<&'static str> {
    match state {
        LeaseState::Closing { reason, .. } | LeaseState::Closed { reason, .. } => {
            Some(reason.fault().name())
        }
        _ => None,
    }
}

fn resources(resources: &Resources) -> Value {
    json!({
        "cpu_milli": resources.cpu_milli,
        "memory_bytes": resources.memory_bytes,
        "disk_bytes": resources.disk_bytes,
        "pids": resources.pids,
        "ports": resources.ports,
    })
}

fn score(score: &Score) -> Value {
    json!({ "metric": score.metric.name(), "value": score.value })
}

fn bond(bond: &Bond) -> Value {
    json!({
        "kind": bond.kind.to_string(),
        "asset": bond.asset.to_string(),
        "amount": bond.amount.to_string(),
    })
}

fn price(price: &Price) -> Value {
    match price {
        Price::Whole { lovelace_per_hour } => {
            json!({ "lovelace_per_hour": lovelace_per_hour.to_string() })
        }
        Price::Vector {
            cpu_lovelace_per_hour,
            memory_gib_lovelace_per_hour,
            disk_gib_lovelace_per_hour,
            port_lovelace_per_hour,
        } => json!({
            "cpu_lovelace_per_hour": cpu_lovelace_per_hour.to_string(),
            "memory_gib_lovelace_per_hour": memory_gib_lovelace_per_hour.to_string(),
            "disk_gib_lovelace_per_hour": disk_gib_lovelace_per_hour.to_string(),
            "port_lovelace_per_hour": port_lovelace_per_hour.to_string(),
        }),
    }
}

/// What happened in the market. Every event of a lease has its id in `lease`.
pub fn event(event: &Event, network: CardanoNetwork) -> Value {
    match event {
        Event::MachineRegistered { machine, owner } => {
            json!({ "kind": "machine_registered", "machine": machine.to_string(), "owner": owner.to_bech32(network) })
        }
        Event::MachineUpdated { machine } => {
            json!({ "kind": "machine_updated", "machine": machine.to_string() })
        }
        Event::MachineDraining { machine } => {
            json!({ "kind": "machine_draining", "machine": machine.to_string() })
        }
        Event::MachineWithdrawn { machine } => {
            json!({ "kind": "machine_withdrawn", "machine": machine.to_string() })
        }
        Event::Requested { request, tenant } => {
            json!({ "kind": "requested", "request": request.to_string(), "tenant": tenant.to_bech32(network) })
        }
        Event::RequestCancelled { request } => {
            json!({ "kind": "request_cancelled", "request": request.to_string() })
        }
        Event::RequestExpired { request } => {
            json!({ "kind": "request_expired", "request": request.to_string() })
        }
        Event::DeadlineRefused { subject, id, code } => {
            json!({ "kind": "deadline_refused", "subject": subject.name(), "id": id.to_string(), "code": code.to_string() })
        }
        of_lease => lease_event(of_lease),
    }
}

fn lease_event(event: &Event) -> Value {
    match event {
        Event::Matched {
            lease,
            machine,
            offer,
        } => {
            json!({ "kind": "matched", "lease": lease.to_string(), "machine": machine.to_string(), "offer": offer.to_string() })
        }
        Event::LeaseProvisioning { lease } => {
            json!({ "kind": "lease_provisioning", "lease": lease.to_string() })
        }
        Event::LeaseActive { lease } => {
            json!({ "kind": "lease_active", "lease": lease.to_string() })
        }
        Event::LeasePaused { lease, reason } => {
            json!({ "kind": "lease_paused", "lease": lease.to_string(), "reason": reason.name() })
        }
        Event::ToppedUp {
            lease,
            amount_lovelace,
        } => {
            json!({ "kind": "topped_up", "lease": lease.to_string(), "amount_lovelace": amount_lovelace.to_string() })
        }
        Event::Settled {
            lease,
            metered_ms,
            paid_lovelace,
            fee_lovelace,
        } => json!({
            "kind": "settled",
            "lease": lease.to_string(),
            "metered_ms": metered_ms,
            "paid_lovelace": paid_lovelace.to_string(),
            "fee_lovelace": fee_lovelace.to_string(),
        }),
        Event::LeaseClosing { lease, reason } => {
            json!({ "kind": "lease_closing", "lease": lease.to_string(), "reason": reason.name() })
        }
        Event::LeaseClosed {
            lease,
            reason,
            refunded_lovelace,
        } => json!({
            "kind": "lease_closed",
            "lease": lease.to_string(),
            "reason": reason.name(),
            "refunded_lovelace": refunded_lovelace.to_string(),
        }),
        // Those that concern no lease are told by the caller.
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use nupeer_lease::{CloseReason, OfferId, PauseReason, due::Subject};
    use nupeer_primitives::{AccountId, Amount, Code, Hash28};

    use super::*;
    use crate::{api::OPENAPI, described::differences};

    #[test]
    fn every_event_has_its_kind_and_is_as_openapi_describes_it() {
        let account = AccountId::of_key(Hash28([7; 28]));
        let (machine, lease) = (MachineId(Hash([1; 32])), LeaseId(Hash([2; 32])));
        let offer = OfferId(Hash([3; 32]));
        let (request, amount) = (lease, Amount::new(5));
        let reason = CloseReason::Completed;
        let document: Value = serde_json::from_str(OPENAPI).unwrap();
        let schema = &document["components"]["schemas"]["Event"];
        for (told, kind) in [
            (
                Event::MachineRegistered {
                    machine,
                    owner: account,
                },
                "machine_registered",
            ),
            (Event::MachineUpdated { machine }, "machine_updated"),
            (Event::MachineDraining { machine }, "machine_draining"),
            (Event::MachineWithdrawn { machine }, "machine_withdrawn"),
            (
                Event::Requested {
                    request,
                    tenant: account,
                },
                "requested",
            ),
            (Event::RequestCancelled { request }, "request_cancelled"),
            (Event::RequestExpired { request }, "request_expired"),
            (
                Event::DeadlineRefused {
                    subject: Subject::Lease,
                    id: lease.0,
                    code: Code(4001),
                },
                "deadline_refused",
            ),
            (
                Event::Matched {
                    lease,
                    machine,
                    offer,
                },
                "matched",
            ),
            (Event::LeaseProvisioning { lease }, "lease_provisioning"),
            (Event::LeaseActive { lease }, "lease_active"),
            (
                Event::LeasePaused {
                    lease,
                    reason: PauseReason::Funds,
                },
                "lease_paused",
            ),
            (
                Event::ToppedUp {
                    lease,
                    amount_lovelace: amount,
                },
                "topped_up",
            ),
            (
                Event::Settled {
                    lease,
                    metered_ms: 1,
                    paid_lovelace: amount,
                    fee_lovelace: amount,
                },
                "settled",
            ),
            (Event::LeaseClosing { lease, reason }, "lease_closing"),
            (
                Event::LeaseClosed {
                    lease,
                    reason,
                    refunded_lovelace: amount,
                },
                "lease_closed",
            ),
        ] {
            let value = event(&told, CardanoNetwork::Testnet);
            assert_eq!(value["kind"], kind);
            let found = differences(kind, &value, schema, &document);
            assert_eq!(found, Vec::<String>::new());
        }
    }
}
