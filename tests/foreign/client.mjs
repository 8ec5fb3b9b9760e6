// A peer of another libp2p, against a node. One JSON object a line goes out; what is asked of it comes in by the command line, and it ends
// when its standard input does.
//
//   client.mjs write ADDR TEXT      card, prekey, a first contact with the text, and whatever comes of it
//   client.mjs ask ADDR COUNT       so many card questions at once, on one connection
//   client.mjs stay ADDR COUNT      so many peers who only are there
//   client.mjs break ADDR COUNT     so many who say that they hold records of the DHT, and refuse every stream of it

import './node20.mjs'

import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { randomBytes } from 'node:crypto'
import { createLibp2p } from 'libp2p'

import { concat } from './bytes.mjs'
import * as content from './content.mjs'
import { ACK, ENVELOPE, Frames, HELLO, envelope, frame, id, payload } from './envelope.mjs'
import * as identity from './identity.mjs'
import { begin } from './session.mjs'

const ENVELOPES = '/rohrpost/env/1'
const CARDS = '/rohrpost/card/1'
const DHT = '/rohrpost/kad/1'
const MAX_ANSWER = 1 + 2 + 4096 + 2 + 2048

const say = (line) => console.log(JSON.stringify(line))

/** Somebody on js-libp2p. */
async function somebody (listen = []) {
  const seed = Uint8Array.from(randomBytes(32))
  const privateKey = await generateKeyPairFromSeed('Ed25519', seed)
  const node = await createLibp2p({
    privateKey,
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), ping: ping() }
  })
  return { node, seed, key: privateKey.publicKey.raw, id: node.peerId.toString() }
}

/** What a peer has listed in identify, when he has. */
function identified (node) {
  return new Promise((resolve) => {
    node.addEventListener('peer:identify', (event) => resolve(event.detail.protocols), { once: true })
  })
}

/** Everything to the end. */
async function drain (stream, longest) {
  const parts = []
  let length = 0
  for await (const chunk of stream) {
    const bytes = chunk.subarray()
    length += bytes.length
    if (length > longest) throw new Error('too long')
    parts.push(bytes)
  }
  return concat(...parts)
}

/** NET-30 to NET-32. */
async function askCard (connection, owner, wantPrekey) {
  const stream = await connection.newStream(CARDS, { negotiateFully: true })
  stream.send(Uint8Array.of(1, wantPrekey ? 1 : 0))
  await stream.close()
  const answer = await drain(stream, MAX_ANSWER)
  if (answer[0] !== 1) throw new Error('another version, or nothing')
  const length = (answer[1] << 8) | answer[2]
  const rest = answer.slice(3 + length)
  const prekey = rest.slice(2)
  if (prekey.length !== ((rest[0] << 8) | rest[1])) throw new Error('the length of the prekey is wrong')
  const card = identity.card(answer.slice(3, 3 + length), owner)
  return { card, oneTime: prekey.length > 0 ? identity.oneTime(prekey, owner) : null }
}

/** Sends envelopes on one stream, in order; tells what is acknowledged or refused. */
async function sender (connection) {
  const stream = await connection.newStream(ENVELOPES)
  stream.send(frame(HELLO, 1))
  const [frames, waiting] = [new Frames(), []]
  let sequence = 0
  const heard = (async () => {
    for await (const chunk of stream) {
      for (const { kind, n, body } of frames.push(chunk.subarray())) {
        if (kind === HELLO) continue
        waiting.shift()(kind === ACK ? { acknowledged: n } : { refused: n, reason: body[0] })
      }
    }
    waiting.splice(0).forEach((lost) => lost({ lost: true }))
  })()
  heard.catch(() => waiting.splice(0).forEach((lost) => lost({ lost: true })))
  return (bytes) => new Promise((resolve) => {
    waiting.push(resolve)
    sequence += 1
    stream.send(frame(ENVELOPE, sequence, bytes))
  })
}

/** Takes the envelopes of whoever opens a stream, one after the other, and acknowledges them. */
async function receive (node, take) {
  await node.handle(ENVELOPES, async (stream) => {
    stream.send(frame(HELLO, 1))
    const frames = new Frames()
    for await (const chunk of stream) {
      for (const { kind, n, body } of frames.push(chunk.subarray())) {
        if (kind !== ENVELOPE) continue
        await take(payload(body))
        stream.send(frame(ACK, n))
      }
    }
  })
}

async function write (addr, words) {
  const me = await somebody()
  const theirs = identified(me.node)
  let session
  let send
  let their
  await receive(me.node, async ({ kind, payload }) => {
    if (kind !== 1) throw new Error(`an envelope of kind ${kind}`)
    const { texts, ids, delivered } = content.read(session.open(payload), their)
    for (const text of texts) say({ event: 'text', text })
    for (const id of delivered) say({ event: 'delivered', id: Buffer.from(id).toString('hex') })
    if (ids.length > 0) {
      const report = session.seal(content.capsule([content.delivered(ids)]))
      send(envelope(report)).then((outcome) => say({ event: 'reported', ...outcome }))
    }
  })
  const connection = await me.node.dial(multiaddr(addr))
  const peer = { id: connection.remotePeer.toString(), key: connection.remotePeer.publicKey.raw }
  their = { ...content.uris(peer, me) }
  say({ event: 'connected', as: me.id, protocols: await theirs })
  say({ event: 'ping', milliseconds: await me.node.services.ping.ping(connection.remotePeer) })
  const bundle = await askCard(connection, peer.key, true)
  say({ event: 'card', sequence: String(bundle.card.sequence), prekey: bundle.oneTime !== null })
  session = begin(me.seed, me.key, peer.key, bundle)
  const ours = content.uris(me, peer)
  const message = content.text(ours, words, 1)
  const first = envelope(session.seal(content.capsule([content.introduction('Jo'), content.message(message)])))
  send = await sender(connection)
  const name = Buffer.from(content.messageId(ours, message)).toString('hex')
  say({ event: 'sent', id: name, envelope: Buffer.from(id(first)).toString('hex'), ...await send(first) })
}

async function ask (addr, count) {
  const me = await somebody()
  const connection = await me.node.dial(multiaddr(addr))
  const owner = connection.remotePeer.publicKey.raw
  const asked = Array.from({ length: Number(count) }, () => askCard(connection, owner, false))
  const outcomes = await Promise.allSettled(asked)
  const answered = outcomes.filter(({ status }) => status === 'fulfilled').length
  const reasons = [...new Set(outcomes.filter(({ reason }) => reason).map(({ reason }) => String(reason)))]
  const alive = connection.status === 'open'
  // By the same connection, or not at all.
  const again = alive ? await askCard(connection, owner, false).then(() => true, () => false) : false
  say({ event: 'asked', answered, reset: outcomes.length - answered, reasons, alive, again })
}

async function stay (addr, count, promise = false) {
  const peers = []
  for (let n = 0; n < Number(count); n++) {
    const me = await somebody(promise ? ['/ip4/127.0.0.1/tcp/0'] : [])
    if (promise) await me.node.handle(DHT, (stream) => stream.abort(new Error('not what it was said to be')))
    const listed = identified(me.node)
    const connection = await me.node.dial(multiaddr(addr))
    await listed
    if (promise) {
      // What he has asked us is answered when this is.
      await me.node.services.ping.ping(connection.remotePeer)
      // Nobody is told (there is no push).
      await me.node.unhandle(DHT)
    }
    connection.addEventListener('close', () => say({ event: 'closed', as: me.id }))
    peers.push(me)
  }
  say({ event: 'there', peers: peers.map(({ id }) => id) })
}

const [what, ...rest] = process.argv.slice(2)
process.stdin.on('end', () => process.exit(0)).resume()
process.on('unhandledRejection', (error) => {
  say({ event: 'failed', error: String(error?.stack ?? error) })
  process.exit(1)
})
await { write, ask, stay, break: (addr, count) => stay(addr, count, true) }[what](...rest)
