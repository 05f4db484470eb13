/** The whole life of a release, walked through by the real Helm on a real API server; see install.ts. */
import { join } from 'node:path'
import t from 'tap'
import { installBinaries, installHelm } from '../cluster/binaries.ts'
import { inOwnNetwork } from '../cluster/own-network.ts'

t.setTimeout(15 * 60_000)

// Before the walk, whose time counts.
await installBinaries()
await installHelm()
const [command, ...args] = await inOwnNetwork(join(import.meta.dirname, 'install.ts'), [])
await t.spawn(command, args, { timeout: 10 * 60_000 }, 'installed, upgraded, rolled back, broken, mended and uninstalled')
