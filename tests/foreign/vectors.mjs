// The vectors of the protocol against this implementation, before it meets a node.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { ml_kem768 as kem } from '@noble/post-quantum/ml-kem.js'

import { dhPublic, hex, unhex } from './bytes.mjs'
import { envelope, id, padded, payload } from './envelope.mjs'
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
