//! `nupeer machine`.

use nupeer_client::Signer;
use nupeer_lease::{Action, actions::WithdrawMachine};
use nupeer_ledger::{Scope, actions::GrantKey};
use nupeer_primitives::{Hash28, PublicKey, TimeMs};
use nupeer_runtime::RecordKind;
use serde_json::{Value, json};

use crate::{
    acting::{act, machine_id, signer_for},
    api::Api,
    args::Signing,
    args_market::{Acting, MachineCommand, Term, Who},
    commands::{pages, prove, status::plain},
    error::{CliError, Exit, Outcome},
    output::{Printer, table},
    signing,
    units::{show_bytes, show_cpu},
};

pub(super) fn run(command: &MachineCommand, api: &Api, printer: &Printer) -> Outcome<()> {
    match command {
        MachineCommand::List { owner } => list(owner.as_deref(), api, printer),
        MachineCommand::Show { machine, prove } => match prove {
            None => show(machine, api, printer),
            Some(genesis) => prove::show(&[RecordKind::Machine], machine, genesis, api, printer),
        },
        MachineCommand::Allow {
            operator,
            budget,
            term,
            signing,
        } => {
            let grant = allowance(operator, *budget, term)?;
            allow(&grant, signing, api, printer)
        }
        MachineCommand::Withdraw { machine, acting } => withdraw(machine, acting, api, printer),
    }
}

fn list(owner: Option<&str>, api: &Api, printer: &Printer) -> Outcome<()> {
    if let Some(owner) = owner {
        signing::account_anywhere(owner)?;
    }
    let filter = owner.map_or(String::new(), |owner| format!("owner={owner}&"));
    let machines = pages::all(api, "machines", &filter)?;
    let head = [
        "MACHINE", "STATE", "CPU-FREE", "MEM-FREE", "LEASES", "AGENT",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for machine in &machines {
        let free = &machine["free"];
        rows.push(vec![
            printer.brief(plain(&machine["id"])),
            plain(&machine["state"]),
            cpu(&free["cpu_milli"]),
            bytes(&free["memory_bytes"]),
            plain(&machine["leases_open"]),
            plain(&machine["endpoint"]),
        ]);
    }
    let lines = if machines.is_empty() {
        vec!["no machine; nupeer agent registers one".to_owned()]
    } else {
        table(&rows)
    };
    printer.result(json!({ "machines": machines }), &lines);
    Ok(())
}

/// CPUs from thousandths in an answer.
pub(super) fn cpu(value: &Value) -> String {
    let milli = value.as_u64().unwrap_or_default();
    show_cpu(u32::try_from(milli).unwrap_or(u32::MAX))
}

/// A size from bytes in an answer.
pub(super) fn bytes(value: &Value) -> String {
    show_bytes(value.as_u64().unwrap_or_default())
}

fn show(machine: &str, api: &Api, printer: &Printer) -> Outcome<()> {
    let id = machine_id(machine, api.client())?;
    let machine = api.get(&format!("/v1/machines/{id}"))?;
    let lines = lines(&machine);
    printer.result(machine, &lines);
    Ok(())
}

/// What an answer says of a machine.
pub(super) fn lines(machine: &Value) -> Vec<String> {
    let row = |name: &str, text: String| vec![name.to_owned(), text];
    let mut rows = vec![
        row("machine", plain(&machine["id"])),
        row("owner", plain(&machine["owner"])),
        row("state", plain(&machine["state"])),
        row("agent", plain(&machine["endpoint"])),
        row("operator", plain(&machine["operator"])),
        row(
            "cpu",
            format!(
                "{} of {} free",
                cpu(&machine["free"]["cpu_milli"]),
                cpu(&machine["capacity"]["cpu_milli"])
            ),
        ),
        row(
            "memory",
            format!(
                "{} of {} free",
                bytes(&machine["free"]["memory_bytes"]),
                bytes(&machine["capacity"]["memory_bytes"])
            ),
        ),
        row("leases", plain(&machine["leases_open"])),
    ];
    for score in machine["scores"].as_array().into_iter().flatten() {
        let text = format!("{} {}", plain(&score["metric"]), plain(&score["value"]));
        rows.push(row("score", text));
    }
    for bond in machine["bonds"].as_array().into_iter().flatten() {
        let (kind, amount) = (plain(&bond["kind"]), plain(&bond["amount"]));
        let text = format!(
            "{amount} of {} for {kind}s (raw units)",
            plain(&bond["asset"])
        );
        rows.push(row("bond", text));
    }
    table(&rows)
}

/// What an operator key is granted. It is named by its hash (56 digits) or is itself given (64).
fn allowance(
    operator: &str,
    budget_lovelace: nupeer_primitives::Amount,
    term: &Term,
) -> Outcome<GrantKey> {
    let whole = || {
        let bytes = hex::decode(operator).ok()?;
        Some(PublicKey(bytes.try_into().ok()?).hash())
    };
    let key: Option<Hash28> = operator.parse().ok().or_else(whole);
    let key = key.ok_or_else(|| {
        let what = format!("{operator:?} is neither a public key nor the hash of one");
        CliError::new(Exit::Usage, what).next("nupeer agent init   prints it")
    })?;
    let term_ms = u64::try_from(term.duration().as_millis()).unwrap_or(u64::MAX);
    Ok(GrantKey {
        key,
        scope: Scope::MACHINE,
        budget_lovelace,
        expires: TimeMs(nupeer_client::now_unix_ms().saturating_add(term_ms)),
    })
}

fn allow(grant: &GrantKey, signing: &Signing, api: &Api, printer: &Printer) -> Outcome<()> {
    // Only the account's own key grants, so that no session can be named here.
    let who = Who {
        file: signing.file.clone(),
        session: None,
    };
    let signer: Signer = signer_for(&who, signing, api)?;
    let action = nupeer_ledger::Action::GrantKey(grant.clone());
    let done = act(action, &signer, signing, api, printer)?;
    let value = json!({
        "key": grant.key.to_string(),
        "budget_lovelace": grant.budget_lovelace.to_string(),
        "expires_unix_ms": grant.expires.0,
    });
    let line = format!("operator key {} may run machines", grant.key);
    done.print(value, vec![line, "next  nupeer agent run".into()], printer);
    Ok(())
}

fn withdraw(machine: &str, acting: &Acting, api: &Api, printer: &Printer) -> Outcome<()> {
    let machine = machine_id(machine, api.client())?;
    let signer = signer_for(&acting.who(), &acting.signing, api)?;
    let action = Action::WithdrawMachine(WithdrawMachine { machine });
    let done = act(action, &signer, &acting.signing, api, printer)?;
    let line =
        format!("machine {machine} takes no more leases; its bond comes back after the last");
    done.print(
        json!({ "machine": machine.to_string() }),
        vec![line],
        printer,
    );
    Ok(())
}
