/** A release made by `hitless plan --apply` alone, under requests: no webhook is asked about its writes. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { destinationRule, type Manifest, rule, to, virtualService } from '../manifests.ts'
import { isFailure, startLoad } from './load.ts'
import { helloworld, workload } from './objects.ts'
import { Release } from './release.ts'
import { startRig } from './rig.ts'
import { apply } from './scripts.ts'

export interface PlannedRelease {
  readonly requests: number
  readonly failed: number
  /** Versions that answered, in the order in which each did first. */
  readonly versions: readonly string[]
  readonly exit: number
  readonly out: string
  readonly err: string
}

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

export async function planned(): Promise<PlannedRelease> {
  const rig = await startRig()
  const release = new Release(rig)
  const state = (version: string) => [helloworld(), workload(version), destinationRule([version]), virtualService([rule([to(version)])])]
  await release.start(state('v1'))
  const load = startLoad({ host: release.host, classes: [{ name: 'plain', proxy: 'sidecar' }], perSecond: 200 })
  const file = (name: string, manifests: readonly Manifest[]) => {
    const path = join(rig.plane.directory, `${name}.yaml`)
    const placed = manifests.map((object) => JSON.stringify(release.placed(apply('', object)).object))
    writeFileSync(path, placed.join('\n---\n'))
    return path
  }
  const args = ['plan', '--cluster', '--from', file('old', state('v1')), '--to', file('new', state('v2')), '--step', '50', '--apply']
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: rig.plane.directory, KUBECONFIG: rig.plane.kubeconfig }
  })
  const [out, err, [exit]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  await release.quiet()
  await load.stop()
  await rig.stop()
  const { answers } = load
  const versions = [...new Set(answers.map(({ version }) => version))]
  return { requests: answers.length, failed: answers.filter(isFailure).length, versions, exit: Number(exit), out, err }
}
