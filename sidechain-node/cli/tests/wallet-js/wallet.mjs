// A wallet as browsers have them, for tests: its own keys, and CIP-30's signData made with the JavaScript libraries that such wallets use.
//
//   node wallet.mjs address                            → {"address": bech32, "address_hex", "mainnet_address_hex"}
//   node wallet.mjs sign ADDRESS_HEX PAYLOAD_HEX       → {"signature", "key"}: CIP-30's DataSignature
//   node wallet.mjs sign ADDRESS_HEX PAYLOAD_HEX hashed   the same over the payload's hash, as hardware wallets do for long texts
//
// WALLET_ENTROPY (32 hexadecimal digits) says whose wallet it is.
import * as csl from '@emurgo/cardano-serialization-lib-nodejs';
import * as ms from '@emurgo/cardano-message-signing-nodejs';

const bytes = (hex) => Buffer.from(hex, 'hex');
const hex = (array) => Buffer.from(array).toString('hex');
const negative = (n) => ms.Label.new_int(ms.Int.new_negative(ms.BigNum.from_str(String(n))));

/** The stake key of the wallet's first account: m/1852'/1815'/0'/2/0 (CIP-1852). */
function stakeKey(entropy) {
  const hardened = (n) => n + 0x80000000;
  const root = csl.Bip32PrivateKey.from_bip39_entropy(bytes(entropy), Buffer.alloc(0));
  const account = [1852, 1815, 0].reduce((key, n) => key.derive(hardened(n)), root);
  return account.derive(2).derive(0).to_raw_key();
}

function rewardAddress(key, network) {
  const credential = csl.Credential.from_keyhash(key.to_public().hash());
  return csl.RewardAddress.new(network, credential).to_address();
}

function addresses(key) {
  const test = rewardAddress(key, csl.NetworkInfo.testnet_preprod().network_id());
  const main = rewardAddress(key, csl.NetworkInfo.mainnet().network_id());
  return { address: test.to_bech32(), address_hex: test.to_hex(), mainnet_address_hex: main.to_hex() };
}

function signData(key, addressHex, payloadHex, hashed) {
  const header = ms.HeaderMap.new();
  header.set_algorithm_id(ms.Label.from_algorithm_id(ms.AlgorithmId.EdDSA));
  header.set_header(ms.Label.new_text('address'), ms.CBORValue.new_bytes(bytes(addressHex)));
  const headers = ms.Headers.new(ms.ProtectedHeaderMap.new(header), ms.HeaderMap.new());
  const builder = ms.COSESign1Builder.new(headers, bytes(payloadHex), false);
  if (hashed) builder.hash_payload();
  const signature = key.sign(builder.make_data_to_sign().to_bytes()).to_bytes();
  return { signature: hex(builder.build(signature).to_bytes()), key: hex(coseKey(key).to_bytes()) };
}

/** RFC 9053 §7.2: key type OKP, algorithm EdDSA, curve Ed25519 (−1: 6), x (−2). */
function coseKey(key) {
  const cose = ms.COSEKey.new(ms.Label.from_key_type(ms.KeyType.OKP));
  cose.set_algorithm_id(ms.Label.from_algorithm_id(ms.AlgorithmId.EdDSA));
  cose.set_header(negative(1), ms.CBORValue.new_int(ms.Int.new_i32(6)));
  cose.set_header(negative(2), ms.CBORValue.new_bytes(key.to_public().as_bytes()));
  return cose;
}

const [command, ...rest] = process.argv.slice(2);
const key = stakeKey(process.env.WALLET_ENTROPY ?? '00'.repeat(16));
switch (command) {
  case 'address':
    process.stdout.write(JSON.stringify(addresses(key)));
    break;
  case 'sign':
    process.stdout.write(JSON.stringify(signData(key, rest[0], rest[1], rest[2] === 'hashed')));
    break;
  default:
    process.stderr.write('wallet.mjs address | sign ADDRESS_HEX PAYLOAD_HEX [hashed]\n');
    process.exit(2);
}
