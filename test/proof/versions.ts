/** The same steps with one istiod and another: what hitless asks of it is no interface that istiod promises to keep. */

import { destinationRule, rule, to, virtualService } from '../manifests.ts'
import { installIstiods } from '../rig/binaries.ts'
import { backToBack } from './back-to-back.ts'
import { hitless } from './command.ts'
import { type Hold, holds } from './holds.ts'
import { helloworld, workload } from './objects.ts'
import { Release } from './release.ts'
import { type Rig, startRig } from './rig.ts'

const RELEASES = 4

export interface VersionRow {
  readonly istiod: string
  /** What `hitless_settle_mode` said after releases back to back. */
  readonly mode: string
  readonly releases: number
  readonly requests: number
  readonly failed: number
  readonly heldMs: number | null
  /** The last line of `routes --against-istiod`. */
  readonly routes: string
  readonly holds: readonly Hold[]
}

/** One row for each istiod of these names; of all, where none is given. */
export async function* versions(names: readonly string[]): AsyncGenerator<VersionRow> {
  for (const [istiod, path] of await installIstiods(names)) {
    const rig = await startRig({ istiodPath: path })
    await rig.settle('exact')
    const { releases, requests, failed, heldMs } = await backToBack(rig, { releases: RELEASES, guarded: true, busy: false })
    const [, mode = ''] = /^hitless_settle_mode\{mode="(\w+)"\} 1$/m.exec(await rig.metrics()) ?? []
    const routes = await agreement(rig)
    const held: Hold[] = []
    for await (const hold of holds(rig)) held.push(hold)
    yield { istiod, mode, releases, requests, failed, heldMs, routes, holds: held }
    await rig.stop()
  }
}

async function agreement(rig: Rig): Promise<string> {
  const release = new Release(rig)
  const split = virtualService([rule([to('v1', 90), to('v2', 10)])])
  await release.start([helloworld(), workload('v1'), workload('v2'), destinationRule(['v1', 'v2']), split])
  const { out, err } = await hitless(rig.plane, ['routes', '--cluster', '--against-istiod'])
  await release.end()
  return `${out}${err}`.trim().split('\n').at(-1) ?? ''
}

/** What each hold ends with: these warnings, within this time. */
const ENDS: Readonly<Record<Hold['name'], { readonly warnings: readonly RegExp[]; readonly ms: readonly [least: number, most: number] }>> =
  {
    'a proxy stopped with SIGSTOP': { warnings: [/^1 of 2 proxies lack what this needs: clients\/sidecar-0$/], ms: [8000, 10_000] },
    'proxies that reject the subset': {
      warnings: [/rejected what this needs: .*duration/i, /rejected what this needs: .*duration/i],
      ms: [0, 5000]
    },
    'istiod killed during the hold': { warnings: [], ms: [0, 3000] }
  }

export function versionFaults({ istiod, mode, requests, failed, routes, holds: held }: VersionRow): string[] {
  const [, same, all] = /^(\S+) of (\S+) agree$/.exec(routes) ?? []
  const faults = [
    ...(failed > 0 || requests === 0 ? [`back to back with hitless ${failed} of ${requests} requests failed`] : []),
    ...(mode === 'exact' ? [] : [`writes were held by ${mode}`]),
    ...(same !== undefined && same === all ? [] : [`routes: ${routes}`]),
    ...Object.entries(ENDS).flatMap(([name, { warnings, ms }]) => {
      const hold = held.find((each) => each.name === name)
      const isSaid = hold?.warnings.length === warnings.length && warnings.every((wanted, at) => wanted.test(hold.warnings[at] ?? ''))
      const isInTime = hold !== undefined && hold.ms >= ms[0] && hold.ms <= ms[1]
      return isSaid && isInTime ? [] : [`${name}: ${JSON.stringify(hold)}`]
    })
  ]
  return faults.map((fault) => `${istiod}: ${fault}`)
}
