//! Native scripts: signatures, time locks and their combinations (Allegra timelocks, Conway CDDL `native_script`).
//!
//! Checked once for form and evaluated from the same bytes, both without recursion: the nesting is the sender's choice.

use super::cbor::{DecodeError, Length, Reader};
use std::collections::BTreeSet;

/// What a native script may look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances<'a> {
    /// Hashes of the keys whose valid signatures the transaction carries.
    pub(crate) signers: &'a BTreeSet<[u8; 28]>,
    /// First slot in which the transaction is valid.
    pub(crate) valid_from: Option<u64>,
    /// First slot in which it no longer is.
    pub(crate) valid_until: Option<u64>,
}

/// One node whose children are being read.
struct Node {
    record: Length,
    children: Length,
    needed: i128,
    satisfied: i128,
    count: i128,
    rule: Rule,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    All,
    Any,
    AtLeast,
}

impl Node {
    fn verdict(&self) -> bool {
        match self.rule {
            Rule::All => self.satisfied == self.count,
            Rule::Any => self.satisfied > 0,
            Rule::AtLeast => self.satisfied >= self.needed,
        }
    }

    fn record_child(&mut self, satisfied: bool) {
        self.count += 1;
        self.satisfied += i128::from(satisfied);
    }
}

/// Reads one well-formed native script and returns its bytes.
pub(crate) fn check<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    let start = reader.position();
    let nobody = BTreeSet::new();
    read(
        reader,
        Circumstances {
            signers: &nobody,
            valid_from: None,
            valid_until: None,
        },
    )?;
    Ok(reader.since(start))
}

/// Whether the script is satisfied. Bytes that are no native script are not.
pub(crate) fn is_satisfied(script: &[u8], circumstances: Circumstances<'_>) -> bool {
    read(&mut Reader::new(script), circumstances).unwrap_or(false)
}

fn read(reader: &mut Reader<'_>, circumstances: Circumstances<'_>) -> Result<bool, DecodeError> {
    let mut open: Vec<Node> = Vec::new();
    loop {
        let mut verdict = enter(reader, circumstances, &mut open)?;
        // Ends every node that has no further child.
        while let Some(node) = open.last_mut() {
            if let Some(satisfied) = verdict.take() {
                node.record_child(satisfied);
            }
            if reader.more(&mut node.children)? {
                break;
            }
            reader.close(node.record, WHAT)?;
            verdict = Some(node.verdict());
            open.pop();
        }
        if let (true, Some(verdict)) = (open.is_empty(), verdict) {
            return Ok(verdict);
        }
    }
}

const WHAT: &str = "a native script";

/// Reads a leaf and says whether it holds, or opens a node.
fn enter(
    reader: &mut Reader<'_>,
    circumstances: Circumstances<'_>,
    open: &mut Vec<Node>,
) -> Result<Option<bool>, DecodeError> {
    let record = reader.array(WHAT)?;
    let kind = reader.unsigned("a native script's kind")?;
    let expected = if kind == 3 { 3 } else { 2 };
    if let Length::Definite(length) = record
        && length != expected
    {
        return Err(reader.unexpected("a native script of the right length"));
    }
    let record = if record == Length::Indefinite {
        record
    } else {
        Length::Definite(0)
    };
    let rule = match kind {
        0 | 4 | 5 => {
            let holds = leaf(reader, kind, circumstances)?;
            reader.close(record, WHAT)?;
            return Ok(Some(holds));
        }
        1 => Rule::All,
        2 => Rule::Any,
        3 => Rule::AtLeast,
        key => {
            return Err(DecodeError::UnknownKey {
                what: "a native script's kind",
                key,
            });
        }
    };
    let needed = if rule == Rule::AtLeast {
        reader.integer("a number of scripts")?
    } else {
        0
    };
    let children = reader.array("a list of native scripts")?;
    open.push(Node {
        record,
        children,
        needed,
        satisfied: 0,
        count: 0,
        rule,
    });
    Ok(None)
}

/// Source: Allegra ledger, `evalTimelock`: a lock is judged by the validity interval alone, never by the current slot.
fn leaf(
    reader: &mut Reader<'_>,
    kind: u64,
    circumstances: Circumstances<'_>,
) -> Result<bool, DecodeError> {
    if kind == 0 {
        return Ok(circumstances
            .signers
            .contains(reader.fixed::<28>("a key hash")?));
    }
    let slot = reader.unsigned("a slot")?;
    Ok(match kind {
        4 => circumstances.valid_from.is_some_and(|from| slot <= from),
        _ => circumstances.valid_until.is_some_and(|until| until <= slot),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "581c01010101010101010101010101010101010101010101010101010101";

    fn evaluate(
        script: &str,
        signed: bool,
        valid_from: Option<u64>,
        valid_until: Option<u64>,
    ) -> bool {
        let signers = if signed {
            BTreeSet::from([[1; 28]])
        } else {
            BTreeSet::new()
        };
        let bytes = hex::decode(script).expect("hex");
        assert_eq!(check(&mut Reader::new(&bytes)), Ok(&bytes[..]), "{script}");
        is_satisfied(
            &bytes,
            Circumstances {
                signers: &signers,
                valid_from,
                valid_until,
            },
        )
    }

    #[test]
    fn combinations_hold_as_the_timelock_rules_say() {
        let signature = format!("8200{KEY}");
        let cases = [
            (signature.clone(), true, true),
            (signature.clone(), false, false),
            ("820180".to_owned(), false, true),
            ("820280".to_owned(), false, false),
            (format!("830301828200{KEY}820280"), true, true),
            (format!("830302828200{KEY}820280"), true, false),
            (format!("8201828201808200{KEY}"), true, true),
            (format!("9f019f{signature}ffff"), true, true),
            ("83032080".to_owned(), false, true),
        ];
        for (script, signed, expected) in cases {
            assert_eq!(evaluate(&script, signed, None, None), expected, "{script}");
        }
    }

    #[test]
    fn locks_look_at_the_validity_interval() {
        let cases = [
            ("82040a", Some(10), None, true),
            ("82040a", Some(9), None, false),
            ("82040a", None, None, false),
            ("82050a", None, Some(10), true),
            ("82050a", None, Some(11), false),
            ("82050a", Some(3), None, false),
        ];
        for (script, from, until, expected) in cases {
            assert_eq!(
                evaluate(script, false, from, until),
                expected,
                "{script} {from:?} {until:?}"
            );
        }
    }

    #[test]
    fn malformed_scripts_are_refused() {
        for script in [
            "80", "8200", "820041ff", "8206", "83010180", "820f00", "8303", "9f0180",
        ] {
            let bytes = hex::decode(script).expect("hex");
            assert!(check(&mut Reader::new(&bytes)).is_err(), "{script}");
        }
    }

    #[test]
    fn deep_nesting_does_not_exhaust_the_stack() {
        let depth = 200_000;
        let bytes = [[0x82, 0x01, 0x81].repeat(depth), vec![0x82, 0x01, 0x80]].concat();
        assert_eq!(
            check(&mut Reader::new(&bytes)).map(<[u8]>::len),
            Ok(bytes.len())
        );
    }
}
