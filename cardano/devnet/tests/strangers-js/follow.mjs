// Follows a node over its Unix socket with a client that is not ours, and prints a line for each block and each rollback.
import { connect } from "node:net";
import { blake2b } from "@noble/hashes/blake2b";
import { Cbor, CborArray, CborMap, CborSimple, CborTag, CborUInt } from "@harmoniclabs/cbor";
import { ChainSyncClient, HandshakeClient, MiniProtocol, Multiplexer } from "@harmoniclabs/ouroboros-miniprotocols-ts";

const [path, magic] = process.argv.slice(2);
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const say = (line) => console.log(JSON.stringify(line));
const VERSION = 16;
const N2C_BIT = 0x8000;

const open = () => new Multiplexer({ connect: () => connect({ path }), protocolType: "node-to-client" });

// The library's own handshake: it asks what there is, whatever it is told of `query`, and a node then closes.
async function query() {
  const multiplexer = open();
  const sent = [];
  multiplexer.on("send", (payload) => sent.push(hex(payload)));
  const reply = await new HandshakeClient(multiplexer).propose({ networkMagic: Number(magic), query: false });
  say({ queried: reply.constructor.name, versions: Object.keys(reply.versionTable).map(Number), sent });
  multiplexer.close();
}

// So the proposal is written here, in its bytes; what is answered the library reads.
async function accept() {
  const multiplexer = open();
  const client = new HandshakeClient(multiplexer);
  const accepted = new Promise((resolve) => client.on("accept", resolve));
  const data = new CborArray([new CborUInt(Number(magic)), new CborSimple(false)]);
  const versions = new CborMap([{ k: new CborUInt(VERSION + N2C_BIT), v: data }]);
  const proposal = Cbor.encode(new CborArray([new CborUInt(0), versions]));
  multiplexer.send(proposal.toBuffer(), { hasAgency: true, protocol: MiniProtocol.Handshake });
  say({ accepted: (await accepted).versionNumber });
  client.terminate();
  return multiplexer;
}

function point({ blockHeader }) {
  return blockHeader ? { slot: Number(blockHeader.slotNumber), hash: hex(blockHeader.hash) } : null;
}

// tag 24 around [era, [header, …]]: the header's hash is that of its bytes as they came.
function headerHash(message) {
  const wrapped = Cbor.parse(message.getDataBytes());
  const block = Cbor.parseLazy(wrapped.data.bytes);
  const header = Cbor.parseLazy(block.array[1]).array[0];
  return hex(blake2b(header, { dkLen: 32 }));
}

await query();
const multiplexer = await accept();
const client = new ChainSyncClient(multiplexer);
client.on("error", (error) => { throw error; });
client.on("rollForward", (message) => {
  say({ forward: headerHash(message), tip: point(message.tip.point) });
  client.requestNext();
});
client.on("rollBackwards", (message) => {
  say({ back: point(message.point) });
  client.requestNext();
});
// The origin alone: the first answer is the rollback to it.
await client.findIntersect([{ blockHeader: undefined }]);
client.requestNext();
