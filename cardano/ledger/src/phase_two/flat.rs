//! Where a flat-encoded program has constants, and of which types: as much of flat as it takes to find the BLS types among them.
//!
//! Source: Plutus Core specification, appendix "Serialising to flat" (<https://plutus.cardano.intersectmbo.org/resources/plutus-core-spec.pdf>).
//! Everything is read without recursion.

/// The type of a constant, with the places of its parts' types in their [`Shape`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Bytes,
    Text,
    Unit,
    Boolean,
    Data,
    G1,
    G2,
    MlResult,
    Value,
    List(usize),
    Array(usize),
    Pair(usize, usize),
}

impl Kind {
    /// How many bits the name of a type has.
    pub(super) const WIDTH: usize = 4;
}

/// The type of one constant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    /// Each after the types it is made of, so that the last is the whole.
    kinds: Vec<Kind>,
    /// Where the names of BLS types stand, in bits.
    pub(super) bls: Vec<usize>,
}

impl Shape {
    /// The place of the whole.
    pub(super) fn root(&self) -> usize {
        self.kinds.len().saturating_sub(1)
    }

    pub(super) fn kind(&self, node: usize) -> Kind {
        self.kinds.get(node).copied().unwrap_or(Kind::Unit)
    }
}

/// What is still to be read.
enum Due {
    Term,
    /// Terms, each after a one; a zero ends them.
    Terms,
    Value(usize),
    /// Values of one type, each after a one; a zero ends them.
    Values(usize),
    /// The end of a constant.
    Constant,
}

/// The types of a program's constants, in their order.
///
/// # Errors
/// What is wrong with the program, as far as this looks into it; a value of a BLS type, for one.
pub(super) fn constants(flat: &[u8]) -> Result<Vec<Shape>, String> {
    let mut bits = Bits::new(flat);
    for _ in 0..3 {
        bits.natural()?;
    }
    let (mut shapes, mut current, mut due) = (Vec::new(), None, vec![Due::Term]);
    while let Some(next) = due.pop() {
        match next {
            Due::Term => {
                if let Some(shape) = term(&mut bits, &mut due)? {
                    due.extend([Due::Constant, Due::Value(shape.root())]);
                    current = Some(shape);
                }
            }
            Due::Terms if bits.bit()? => due.extend([Due::Terms, Due::Term]),
            Due::Values(node) if bits.bit()? => {
                due.extend([Due::Values(node), Due::Value(node)]);
            }
            Due::Terms | Due::Values(_) => {}
            Due::Value(node) => value(&mut bits, &mut due, current.as_ref(), node)?,
            Due::Constant => shapes.extend(current.take()),
        }
    }
    Ok(shapes)
}

/// Reads a term's head and says what follows it; the type, if the term is a constant.
fn term(bits: &mut Bits<'_>, due: &mut Vec<Due>) -> Result<Option<Shape>, String> {
    match bits.take(4)? {
        0 => bits.natural()?,
        1 | 2 | 5 => due.push(Due::Term),
        3 => due.extend([Due::Term, Due::Term]),
        4 => return shape(bits).map(Some),
        6 => {}
        7 => {
            bits.take(7)?;
        }
        8 => {
            bits.natural()?;
            due.push(Due::Terms);
        }
        9 => due.extend([Due::Terms, Due::Term]),
        tag => return Err(format!("an unknown kind of term, {tag}")),
    }
    Ok(None)
}

/// Names of four bits, each after a one; a zero ends them. A list is named 7 5, an array 7 12, a pair 7 7 6, each before its parts.
fn shape(bits: &mut Bits<'_>) -> Result<Shape, String> {
    let mut names = Vec::new();
    while bits.bit()? {
        let position = bits.position;
        names.push((bits.take(Kind::WIDTH)?, position));
    }
    let bls = names
        .iter()
        .filter(|(name, _)| matches!(name, 9..=11))
        .map(|(_, position)| *position)
        .collect();
    let names: Vec<u8> = names.into_iter().map(|(name, _)| name).collect();
    Ok(Shape {
        kinds: kinds(&names)?,
        bls,
    })
}

/// From the last name to the first, so that the parts are there before the whole.
fn kinds(names: &[u8]) -> Result<Vec<Kind>, String> {
    let unknown = || format!("unknown type names: {names:?}");
    let (mut kinds, mut parts) = (Vec::new(), Vec::<usize>::new());
    let mut rest = heads(names).ok_or_else(unknown)?;
    while let Some(head) = rest.pop() {
        let mut part = || parts.pop().ok_or_else(unknown);
        let kind = match head {
            Head::Leaf(kind) => kind,
            Head::List => Kind::List(part()?),
            Head::Array => Kind::Array(part()?),
            Head::Pair => {
                let first = part()?;
                Kind::Pair(first, part()?)
            }
        };
        parts.push(kinds.len());
        kinds.push(kind);
    }
    if parts.len() == 1 {
        Ok(kinds)
    } else {
        Err(unknown())
    }
}

enum Head {
    Leaf(Kind),
    List,
    Array,
    Pair,
}

fn heads(mut names: &[u8]) -> Option<Vec<Head>> {
    let mut heads = Vec::new();
    while !names.is_empty() {
        let (head, rest) = match names {
            [7, 5, rest @ ..] => (Head::List, rest),
            [7, 12, rest @ ..] => (Head::Array, rest),
            [7, 7, 6, rest @ ..] => (Head::Pair, rest),
            [name, rest @ ..] => (Head::Leaf(leaf(*name)?), rest),
            [] => return None,
        };
        heads.push(head);
        names = rest;
    }
    Some(heads)
}

fn leaf(name: u8) -> Option<Kind> {
    Some(match name {
        0 => Kind::Integer,
        1 => Kind::Bytes,
        2 => Kind::Text,
        3 => Kind::Unit,
        4 => Kind::Boolean,
        8 => Kind::Data,
        9 => Kind::G1,
        10 => Kind::G2,
        11 => Kind::MlResult,
        13 => Kind::Value,
        _ => return None,
    })
}

fn value(
    bits: &mut Bits<'_>,
    due: &mut Vec<Due>,
    shape: Option<&Shape>,
    node: usize,
) -> Result<(), String> {
    match shape.map_or(Kind::Unit, |shape| shape.kind(node)) {
        Kind::Integer => bits.natural(),
        Kind::Bytes | Kind::Text | Kind::Data => bits.bytes(),
        Kind::Unit => Ok(()),
        Kind::Boolean => bits.bit().map(|_| ()),
        Kind::List(inner) | Kind::Array(inner) => {
            due.push(Due::Values(inner));
            Ok(())
        }
        Kind::Pair(first, second) => {
            due.extend([Due::Value(second), Due::Value(first)]);
            Ok(())
        }
        Kind::G1 | Kind::G2 | Kind::MlResult => {
            Err("a constant of a BLS type, which has no flat encoding".to_owned())
        }
        Kind::Value => Err("a constant of the type value beside one of a BLS type".to_owned()),
    }
}

/// Bits, the highest of each byte first.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Makes bits zero.
    pub(super) fn clear(bytes: &mut [u8], position: usize, count: usize) {
        for bit in position..position + count {
            if let Some(byte) = bytes.get_mut(bit / 8) {
                *byte &= !(0x80 >> (bit % 8));
            }
        }
    }

    fn bit(&mut self) -> Result<bool, String> {
        let byte = self.bytes.get(self.position / 8);
        let byte = byte.ok_or_else(|| "the program ends inside a term".to_owned())?;
        let bit = byte & (0x80 >> (self.position % 8)) != 0;
        self.position += 1;
        Ok(bit)
    }

    /// At most eight bits, as a number.
    fn take(&mut self, count: usize) -> Result<u8, String> {
        (0..count).try_fold(0, |value: u8, _| Ok(value << 1 | u8::from(self.bit()?)))
    }

    /// Skips a number: bytes, the last of them without its high bit.
    fn natural(&mut self) -> Result<(), String> {
        while self.take(8)? & 0x80 != 0 {}
        Ok(())
    }

    /// Skips bytes: zeros and a one up to a byte's end, then pieces after their lengths, the last of them empty.
    fn bytes(&mut self) -> Result<(), String> {
        while !self.bit()? {}
        if !self.position.is_multiple_of(8) {
            return Err("a byte string that does not start at a byte".to_owned());
        }
        loop {
            match self.take(8)? {
                0 => return Ok(()),
                length => self.position += usize::from(length) * 8,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The flat encoding of a program in textual form.
    fn encoded(body: &str) -> Vec<u8> {
        let arena = amaru_uplc::arena::Arena::new();
        let text = format!("(program 1.1.0 {body})");
        let program = amaru_uplc::syn::parse_program(&arena, &text).into_result();
        amaru_uplc::flat::encode(program.expect("a program")).expect("encodes")
    }

    #[test]
    fn constants_are_found_with_their_types_whatever_stands_between_them() {
        let body = "(lam x [(delay (force (builtin headList))) (case (constr 300 x (con integer -700)) \
            (con (list (pair bytestring bool)) [(#0102, True), (#, False)]) (error) (con string \"abc\"))])";
        let kinds: Vec<Vec<Kind>> = constants(&encoded(body))
            .expect("a program")
            .into_iter()
            .map(|shape| shape.kinds)
            .collect();
        let list = vec![Kind::Boolean, Kind::Bytes, Kind::Pair(1, 0), Kind::List(2)];
        assert_eq!(kinds, [vec![Kind::Integer], list, vec![Kind::Text]]);
    }

    #[test]
    fn types_are_named_before_their_parts() {
        assert_eq!(kinds(&[7, 5, 9]), Ok(vec![Kind::G1, Kind::List(0)]));
        assert_eq!(
            kinds(&[7, 7, 6, 10, 7, 12, 3]),
            Ok(vec![Kind::Unit, Kind::Array(0), Kind::G2, Kind::Pair(2, 1)])
        );
        for names in [&[][..], &[7, 5], &[0, 0], &[7, 7, 6, 0], &[5], &[7]] {
            let refused = Err(format!("unknown type names: {names:?}"));
            assert_eq!(kinds(names), refused);
        }
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = constants(&bytes);
        }
    }
}
