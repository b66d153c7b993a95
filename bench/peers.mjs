// node peers.mjs: what others take for what neap does, in JSON, a line for each round of each of those
// that are installed: {"peer": NAME, "work": WORK, "count": N, "seconds": S}; or {"peer": NAME,
// "absent": WHY}. Packages are looked for from the working directory on.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'

const ROUNDS = 5, ENTRIES = 10000, DELTAS = 100000, DOCS = 2000, BATCH = 1000
const value = 'x'.repeat(100)
const from = createRequire(join(process.cwd(), 'x.js'))
const tell = line => console.log(JSON.stringify(line))
const now = () => Number(process.hrtime.bigint()) / 1e9

// `make` gives each round what `run` then works on; what that gives must be so large.
async function timed (peer, work, count, large, make, run) {
  for (let round = 0; round < ROUNDS; round++) {
    const made = await make(round)
    const start = now()
    const size = await run(made)
    tell({ peer, work, count, seconds: now() - start })
    if ((typeof size === 'function' ? size() : size) !== large) throw new Error('it lost something')
  }
}

async function load (name) {
  const module = await import(pathToFileURL(from.resolve(name)).href)
  return module.default && !module.Doc && !module.LoroDoc && !module.from ? module.default : module
}

async function tryPeer (peer, run) {
  try {
    await run()
  } catch (error) {
    const why = error.code === 'MODULE_NOT_FOUND' ? 'it is not installed' : String(error.message || error)
    tell({ peer, absent: why.split('\n')[0].slice(0, 100) })
  }
}

// Two copies of a map, each with entries of its own: one takes what the other has.
await tryPeer('yjs', async () => {
  const Y = await load('yjs')
  for (const [work, count] of [['merge', ENTRIES], ['deltas', DELTAS]]) {
    const b = new Y.Doc(), updates = []
    b.on('update', update => updates.push(update))
    for (let i = 0; i < count; i++) b.getMap('m').set('b' + i, value)
    const all = work === 'merge' ? [Y.encodeStateAsUpdate(b)] : updates
    await timed('yjs', work, count, ENTRIES + count, () => {
      const a = new Y.Doc()
      for (let i = 0; i < ENTRIES; i++) a.getMap('m').set('a' + i, value)
      return a
    }, a => {
      for (const update of all) Y.applyUpdate(a, update)
      return () => a.getMap('m').size
    })
  }
})

await tryPeer('loro', async () => {
  const { LoroDoc } = await load('loro-crdt')
  const fill = name => {
    const doc = new LoroDoc()
    for (let i = 0; i < ENTRIES; i++) doc.getMap('m').set(name + i, value)
    doc.commit()
    return doc
  }
  const all = fill('b').export({ mode: 'update' })
  await timed('loro', 'merge', ENTRIES, 2 * ENTRIES, () => fill('a'), a => {
    a.import(all)
    return () => Object.keys(a.getMap('m').toJSON()).length
  })
})

// Of its strings those that can't be edited, which it takes faster.
await tryPeer('automerge', async () => {
  const A = await load('@automerge/automerge')
  const Text = A.ImmutableString || A.RawString || String
  const base = A.from({ m: {} })
  const fill = (doc, name, i) => { doc.m[name + i] = new Text(value) }
  const a = A.change(A.clone(base), doc => { for (let i = 0; i < ENTRIES; i++) fill(doc, 'a', i) })
  for (const work of ['merge', 'deltas']) {
    let b = A.clone(base)
    if (work === 'merge') b = A.change(b, doc => { for (let i = 0; i < ENTRIES; i++) fill(doc, 'b', i) })
    else for (let i = 0; i < ENTRIES; i++) b = A.change(b, doc => fill(doc, 'b', i))
    await timed('automerge', work, ENTRIES, 2 * ENTRIES, () => A.clone(a), made => {
      const merged = A.merge(made, b)
      return () => Object.keys(merged.m).length
    })
  }
})

// In memory, which is faster than its disks.
await tryPeer('pouchdb', async () => {
  const PouchDB = from('pouchdb-core')
  PouchDB.plugin(from('pouchdb-adapter-memory')).plugin(from('pouchdb-replication'))
  const a = new PouchDB('a', { adapter: 'memory' })
  for (let i = 0; i < DOCS; i += BATCH) {
    await a.bulkDocs(Array.from({ length: BATCH }, (_, j) => ({ _id: 'k' + (i + j), value })))
  }
  await timed('pouchdb', 'replicate', DOCS, DOCS, round => new PouchDB('b' + round, { adapter: 'memory' }),
    async b => (await a.replicate.to(b, { batch_size: BATCH })).docs_written)
})
process.exit(0)
