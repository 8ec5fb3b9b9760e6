// What js-libp2p takes for granted and Node 20 does not have. To be imported before it.

Promise.withResolvers ??= function () {
  let settle
  const promise = new this((resolve, reject) => { settle = { resolve, reject } })
  return { promise, ...settle }
}
