//! Applying parameters to a script: `(program v (apply script parameter))`, flat-encoded anew.
//!
//! The compiler's `aiken blueprint apply` does the same, but is not on a user's machine; a test compares the two
//! where it is.

use amaru_uplc::{
    arena::Arena, binder::DeBruijn, data::PlutusData, flat, machine::PlutusVersion, term::Term,
};
use nupeer_primitives::{Code, Numbered, plutus::Data};

use crate::PlutusScript;

/// The protocol version whose builtins a script may use.
const PROTOCOL_VERSION: u32 = 10;

/// Why a script takes no parameter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// No CBOR byte string.
    #[error("the script is no CBOR byte string: {0}")]
    Cbor(String),
    /// No flat program of protocol version 10.
    #[error("the script is no flat program: {0}")]
    Flat(String),
    /// The parameter is no Plutus data that the script could hold.
    #[error("the parameter cannot be written: {0}")]
    Parameter(String),
}

impl Numbered for ApplyError {
    fn code(&self) -> Code {
        match self {
            ApplyError::Cbor(_) => Code(3080),
            ApplyError::Flat(_) => Code(3081),
            ApplyError::Parameter(_) => Code(3082),
        }
    }
}

impl PlutusScript {
    /// The script with its first parameters fixed, in their order.
    pub fn apply(&self, parameters: &[Data]) -> Result<PlutusScript, ApplyError> {
        let arena = Arena::new();
        let flat_bytes: &[u8] = unwrap(self.as_bytes())?;
        let program = flat::decode_strict::<DeBruijn>(
            &arena,
            flat_bytes,
            PlutusVersion::V3,
            PROTOCOL_VERSION,
        )
        .map_err(|error| ApplyError::Flat(error.to_string()))?;
        let applied = parameters.iter().try_fold(program, |program, parameter| {
            let data = PlutusData::from_cbor(&arena, &parameter.to_cbor())
                .map_err(|error| ApplyError::Parameter(error.to_string()))?;
            Ok(program.apply(&arena, Term::data(&arena, data)))
        })?;
        let flat_bytes =
            flat::encode(applied).map_err(|error| ApplyError::Flat(error.to_string()))?;
        Ok(PlutusScript::new(wrap(&flat_bytes)))
    }
}

/// The flat program inside of a script's CBOR, which must end with it.
pub fn unwrap(cbor: &[u8]) -> Result<&[u8], ApplyError> {
    let mut decoder = minicbor::Decoder::new(cbor);
    let flat_bytes = decoder
        .bytes()
        .map_err(|error| ApplyError::Cbor(error.to_string()))?;
    if decoder.position() == cbor.len() {
        Ok(flat_bytes)
    } else {
        Err(ApplyError::Cbor("bytes after its end".to_owned()))
    }
}

fn wrap(flat_bytes: &[u8]) -> Vec<u8> {
    let mut encoder = minicbor::Encoder::new(Vec::new());
    // Writing to a vector cannot fail.
    let _ = encoder.bytes(flat_bytes);
    encoder.into_writer()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Blueprint, Validator};

    #[test]
    fn applying_nothing_changes_nothing() {
        let blueprint = Blueprint::embedded().expect("the committed blueprint");
        for validator in Validator::ALL {
            let script = blueprint.script(validator);
            assert_eq!(
                script.apply(&[]).as_ref(),
                Ok(script),
                "{}",
                validator.title()
            );
        }
    }

    #[test]
    fn a_parameter_changes_the_hash_and_order_matters() {
        let blueprint = Blueprint::embedded().expect("the committed blueprint");
        let script = blueprint.script(Validator::Vault);
        let (one, two) = (Data::Int(1), Data::bytes([2; 100]));
        let hash = |parameters: &[Data]| script.apply(parameters).expect("applied").hash();
        assert_ne!(
            hash(&[one.clone(), two.clone()]),
            hash(&[two.clone(), one.clone()])
        );
        let step_by_step = script
            .apply(std::slice::from_ref(&one))
            .and_then(|script| script.apply(std::slice::from_ref(&two)));
        assert_eq!(
            step_by_step.map(|script| script.hash()),
            Ok(hash(&[one, two]))
        );
    }

    #[test]
    fn what_is_no_script_is_refused() {
        for (bytes, wanted) in [
            (&[0x01][..], "cbor"),
            (&[0x41, 0x00, 0x00], "cbor"),
            (&[0x41, 0xff], "flat"),
        ] {
            let found = match PlutusScript::new(bytes.to_vec()).apply(&[]) {
                Err(ApplyError::Cbor(_)) => "cbor",
                Err(ApplyError::Flat(_)) => "flat",
                other => panic!("{other:?}"),
            };
            assert_eq!(found, wanted);
        }
    }
}
