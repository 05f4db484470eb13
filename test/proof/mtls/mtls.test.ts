/** What is said of mTLS in docs/istio-semantics.md, on a real istiod and real Envoys with certificates. */
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { installBinaries, installMesh } from '../../rig/binaries.ts'
import { startInOwnNetwork } from '../../rig/own-network.ts'
import { worlds } from './worlds.ts'

t.setTimeout(8 * 60_000)

interface Answered {
  readonly name: string
  readonly before: readonly number[]
  readonly after: readonly number[]
}

await installBinaries()
await installMesh()
const child = await startInOwnNetwork(join(import.meta.dirname, 'inside.ts'), process.argv.slice(2))
const closed = once(child, 'close')
const answered = new Map<string, Answered>()
for await (const line of createInterface({ input: child.stdout })) {
  const each = JSON.parse(line) as Answered
  answered.set(each.name, each)
}
t.equal((await closed)[0], 0)

for (const { name, before, after } of worlds()) {
  t.test(name, async (t) => t.same(answered.get(name), { name, before, after }))
}
