/** The whole life of a release, walked through by the real Helm on a real API server; see install.ts and install-own.ts. */
import { join } from 'node:path'
import t from 'tap'
import { installBinaries, installHelm } from '../rig/binaries.ts'
import { inOwnNetwork } from '../rig/own-network.ts'

t.setTimeout(15 * 60_000)

// Before the walk, whose time counts.
await installBinaries()
await installHelm()
const WALKS = {
  'install.ts': 'installed, upgraded, rolled back, broken, mended and uninstalled',
  'install-own.ts': "the same with a pair of the owner's, applied from the client's side as Helm 3 does"
}
// Side by side: each has a network of its own, and waits for most of its time.
t.jobs = 2
for (const [script, what] of Object.entries(WALKS)) {
  const [command, ...args] = await inOwnNetwork(join(import.meta.dirname, script), [])
  t.spawn(command, args, { timeout: 10 * 60_000, buffered: true }, what)
}
