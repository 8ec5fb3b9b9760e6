// Bytes, and the primitives of the protocol by the names that its documents use.

import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import { x25519 } from '@noble/curves/ed25519.js'
import { hkdf as hkdfOf } from '@noble/hashes/hkdf.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256, sha512 } from '@noble/hashes/sha2.js'

export { sha256, sha512 }

export const ascii = (text) => new TextEncoder().encode(text)
export const hex = (bytes) => Buffer.from(bytes).toString('hex')
export const unhex = (text) => Uint8Array.from(Buffer.from(text, 'hex'))
export const equal = (a, b) => Buffer.compare(a, b) === 0
export const concat = (...parts) => Uint8Array.from(Buffer.concat(parts))

/** A number in so many bytes, big-endian. */
export function number (value, length) {
  const bytes = new Uint8Array(length)
  let rest = BigInt(value)
  for (let at = length - 1; at >= 0; at--) {
    bytes[at] = Number(rest & 0xffn)
    rest >>= 8n
  }
  return bytes
}

export const read = (bytes) => bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n)

export const hkdf = (salt, ikm, info, length) => hkdfOf(sha256, ikm, salt, info, length)
export const mac = (key, bytes) => hmac(sha256, key, bytes)
export const seal = (key, nonce, plain, data) => chacha20poly1305(key, nonce, data).encrypt(plain)
export const open = (key, nonce, sealed, data) => chacha20poly1305(key, nonce, data).decrypt(sealed)
/** SES-3: the library refuses a result of zeros. */
export const dh = (secret, key) => x25519.getSharedSecret(secret, key)
export const dhPublic = (secret) => x25519.getPublicKey(secret)
