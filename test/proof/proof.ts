/** The proof from outside: its programs installed, a namespace made for it, and what came of it. */
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { installBinaries, installIstiods, installMesh } from '../rig/binaries.ts'
import { startInOwnNetwork } from '../rig/own-network.ts'
import type { Account } from './account.ts'
import type { ControlledRelease } from './controllers.ts'
import type { Margin } from './margin.ts'
import type { PlannedRelease } from './planned.ts'
import type { SettleRow } from './settle.ts'
import type { VersionRow } from './versions.ts'

/** One thing that came of it: a script as it was played in one way, the SVG, one length of settling, the steps with one istiod, a release by `plan --apply` or by a release controller. */
export type Result =
  | { readonly kind: 'account'; readonly account: Account }
  | { readonly kind: 'picture'; readonly svg: string }
  | { readonly kind: 'settle'; readonly row: SettleRow }
  | { readonly kind: 'version'; readonly row: VersionRow }
  | { readonly kind: 'plan'; readonly planned: PlannedRelease }
  | { readonly kind: 'controlled'; readonly release: ControlledRelease }
  | { readonly kind: 'margin'; readonly margin: Margin }

/** Runs inside.ts with these arguments, and yields each result as it comes. */
export async function* prove(args: readonly string[]): AsyncGenerator<Result> {
  await installBinaries()
  await installMesh()
  // Where there is a network to build with.
  if (args[0] === 'versions') await installIstiods(args.slice(1))
  const child = await startInOwnNetwork(join(import.meta.dirname, 'inside.ts'), args)
  const closed = once(child, 'close')
  for await (const line of createInterface({ input: child.stdout })) yield JSON.parse(line) as Result
  const [code] = await closed
  if (code !== 0) throw new Error(`the proof ended with ${code}; what it said stands above`)
}
