use std::fmt::Debug;

use malachitebft_app::streaming::{StreamContent, StreamId};
use malachitebft_app::types::{Keypair, PeerId};
use malachitebft_core_types::{
    Context as _, ExtendedCommitCertificate, ExtendedCommitSignature, NilOrVal, PolkaSignature,
    RoundCertificate, RoundCertificateType, RoundSignature, SignedMessage, Validity, VoteType,
};
use malachitebft_sync::{RawDecidedValue, ValueRequest, ValueResponse};
use nupeer_primitives::{Hash, Hash28, Height, Signature};
use proptest::prelude::*;

use super::wire::{ROUND_END, STREAM_ID_BYTES};
use super::*;
use crate::context::{Address, Announcement, BlockHeight, BlockId, BlockVote};

const CODEC: WireCodec = WireCodec {
    response_bytes_max: 1 << 20,
};
const ALICE: Address = Address(Hash28([0xa1; 28]));
const SIGNATURE: Signature = Signature([0x51; 64]);
const BLOCK: BlockId = BlockId(Hash([0xb1; 32]));

fn vote(kind: VoteType, height: u64, round: u32, block: NilOrVal<BlockId>) -> BlockVote {
    BlockVote {
        kind,
        height: BlockHeight(height),
        round: Round::new(round),
        block,
        validator: ALICE,
    }
}

fn signed_vote(block: NilOrVal<BlockId>) -> SignedMessage<Ctx, BlockVote> {
    SignedMessage::new(vote(VoteType::Precommit, 7, 1, block), SIGNATURE)
}

fn proposal(round: u32, pol_round: Round) -> SignedConsensusMsg<Ctx> {
    let round = Round::new(round);
    let proposal = Ctx.new_proposal(BlockHeight(7), round, BLOCK, pol_round, ALICE);
    SignedConsensusMsg::Proposal(SignedMessage::new(proposal, SIGNATURE))
}

fn polka() -> PolkaCertificate<Ctx> {
    PolkaCertificate {
        height: BlockHeight(7),
        round: Round::new(1),
        value_id: BLOCK,
        polka_signatures: vec![PolkaSignature::new(ALICE, SIGNATURE)],
    }
}

fn round_certificate(block: NilOrVal<BlockId>) -> RoundCertificate<Ctx> {
    RoundCertificate {
        height: BlockHeight(7),
        round: Round::new(1),
        cert_type: RoundCertificateType::Skip,
        round_signatures: vec![RoundSignature::new(
            VoteType::Prevote,
            block,
            ALICE,
            SIGNATURE,
        )],
    }
}

fn proposed(valid_round: Round) -> ProposedValue<Ctx> {
    ProposedValue {
        height: BlockHeight(7),
        round: Round::new(1),
        valid_round,
        proposer: ALICE,
        value: BLOCK,
        validity: Validity::Valid,
    }
}

fn announcement(valid_round: Option<u32>) -> Announcement {
    Announcement {
        height: Height(7),
        round: 1,
        valid_round,
        proposer: ALICE.0,
        block: BLOCK.0,
        length: 5,
        signature: SIGNATURE,
    }
}

fn stream_part(sequence: u64, part: Part) -> StreamMessage<Part> {
    let id = StreamId::new(vec![0x1d; STREAM_ID_BYTES].into());
    StreamMessage::new(id, sequence, StreamContent::Data(part))
}

fn certificate(height: u64) -> ExtendedCommitCertificate<Ctx> {
    ExtendedCommitCertificate {
        height: BlockHeight(height),
        round: Round::new(1),
        value_id: BLOCK,
        commit_signatures: vec![ExtendedCommitSignature::new(ALICE, SIGNATURE, None)],
    }
}

fn response(start: u64, blocks: &[Vec<u8>]) -> Response<Ctx> {
    let value = |(at, block): (usize, &Vec<u8>)| {
        RawDecidedValue::new(block.clone().into(), certificate(start + at as u64))
    };
    let values = blocks.iter().enumerate().map(value).collect();
    Response::ValueResponse(ValueResponse::new(BlockHeight(start), values))
}

fn request(from: u64, to: u64) -> Request<Ctx> {
    Request::ValueRequest(ValueRequest::new(BlockHeight(from)..=BlockHeight(to)))
}

fn status(tip: u64) -> Status<Ctx> {
    let keypair = Keypair::ed25519_from_bytes([7; 32]).unwrap();
    Status {
        peer_id: PeerId::from_bytes(&keypair.public().to_peer_id().to_bytes()).unwrap(),
        tip_height: BlockHeight(tip),
        history_min_height: BlockHeight(1),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[track_caller]
fn returns<T>(message: &T) -> Bytes
where
    WireCodec: Codec<T, Error = CodecError>,
    T: PartialEq + Debug,
{
    let bytes = CODEC.encode(message).unwrap();
    assert_eq!(CODEC.decode(bytes.clone()).as_ref(), Ok(message));
    bytes
}

/// The message's bytes are these, once the long fixed fields are shortened to their names.
#[track_caller]
fn golden<T>(message: T, expected: &str)
where
    WireCodec: Codec<T, Error = CodecError>,
    T: PartialEq + Debug,
{
    let short = hex(&returns(&message))
        .replace(&format!("581c{}", "a1".repeat(28)), " ALICE ")
        .replace(&format!("5840{}", "51".repeat(64)), " SIGNATURE ")
        .replace(&format!("5820{}", "b1".repeat(32)), " BLOCK ")
        .replace(&format!("50{}", "1d".repeat(16)), " STREAM ");
    assert_eq!(short, expected);
}

#[test]
fn statements_are_pinned() {
    let nil = SignedConsensusMsg::Vote(signed_vote(NilOrVal::Nil));
    golden(nil, "82008186010701f6 ALICE  SIGNATURE ");
    let block = SignedConsensusMsg::Vote(signed_vote(NilOrVal::Val(BLOCK)));
    golden(block, "82008186010701 BLOCK  ALICE  SIGNATURE ");
    golden(
        proposal(1, Round::Nil),
        "820181860701 BLOCK f6 ALICE  SIGNATURE ",
    );
    golden(
        proposal(1, Round::new(0)),
        "820181860701 BLOCK 00 ALICE  SIGNATURE ",
    );
}

#[test]
fn certificates_are_pinned() {
    golden(polka(), "840701 BLOCK 8182 ALICE  SIGNATURE ");
    golden(
        LivenessMsg::PolkaCertificate(polka()),
        "820181840701 BLOCK 8182 ALICE  SIGNATURE ",
    );
    let rebroadcast = LivenessMsg::Vote(signed_vote(NilOrVal::Nil));
    golden(rebroadcast, "82008186010701f6 ALICE  SIGNATURE ");
    let skip = LivenessMsg::SkipRoundCertificate(round_certificate(NilOrVal::Nil));
    golden(skip, "82028184070100818400f6 ALICE  SIGNATURE ");
    let proof = ValidatorProof::new(vec![1; 32], vec![2, 3], SIGNATURE);
    golden(
        proof,
        &format!("835820{}420203 SIGNATURE ", "01".repeat(32)),
    );
}

#[test]
fn parts_are_pinned() {
    let announce = Part::Announcement(announcement(None));
    golden(
        announce.clone(),
        "820081870701f6 ALICE  BLOCK 05 SIGNATURE ",
    );
    golden(
        stream_part(0, announce),
        "83 STREAM 00820081870701f6 ALICE  BLOCK 05 SIGNATURE ",
    );
    let bytes = Part::Bytes(Bytes::from_static(b"block"));
    golden(stream_part(3, bytes), "83 STREAM 0382018145626c6f636b");
}

#[test]
fn the_crash_log_is_pinned() {
    golden(proposed(Round::Nil), "860701f6 ALICE  BLOCK f5");
    golden(proposed(Round::new(0)), "86070100 ALICE  BLOCK f5");
}

#[test]
fn fetching_is_pinned() {
    golden(request(7, 9), "820709");
    golden(
        response(7, &[b"block".to_vec()]),
        "8207818245626c6f636b840701 BLOCK 8182 ALICE  SIGNATURE ",
    );
    let peer = hex(&status(9).peer_id.to_bytes());
    golden(status(9), &format!("835826{peer}0901"));
}

#[test]
fn rounds_that_nobody_reaches_are_refused() {
    let refused = CodecError::Round {
        provided: ROUND_END,
    };
    let bytes = CODEC.encode(&proposal(ROUND_END, Round::Nil)).unwrap();
    let decoded: Result<SignedConsensusMsg<Ctx>, _> = CODEC.decode(bytes);
    assert_eq!(decoded, Err(refused.clone()));
    let bytes = CODEC
        .encode(&Part::Announcement(announcement(Some(ROUND_END))))
        .unwrap();
    let decoded: Result<Part, _> = CODEC.decode(bytes);
    assert_eq!(decoded, Err(refused));
}

#[test]
fn responses_with_gaps_are_refused_even_at_the_last_height() {
    let Response::ValueResponse(mut broken) = response(7, &[vec![1], vec![2]]);
    broken.values[1].certificate.height = BlockHeight(9);
    let bytes = CODEC.encode(&Response::ValueResponse(broken)).unwrap();
    let decoded: Result<Response<Ctx>, _> = CODEC.decode(bytes);
    assert_eq!(decoded, Err(CodecError::Gap { expected: 8 }));
    returns(&response(u64::MAX, &[vec![1]]));
}

#[test]
fn what_is_too_long_is_refused_unread() {
    let bytes = Bytes::from(vec![0xff; STATEMENT_BYTES_MAX + 1]);
    let (provided, maximum) = (bytes.len(), STATEMENT_BYTES_MAX);
    let decoded: Result<SignedConsensusMsg<Ctx>, _> = CODEC.decode(bytes);
    assert_eq!(
        decoded,
        Err(nupeer_primitives::cbor::CborError::TooLong { provided, maximum }.into())
    );
}

#[test]
fn streams_have_names_of_one_length_and_no_end_of_their_own() {
    let id = StreamId::new(vec![1; 15].into());
    let content = StreamContent::Data(Part::Bytes(Bytes::from_static(b"x")));
    let bytes = CODEC
        .encode(&StreamMessage::new(id.clone(), 1, content))
        .unwrap();
    let decoded: Result<StreamMessage<Part>, _> = CODEC.decode(bytes);
    assert_eq!(decoded, Err(CodecError::StreamId { provided: 15 }));
    let end: StreamMessage<Part> = StreamMessage::new(id, 1, StreamContent::Fin);
    assert_eq!(CODEC.encode(&end), Err(CodecError::StreamEnd));
}

fn blocks() -> impl Strategy<Value = NilOrVal<BlockId>> {
    prop_oneof![
        Just(NilOrVal::Nil),
        any::<[u8; 32]>().prop_map(|hash| NilOrVal::Val(BlockId(Hash(hash)))),
    ]
}

fn optional_round() -> impl Strategy<Value = Option<u32>> {
    prop::option::of(0..ROUND_END)
}

proptest! {
    #[test]
    fn votes_return(height: u64, round in 0..ROUND_END, block in blocks(), precommit: bool) {
        let kind = if precommit { VoteType::Precommit } else { VoteType::Prevote };
        let vote = SignedMessage::new(vote(kind, height, round, block), SIGNATURE);
        returns(&SignedConsensusMsg::Vote(vote.clone()));
        returns(&LivenessMsg::Vote(vote));
        returns(&LivenessMsg::SkipRoundCertificate(round_certificate(block)));
    }

    #[test]
    fn proposals_return(round in 0..ROUND_END, pol in optional_round(), valid: bool) {
        returns(&proposal(round, pol.into()));
        let validity = Validity::from_bool(valid);
        returns(&ProposedValue { round: Round::new(round), validity, ..proposed(pol.into()) });
        returns(&stream_part(0, Part::Announcement(announcement(pol))));
    }

    #[test]
    fn parts_and_heights_return(
        sequence: u64,
        bytes in prop::collection::vec(any::<u8>(), 0..2000),
        from: u64,
        to: u64,
    ) {
        returns(&stream_part(sequence, Part::Bytes(bytes.into())));
        returns(&request(from, to));
        returns(&status(to));
    }

    #[test]
    fn responses_return_within_their_promised_length(
        start in 0..u64::MAX - 9,
        blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..9),
    ) {
        let response = response(start, &blocks);
        let bytes = returns(&response);
        prop_assert!(bytes.len() <= CODEC.encoded_len(&response).unwrap());
    }

    #[test]
    fn garbage_is_refused_or_has_one_encoding(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        all_decoders(bytes.into());
    }

    #[test]
    fn damaged_messages_are_refused_or_have_one_encoding(
        which in 0usize..8,
        at: prop::sample::Index,
        flip in 1u8..,
        cut: prop::sample::Index,
    ) {
        let samples = [
            CODEC.encode(&SignedConsensusMsg::Vote(signed_vote(NilOrVal::Val(BLOCK)))).unwrap(),
            CODEC.encode(&proposal(1, Round::new(0))).unwrap(),
            CODEC.encode(&LivenessMsg::PolkaCertificate(polka())).unwrap(),
            CODEC.encode(&LivenessMsg::SkipRoundCertificate(round_certificate(NilOrVal::Nil))).unwrap(),
            CODEC.encode(&stream_part(0, Part::Announcement(announcement(Some(0))))).unwrap(),
            CODEC.encode(&response(7, &[b"block".to_vec()])).unwrap(),
            CODEC.encode(&status(9)).unwrap(),
            CODEC.encode(&proposed(Round::Nil)).unwrap(),
        ];
        let mut bytes = samples[which].to_vec();
        let place = at.index(bytes.len());
        bytes[place] ^= flip;
        all_decoders(bytes.clone().into());
        bytes.truncate(cut.index(bytes.len()));
        all_decoders(bytes.into());
    }
}

/// What fuzzing starts from are messages of all kinds; the first byte says which.
#[test]
fn the_fuzz_corpus_has_each_kind_and_all_of_it_is_accepted() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/consensus");
    let mut kinds = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = Bytes::from(std::fs::read(&path).unwrap());
        let (kind, message) = (bytes[0], bytes.slice(1..));
        let accepted = match kind {
            0 => is_accepted::<SignedConsensusMsg<Ctx>>(message),
            1 => is_accepted::<ProposedValue<Ctx>>(message),
            2 => is_accepted::<LivenessMsg<Ctx>>(message),
            3 => is_accepted::<PolkaCertificate<Ctx>>(message),
            4 => is_accepted::<ValidatorProof<Ctx>>(message),
            5 => is_accepted::<Part>(message),
            6 => is_accepted::<StreamMessage<Part>>(message),
            7 => is_accepted::<Status<Ctx>>(message),
            8 => is_accepted::<Request<Ctx>>(message),
            9 => is_accepted::<Response<Ctx>>(message),
            _ => false,
        };
        assert!(accepted, "{}", path.display());
        kinds.insert(kind);
    }
    assert_eq!(kinds, (0..10).collect());
}

fn is_accepted<T>(message: Bytes) -> bool
where
    WireCodec: Codec<T, Error = CodecError>,
{
    Codec::<T>::decode(&CODEC, message).is_ok()
}

/// No decoder panics, and what one accepts it encodes to the same bytes.
fn all_decoders(bytes: Bytes) {
    one_encoding::<SignedConsensusMsg<Ctx>>(&bytes);
    one_encoding::<ProposedValue<Ctx>>(&bytes);
    one_encoding::<LivenessMsg<Ctx>>(&bytes);
    one_encoding::<PolkaCertificate<Ctx>>(&bytes);
    one_encoding::<ValidatorProof<Ctx>>(&bytes);
    one_encoding::<Part>(&bytes);
    one_encoding::<StreamMessage<Part>>(&bytes);
    one_encoding::<Status<Ctx>>(&bytes);
    one_encoding::<Request<Ctx>>(&bytes);
    one_encoding::<Response<Ctx>>(&bytes);
}

fn one_encoding<T>(bytes: &Bytes)
where
    WireCodec: Codec<T, Error = CodecError>,
{
    if let Ok(message) = Codec::<T>::decode(&CODEC, bytes.clone()) {
        assert_eq!(CODEC.encode(&message).as_ref(), Ok(bytes));
    }
}
