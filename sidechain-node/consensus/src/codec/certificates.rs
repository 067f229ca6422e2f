//! Certificates that keep rounds together, and the proof that a peer is a validator.

use malachitebft_core_consensus::LivenessMsg;
use malachitebft_core_types::{
    PolkaCertificate, PolkaSignature, RoundCertificate, RoundCertificateType, RoundSignature,
    ValidatorProof,
};

use super::votes::{from_option, to_option};
use super::wire::{
    WireLiveness, WirePolka, WireProof, WireRound, WireRoundKind, WireRoundSignature,
};
use super::{CodecError, Wire, defined, into_round};
use crate::context::{Address, BlockHeight, BlockId, Ctx};

impl Wire<PolkaCertificate<Ctx>> for WirePolka {
    fn from_message(polka: &PolkaCertificate<Ctx>) -> Result<Self, CodecError> {
        Ok(WirePolka {
            height: polka.height.0,
            round: defined(polka.round)?,
            block: polka.value_id.0,
            signatures: polka
                .polka_signatures
                .iter()
                .map(|s| (s.address.0, s.signature))
                .collect(),
        })
    }

    fn into_message(self) -> Result<PolkaCertificate<Ctx>, CodecError> {
        let signature = |(id, signature)| PolkaSignature::new(Address(id), signature);
        Ok(PolkaCertificate {
            height: BlockHeight(self.height),
            round: into_round(self.round)?,
            value_id: BlockId(self.block),
            polka_signatures: self.signatures.into_iter().map(signature).collect(),
        })
    }
}

impl WireRoundSignature {
    fn from_signature(signature: &RoundSignature<Ctx>) -> Self {
        WireRoundSignature {
            kind: signature.vote_type.into(),
            block: to_option(signature.value_id),
            validator: signature.address.0,
            signature: signature.signature,
        }
    }

    fn into_signature(self) -> RoundSignature<Ctx> {
        let (kind, block) = (self.kind.into(), from_option(self.block));
        RoundSignature::new(kind, block, Address(self.validator), self.signature)
    }
}

impl Wire<RoundCertificate<Ctx>> for WireRound {
    fn from_message(certificate: &RoundCertificate<Ctx>) -> Result<Self, CodecError> {
        let signatures = certificate.round_signatures.iter();
        Ok(WireRound {
            height: certificate.height.0,
            round: defined(certificate.round)?,
            kind: match certificate.cert_type {
                RoundCertificateType::Skip => WireRoundKind::Skip,
                RoundCertificateType::Precommit => WireRoundKind::Precommit,
            },
            signatures: signatures.map(WireRoundSignature::from_signature).collect(),
        })
    }

    fn into_message(self) -> Result<RoundCertificate<Ctx>, CodecError> {
        let signatures = self.signatures.into_iter();
        Ok(RoundCertificate {
            height: BlockHeight(self.height),
            round: into_round(self.round)?,
            cert_type: match self.kind {
                WireRoundKind::Skip => RoundCertificateType::Skip,
                WireRoundKind::Precommit => RoundCertificateType::Precommit,
            },
            round_signatures: signatures.map(WireRoundSignature::into_signature).collect(),
        })
    }
}

impl Wire<LivenessMsg<Ctx>> for WireLiveness {
    fn from_message(message: &LivenessMsg<Ctx>) -> Result<Self, CodecError> {
        Ok(match message {
            LivenessMsg::Vote(vote) => WireLiveness::Vote(Wire::from_message(vote)?),
            LivenessMsg::PolkaCertificate(c) => WireLiveness::Polka(Wire::from_message(c)?),
            LivenessMsg::SkipRoundCertificate(c) => WireLiveness::Round(Wire::from_message(c)?),
        })
    }

    fn into_message(self) -> Result<LivenessMsg<Ctx>, CodecError> {
        Ok(match self {
            WireLiveness::Vote(vote) => LivenessMsg::Vote(vote.into_message()?),
            WireLiveness::Polka(c) => LivenessMsg::PolkaCertificate(c.into_message()?),
            WireLiveness::Round(c) => LivenessMsg::SkipRoundCertificate(c.into_message()?),
        })
    }
}

impl Wire<ValidatorProof<Ctx>> for WireProof {
    fn from_message(proof: &ValidatorProof<Ctx>) -> Result<Self, CodecError> {
        let (public_key, peer_id) = (proof.public_key.clone(), proof.peer_id.clone());
        Ok(WireProof {
            public_key,
            peer_id,
            signature: proof.signature,
        })
    }

    fn into_message(self) -> Result<ValidatorProof<Ctx>, CodecError> {
        Ok(ValidatorProof::new(
            self.public_key,
            self.peer_id,
            self.signature,
        ))
    }
}
