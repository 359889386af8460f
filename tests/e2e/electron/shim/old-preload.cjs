'use strict'
// Runs in the page's isolated world before the app's preload, on Electron 22 only.
const electron = require('electron')

// What webUtils does today, `File.path` did then.
if (!electron.webUtils) electron.webUtils = { getPathForFile: (file) => file.path ?? '' }

// JavaScript that is younger than Chromium 108; the page is written for today's Electron and browsers.
electron.webFrame.executeJavaScript(`{
  const add = (target, members) => {
    for (const [name, value] of Object.entries(members))
      if (!(name in target)) Object.defineProperty(target, name, { value, writable: true, configurable: true })
  }
  const copies = (type, from) => add(type.prototype, {
    toSorted(compare) { return from(this).sort(compare) },
    toReversed() { return from(this).reverse() },
    with(index, value) { const copy = from(this); copy[index < 0 ? copy.length + index : index] = value; return copy },
  })
  copies(Array, (array) => Array.from(array))
  for (const type of [Float32Array, Float64Array, Int32Array, Uint8Array, Uint32Array]) copies(type, (array) => array.slice())
  add(Array.prototype, {
    toSpliced(...change) { const copy = Array.from(this); copy.splice(...change); return copy },
  })
  add(Array, {
    async fromAsync(source) { const all = []; for await (const item of source) all.push(item); return all },
  })
  const group = (items, keyOf, put) => { let index = 0; for (const item of items) put(keyOf(item, index++), item) }
  add(Object, {
    groupBy(items, keyOf) {
      const groups = Object.create(null)
      group(items, keyOf, (key, item) => (groups[key] ??= []).push(item))
      return groups
    },
  })
  add(Map, {
    groupBy(items, keyOf) {
      const groups = new Map()
      group(items, keyOf, (key, item) => groups.has(key) ? groups.get(key).push(item) : groups.set(key, [item]))
      return groups
    },
  })
  add(Promise, {
    withResolvers() { const all = {}; all.promise = new Promise((a, b) => { all.resolve = a; all.reject = b }); return all },
  })
  add(URL, { canParse(...parts) { try { return Boolean(new URL(...parts)) } catch { return false } } })
  const iterator = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()))
  add(iterator, {
    *map(change) { let index = 0; for (const item of this) yield change(item, index++) },
    *filter(keep) { let index = 0; for (const item of this) if (keep(item, index++)) yield item },
    *take(count) { if (count > 0) for (const item of this) { yield item; if (--count <= 0) return } },
    *flatMap(change) { for (const item of this) yield* change(item) },
    toArray() { return [...this] },
    some(test) { for (const item of this) if (test(item)) return true; return false },
    every(test) { for (const item of this) if (!test(item)) return false; return true },
    find(test) { for (const item of this) if (test(item)) return item },
    forEach(visit) { for (const item of this) visit(item) },
    reduce(join, ...start) { return [...this].reduce(join, ...start) },
  })
  add(Set.prototype, {
    union(other) { return new Set([...this, ...other.keys()]) },
    intersection(other) { return new Set([...this].filter((item) => other.has(item))) },
    difference(other) { return new Set([...this].filter((item) => !other.has(item))) },
    isSubsetOf(other) { return [...this].every((item) => other.has(item)) },
    isSupersetOf(other) { return [...other.keys()].every((item) => this.has(item)) },
    isDisjointFrom(other) { return [...this].every((item) => !other.has(item)) },
  })
  add(AbortSignal, {
    any(signals) {
      const all = new AbortController()
      for (const signal of signals) {
        if (signal.aborted) all.abort(signal.reason)
        signal.addEventListener('abort', () => all.abort(signal.reason), { once: true })
      }
      return all.signal
    },
  })
}`)
