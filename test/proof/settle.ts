/** Back-to-back releases on several meshes, with hitless' `settle` at several lengths: which is long enough, and what it costs. */
import { type BackToBack, backToBack } from './back-to-back.ts'
import type { MeshOptions } from './mesh.ts'
import { type Length, startRig } from './rig.ts'

interface Mesh extends MeshOptions {
  readonly name: string
  readonly releases: number
  /** Something else changes all the time. */
  readonly busy?: boolean
  readonly by?: 'subsets' | 'services'
  /** Null: without hitless. */
  readonly lengths: readonly (Length | null)[]
}

/** One length of settling on one mesh. */
export interface SettleRow extends BackToBack {
  readonly mesh: string
  readonly settle: Length | null
}

const USUAL = "istiod's defaults, 2 proxies"
const MESHES: readonly Mesh[] = [
  { name: USUAL, releases: 50, lengths: [null, 0, 50, 100, 250, 1000, 'exact'] },
  {
    name: 'one push at a time, 21 proxies',
    releases: 50,
    sidecars: 20,
    istiod: { PILOT_PUSH_THROTTLE: '1' },
    lengths: [null, 0, 100, 250, 1000, 'exact']
  },
  {
    name: 'debounce of 1 s, one push at a time, 21 proxies',
    releases: 50,
    sidecars: 20,
    istiod: { PILOT_PUSH_THROTTLE: '1', PILOT_DEBOUNCE_AFTER: '1s' },
    lengths: [null, 250, 1000, 2000, 'exact']
  },
  { name: 'another object changes every 50 ms, 2 proxies', releases: 50, busy: true, lengths: [null, 250, 1000, 3000, 'exact'] },
  { name: 'proxies are told only what changed, 2 proxies', releases: 50, delta: true, lengths: ['exact'] },
  { name: 'a sidecar is told everything 1.5 s late, 2 proxies', releases: 50, lateMs: 1500, lengths: [null, 1000, 'exact'] },
  { name: "istiod's defaults, 201 proxies", releases: 50, sidecars: 200, lengths: [null, 1000, 'exact'] },
  { name: `${USUAL}, by HTTPRoute`, releases: 50, by: 'services', gatewayApi: true, lengths: [null, 'exact'] }
]

/** Hitless as it is installed must not cost a request in any mesh, nor hold a write for longer than this in a quiet one. */
export const HELD_MS = 350

export function settleFaults(rows: readonly SettleRow[]): string[] {
  return rows
    .filter(({ settle }) => settle === 'exact')
    .flatMap(({ mesh, failed, broken, heldMs }) => [
      ...(failed > 0 ? [`${mesh}: back to back with hitless ${failed} requests failed, in ${broken} releases`] : []),
      ...(mesh === USUAL && (heldMs ?? 0) > HELD_MS ? [`${mesh}: a write is held for ${heldMs} ms`] : [])
    ])
}

/** Plays every mesh, or those at the places asked for, with every length or those asked for, and so large a part of the releases. */
export async function settleRows(asked: readonly string[], part: number, report: (row: SettleRow) => void): Promise<void> {
  const places = asked.filter((each) => /^\d$/.test(each)).map(Number)
  const chosen = asked.flatMap((each) => /^settle=(.+)$/.exec(each)?.[1] ?? [])
  const lengths = MESHES.flatMap((mesh) => mesh.lengths.map(String))
  const unknown = asked.filter(
    (each) => !(/^\d$/.test(each) && Number(each) <= MESHES.length) && !lengths.includes(each.replace(/^settle=/, ''))
  )
  if (unknown.length > 0)
    throw new Error(`unknown: ${unknown.join(' ')}; there are the meshes 1 to ${MESHES.length} and settle=${lengths.join(', settle=')}`)
  for (const mesh of MESHES.filter((_, place) => places.length === 0 || places.includes(place + 1))) {
    const rig = await startRig(mesh)
    for (const settle of mesh.lengths.filter((length) => chosen.length === 0 || chosen.includes(String(length)))) {
      if (settle !== null) await rig.settle(settle)
      const options = {
        releases: Math.ceil(mesh.releases * part),
        guarded: settle !== null,
        busy: mesh.busy ?? false,
        by: mesh.by ?? 'subsets'
      }
      report({ mesh: mesh.name, settle, ...(await backToBack(rig, options)) })
    }
    await rig.stop()
  }
}
