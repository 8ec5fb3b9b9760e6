// docs/protocol/identity.md: keys, cards and one-time prekeys, verified.

import { ed25519 } from '@noble/curves/ed25519.js'
import { encode, decode, rfc8949EncodeOptions } from 'cborg'

import { ascii, concat, equal, sha512 } from './bytes.mjs'

/** ID-3: the X25519 secret of an identity. */
export const dhSecret = (seed) => sha512(seed).slice(0, 32)
/** ID-3: the X25519 key of a peer. */
export const dhOf = (key) => ed25519.utils.toMontgomery(key)

/** ID-2. */
export function checkKey (key) {
  const point = ed25519.Point.fromHex(Buffer.from(key).toString('hex'), false)
  if (!equal(point.toBytes(), key) || point.isSmallOrder() || !point.isTorsionFree()) {
    throw new Error('the key is unsound')
  }
}

/** ID-12: what is decoded is encoded again to the same bytes. */
export function cbor (bytes) {
  const value = decode(bytes, { useMaps: true, strict: true, rejectDuplicateMapKeys: true, allowBigInt: true })
  if (!equal(encode(value, rfc8949EncodeOptions), bytes)) {
    throw new Error('not the deterministic encoding')
  }
  return value
}

function record (bytes, longest, label, owner) {
  if (bytes.length > longest) throw new Error('too long')
  const [body, signature, ...more] = cbor(bytes)
  if (more.length > 0 || signature.length !== 64) throw new Error('no record')
  const fields = cbor(body)
  if (Number(fields.get(0)) !== 1) throw new Error('another version')
  if (!equal(fields.get(1), owner)) throw new Error('of somebody else')
  checkKey(owner)
  const signed = concat(ascii(label), Uint8Array.of(0), body)
  if (!ed25519.verify(signature, signed, owner, { zip215: false })) throw new Error('the signature is wrong')
  return fields
}

/** ID-10 to ID-22: the card of this owner. */
export function card (bytes, owner, now = Date.now()) {
  const fields = record(bytes, 4096, 'rohrpost/identity/card/v1', owner)
  for (let field = 0; field <= 12; field++) {
    if (!fields.has(field)) throw new Error(`no field ${field}`)
  }
  const [issued, expires] = [fields.get(3), fields.get(4)].map(Number)
  if (expires < issued || expires > issued + 9 * 86_400_000) throw new Error('it lasts too long')
  if (now >= expires) throw new Error('expired')
  const key = (at, length) => {
    const [id, key] = fields.get(at)
    if (key.length !== length) throw new Error(`field ${at} has another length`)
    return { id: BigInt(id), key }
  }
  return { sequence: BigInt(fields.get(2)), prekey: key(5, 32), kem: key(6, 1184), seal: key(7, 32) }
}

/** ID-30: a one-time prekey of this owner. */
export function oneTime (bytes, owner, now = Date.now()) {
  const fields = record(bytes, 2048, 'rohrpost/identity/one-time-prekey/v1', owner)
  if (now >= Number(fields.get(5))) throw new Error('expired')
  return { id: BigInt(fields.get(2)), key: fields.get(3), kem: fields.get(4) }
}
