// docs/protocol/content.md, as far as texts between two need it.

import { randomBytes } from 'node:crypto'
import { encode, rfc8949EncodeOptions } from 'cborg'

import { ascii, concat, number, sha256 } from './bytes.mjs'
import { cbor } from './identity.mjs'

const MESSAGE = 1
const INTRODUCTION = 2
const STATUS = 3
const RENDER = 1

const encoded = (value) => encode(value, rfc8949EncodeOptions)

/** CON-13, of two peer IDs in base58 and their keys. */
export function uris (me, peer) {
  const [low, high] = Buffer.compare(me.key, peer.key) < 0 ? [me, peer] : [peer, me]
  return { sender: `rohrpost:${me.id}`, room: `rohrpost:direct/${low.id}/${high.id}` }
}

/** CON-10. */
export function messageId ({ sender, room }, body) {
  const salt = cbor(body)[0]
  const [from, to] = [ascii(sender), ascii(room)]
  const hash = sha256(concat(number(from.length, 2), from, number(to.length, 2), to, body, salt))
  return concat(Uint8Array.of(1), hash.slice(0, 31))
}

/** A text: MIMI content with a counter (CON-9, CON-11, CON-14). */
export function text ({ sender, room }, words, counter) {
  const extensions = new Map([[1, sender], [2, room], [3, counter]])
  const part = [RENDER, '', 1, 'text/plain;charset=utf-8', ascii(words)]
  return encoded([Uint8Array.from(randomBytes(16)), null, new Uint8Array(), null, null, extensions, part])
}

export const capsule = (items) => encoded(items.map(([kind, value]) => [kind, encoded(value)]))
export const introduction = (name, token = null) => [INTRODUCTION, [name, null, token]]
export const message = (body, now = Date.now()) => [MESSAGE, [now, body]]
export const delivered = (ids) => [STATUS, [concat(...ids), new Uint8Array()]]

/** The texts and the reports in a capsule of this sender's. */
export function read (bytes, { sender, room }) {
  const found = { texts: [], ids: [], delivered: [] }
  for (const [kind, payload] of cbor(bytes)) {
    if (kind === MESSAGE) {
      const [, body] = cbor(payload)
      const [, , , , , extensions, part] = cbor(body)
      if (extensions.get(1) !== sender || extensions.get(2) !== room) throw new Error('in the name of another')
      found.texts.push(new TextDecoder().decode(part[4]))
      found.ids.push(messageId({ sender, room }, body))
    } else if (kind === STATUS) {
      const [reported] = cbor(payload)
      for (let at = 0; at < reported.length; at += 32) found.delivered.push(reported.slice(at, at + 32))
    }
  }
  return found
}
