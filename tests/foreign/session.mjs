// docs/protocol/session.md, as far as an initiator needs it who begins a session, is answered, and writes again. It draws no offer
// (SES-40 wants one after 50 messages), and its peer no answer.

import { randomBytes } from 'node:crypto'
import { ml_kem768 as kem } from '@noble/post-quantum/ml-kem.js'

import { ascii, concat, dh, dhPublic, equal, hkdf, mac, number, open, read, seal, sha256 } from './bytes.mjs'
import { dhOf, dhSecret } from './identity.mjs'

const random = (length) => Uint8Array.from(randomBytes(length))

/** SES-10 to SES-13. `bundle`: the verified card, and perhaps a one-time prekey; `draw` gives what is random. */
export function begin (seed, me, peer, bundle, draw = random) {
  const { prekey, kem: cardKem } = bundle.card
  const once = bundle.oneTime
  const flag = Uint8Array.of(once ? 1 : 0)
  const secret = draw(32)
  const [ephemeral, ek] = [dhPublic(secret), once ? once.kem : cardKem.key]
  const { cipherText: ct, sharedSecret: ss } = kem.encapsulate(ek, draw(32))
  const ids = concat(number(prekey.id, 8), number(once ? once.id : cardKem.id, 8))
  const header = concat(Uint8Array.of(1), flag, me, ephemeral, ids, ct)
  const transcript = sha256(concat(
    Uint8Array.of(1), me, peer, prekey.key, flag, once ? once.key : new Uint8Array(32), ephemeral, ids, ek, ct
  ))
  const exchanges = [dh(dhSecret(seed), prekey.key), dh(secret, dhOf(peer)), dh(secret, prekey.key)]
  if (once) exchanges.push(dh(secret, once.key))
  const ikm = concat(new Uint8Array(32).fill(0xff), ...exchanges, ss)
  const root = hkdf(new Uint8Array(32), ikm, concat(ascii('rohrpost/session/pqxdh/v1'), transcript), 32)
  return new Session({ id: transcript.slice(0, 16), me, peer, root, theirs: prekey.key, header, draw })
}

/** One side of a session: that of who began it. */
export class Session {
  constructor ({ id, me, peer, root, theirs, header, draw = random }) {
    Object.assign(this, { id, me, peer, root, theirs, header, draw })
    // Whose turn was last; the chain that seals, and those that open.
    this.secret = null
    this.sending = null
    this.sent = 0
    this.before = 0
    this.chains = new Map()
  }

  /** SES-21. */
  step (secret, theirs) {
    const keys = hkdf(this.root, dh(secret, theirs), ascii('rohrpost/session/root-dh/v1'), 64)
    this.root = keys.slice(0, 32)
    return keys.slice(32)
  }

  /** SES-24, SES-25. */
  body (header, chain) {
    const mk = mac(chain, Uint8Array.of(1))
    const keys = hkdf(header.slice(56, 72), mk, ascii('rohrpost/session/mk/v1'), 44)
    const data = concat(ascii('rohrpost/session/associated-data/v1'), this.me, this.peer, header)
    return { key: keys.slice(0, 32), nonce: keys.slice(32), data, next: mac(chain, Uint8Array.of(2)) }
  }

  /** A payload, and the kind of its envelope: SES-16, SES-30. */
  seal (plain) {
    if (this.secret === null) {
      this.secret = this.draw(32)
      this.sending = this.step(this.secret, this.theirs)
      this.before = this.sent
      this.sent = 0
    }
    const salt = this.draw(16)
    const header = concat(
      this.id, dhPublic(this.secret), number(this.before, 4), number(this.sent, 4), salt, Uint8Array.of(0)
    )
    const { key, nonce, data, next } = this.body(header, this.sending)
    this.sending = next
    this.sent += 1
    const message = concat(header, seal(key, nonce, plain, data))
    return this.header ? { kind: 2, payload: concat(this.header, message) } : { kind: 1, payload: message }
  }

  /** SES-31 to SES-37: what a message says, that comes in the order in which it was sent. */
  open (payload) {
    if (!equal(payload.slice(0, 16), this.id)) throw new Error('of another session')
    if (payload[72] !== 0) throw new Error('an offer or an answer that nobody asked for')
    const [header, body] = [payload.slice(0, 73), payload.slice(73)]
    const theirs = payload.slice(16, 48)
    const name = Buffer.from(theirs).toString('hex')
    if (!this.chains.has(name)) {
      if (this.secret === null) throw new Error('nobody turns without having been answered')
      this.chains.set(name, { key: this.step(this.secret, theirs), n: 0 })
      this.theirs = theirs
      this.secret = null
    }
    const chain = this.chains.get(name)
    const n = Number(read(payload.slice(52, 56)))
    if (n < chain.n) throw new Error('a duplicate')
    for (; chain.n < n; chain.n++) chain.key = mac(chain.key, Uint8Array.of(2))
    const { key, nonce, data, next } = this.body(header, chain.key)
    const plain = open(key, nonce, body, data)
    Object.assign(chain, { key: next, n: n + 1 })
    // SES-16: it is confirmed.
    this.header = null
    return plain
  }
}
