/** The whole life of a release, walked through by the real Helm on a real API server; see install.ts and install-own.ts. */
import { join } from 'node:path'
import t from 'tap'
import { installBinaries, installHelm } from '../rig/binaries.ts'
import { inOwnNetwork } from '../rig/own-network.ts'

t.setTimeout(15 * 60_000)

// Before the walk, whose time counts.
await installBinaries()
await installHelm()
for (const [script, what] of [
  ['install.ts', 'installed, upgraded, rolled back, broken, mended and uninstalled'],
  ['install-own.ts', "the same with a pair of the owner's, applied from the client's side as Helm 3 does"]
] as const) {
  const [command, ...args] = await inOwnNetwork(join(import.meta.dirname, script), [])
  await t.spawn(command, args, { timeout: 10 * 60_000 }, what)
}
