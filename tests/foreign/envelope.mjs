// docs/protocol/envelope.md and the frames of docs/protocol/network.md.

import { concat, number, read, sha256 } from './bytes.mjs'

/** ENV-5. */
export function padded (length) {
  if (length <= 256) return 256
  const exponent = Math.floor(Math.log2(length))
  const size = Math.floor(Math.log2(exponent)) + 1
  const mask = 2 ** (exponent - size) - 1
  return length + mask - ((length + mask) % (mask + 1))
}

export function envelope ({ kind, payload }) {
  const bytes = new Uint8Array(padded(6 + payload.length))
  bytes.set(concat(Uint8Array.of(1, kind), number(payload.length, 4), payload))
  return bytes
}

/** ENV-1, of one that was sent to us. */
export function payload (bytes) {
  const length = Number(read(bytes.slice(2, 6)))
  if (bytes[0] !== 1 || bytes.length !== padded(6 + length) || bytes.slice(6 + length).some((byte) => byte !== 0)) {
    throw new Error('malformed')
  }
  return { kind: bytes[1], payload: bytes.slice(6, 6 + length) }
}

export const id = sha256

const HEAD = 13
export const HELLO = 1
export const ENVELOPE = 2
export const ACK = 3
export const REFUSAL = 4

export const frame = (kind, n, body = new Uint8Array()) =>
  concat(Uint8Array.of(kind), number(n, 8), number(body.length, 4), body)

/** Takes frames out of what has come. */
export class Frames {
  bytes = new Uint8Array()

  push (chunk) {
    this.bytes = concat(this.bytes, chunk)
    const found = []
    while (this.bytes.length >= HEAD) {
      const length = Number(read(this.bytes.slice(9, HEAD)))
      if (this.bytes.length < HEAD + length) break
      const [kind, n] = [this.bytes[0], Number(read(this.bytes.slice(1, 9)))]
      found.push({ kind, n, body: this.bytes.slice(HEAD, HEAD + length) })
      this.bytes = this.bytes.slice(HEAD + length)
    }
    return found
  }
}
