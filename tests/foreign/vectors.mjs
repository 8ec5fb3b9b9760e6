// The vectors of the protocol against this implementation, before it meets a node.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { multiaddr } from '@multiformats/multiaddr'
import { ml_kem768 as kem } from '@noble/post-quantum/ml-kem.js'

import { ascii, concat, dhPublic, hex, sha256, unhex } from './bytes.mjs'
import { envelope, id, padded, payload } from './envelope.mjs'
import { cbor, checkKey } from './identity.mjs'
import { begin } from './session.mjs'

const vectors = (name) => JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url)))

const ENVELOPES = vectors('envelope')
const KINDS = { session: 1, 'first contact': 2, 'first-contact': 2 }
for (const { kind, payload: inner, envelope: whole, envelope_id: name } of ENVELOPES.envelopes) {
  if (!(kind in KINDS)) continue
  const made = envelope({ kind: KINDS[kind], payload: unhex(inner) })
  assert.equal(hex(made), whole)
  assert.equal(hex(id(made)), name)
  assert.equal(hex(payload(made).payload), inner)
}
for (const { length, padded: expected } of ENVELOPES.padding) assert.equal(padded(length), expected)

// ID-50 to ID-56.
const { link } = vectors('values')
const hints = unhex(link.hints)
const check = sha256(concat(ascii('rohrpost/identity/link/v1'), Uint8Array.of(0), unhex(link.owner), hints)).slice(0, 2)
assert.equal(hex(check), link.check)
assert.equal(link.link.split('/')[1], Buffer.from(concat(hints, check)).toString('base64url'))
const [token, name, [mailbox, at], ...addresses] = cbor(hints)
checkKey(mailbox)
assert.deepEqual([hex(token), name, hex(mailbox)], [link.request_token, link.name, link.mailbox])
assert.deepEqual([at, ...addresses].map((bytes) => `${multiaddr(bytes)}`), [link.mailbox_address, ...link.addresses])

const { alice, bob, conversations } = vectors('session')
let [sealed, opened] = [0, 0]
for (const { handshake, messages, one_time: oneTime } of conversations) {
  const publicOf = (seed) => kem.keygen(unhex(seed)).publicKey
  const key = (id, key) => ({ id: BigInt(`0x${id}`), key })
  const bundle = {
    card: {
      prekey: key(bob.prekey_id, dhPublic(unhex(bob.prekey_secret))),
      kem: key(bob.kem_id, publicOf(bob.kem_seed))
    },
    oneTime: oneTime
      ? { ...key(bob.one_time_id, dhPublic(unhex(bob.one_time_secret))), kem: publicOf(bob.one_time_kem_seed) }
      : null
  }
  const drawn = [handshake.random_ephemeral_secret, handshake.random_m]
  const session = begin(unhex(alice.seed), unhex(alice.public), unhex(bob.public), bundle, () => unhex(drawn.shift()))
  assert.equal(hex(session.header), handshake.first_contact_header)
  assert.equal(hex(session.root), handshake.root_key)
  assert.equal(hex(session.id), handshake.session_id)
  for (const message of messages) {
    // An offer or an answer is beyond this implementation.
    if (message.header.length !== 2 * 73) break
    if (message.from === 'alice') {
      if (message.random_ratchet_secret) drawn.push(message.random_ratchet_secret)
      drawn.push(message.random_salt)
      const made = session.seal(Buffer.from(message.plaintext))
      const header = message.kind === 'first-contact' ? handshake.first_contact_header : ''
      assert.equal(hex(made.payload), header + message.header + message.body)
      sealed += 1
    } else {
      const plain = session.open(unhex(message.header + message.body))
      assert.equal(Buffer.from(plain).toString(), message.plaintext)
      opened += 1
    }
  }
}
assert.ok(sealed >= 4 && opened >= 2, `only ${sealed} sealed, ${opened} opened`)
console.log(JSON.stringify({ sealed, opened }))
