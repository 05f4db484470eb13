/** Back-to-back releases on several meshes, with hitless' `settle` at several lengths: which is long enough, and what it costs. */
import { defaultConfig } from '../../src/config.ts'
import { type BackToBack, backToBack } from './back-to-back.ts'
import type { MeshOptions } from './mesh.ts'
import { startRig } from './rig.ts'

interface Mesh extends MeshOptions {
  readonly name: string
  readonly releases: number
  /** Something else changes all the time. */
  readonly busy?: boolean
  /** Null: without hitless. */
  readonly lengthsMs: readonly (number | null)[]
}

/** One length of settling on one mesh. */
export interface SettleRow extends BackToBack {
  readonly mesh: string
  readonly settleMs: number | null
}

const USUAL = "istiod's defaults, 2 proxies"
const DEFAULT_MS = defaultConfig([]).settle.milliseconds
const MESHES: readonly Mesh[] = [
  { name: USUAL, releases: 50, lengthsMs: [null, 0, 50, 100, 250, DEFAULT_MS] },
  {
    name: 'one push at a time, 21 proxies',
    releases: 20,
    sidecars: 20,
    istiod: { PILOT_PUSH_THROTTLE: '1' },
    lengthsMs: [null, 0, 100, 250, 1000]
  },
  {
    name: 'debounce of 1 s, one push at a time, 21 proxies',
    releases: 20,
    sidecars: 20,
    istiod: { PILOT_PUSH_THROTTLE: '1', PILOT_DEBOUNCE_AFTER: '1s' },
    lengthsMs: [null, 250, 1000, 2000]
  },
  { name: 'another object changes every 50 ms, 2 proxies', releases: 20, busy: true, lengthsMs: [null, 250, 1000, 3000] }
]

/** On a mesh as istiod is installed, hitless as it is installed must not cost a request. */
export function settleFaults(rows: readonly SettleRow[]): string[] {
  return rows
    .filter(({ mesh, settleMs, failed }) => mesh === USUAL && settleMs === DEFAULT_MS && failed > 0)
    .map(({ failed, broken }) => `back to back with hitless ${failed} requests failed, in ${broken} releases`)
}

/** Plays every mesh, or those at the places asked for, with so large a part of the releases. */
export async function settleRows(places: readonly number[], part: number, report: (row: SettleRow) => void): Promise<void> {
  for (const mesh of MESHES.filter((_, place) => places.length === 0 || places.includes(place + 1))) {
    const rig = await startRig(mesh)
    for (const settleMs of mesh.lengthsMs) {
      if (settleMs !== null) await rig.settle(settleMs)
      const options = { releases: Math.ceil(mesh.releases * part), guarded: settleMs !== null, busy: mesh.busy ?? false }
      report({ mesh: mesh.name, settleMs, ...(await backToBack(rig, options)) })
    }
    await rig.stop()
  }
}
