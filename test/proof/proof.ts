/** The proof from outside: its programs installed, a namespace made for it, and what came of it. */
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { installBinaries, installMesh } from '../cluster/binaries.ts'
import { startInOwnNetwork } from '../cluster/own-network.ts'
import type { Account } from './account.ts'

/** Runs inside.ts with these arguments; its account of each script, without hitless and with it. */
export async function prove(args: readonly string[]): Promise<Account[]> {
  await installBinaries()
  await installMesh()
  const child = await startInOwnNetwork(join(import.meta.dirname, 'inside.ts'), args)
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')])
  if (code !== 0) throw new Error(`the proof ended with ${code}; what it said stands above`)
  return JSON.parse(output) as Account[]
}
