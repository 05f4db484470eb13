/** A release made by `hitless plan --apply` alone, under requests: no webhook is asked about its writes. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { destinationRule, type Manifest, rule, to, virtualService } from '../manifests.ts'
import { type Ended, hitless } from './command.ts'
import { isFailure, startLoad } from './load.ts'
import { helloworld, workload } from './objects.ts'
import { Release } from './release.ts'
import { startRig } from './rig.ts'
import { apply } from './scripts.ts'

export interface PlannedRelease extends Ended {
  readonly requests: number
  readonly failed: number
  /** Versions that answered, in the order in which each did first. */
  readonly versions: readonly string[]
}

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
  const states = ['--from', file('old', state('v1')), '--to', file('new', state('v2'))]
  const ended = await hitless(rig.plane, ['plan', '--cluster', ...states, '--step', '50', '--apply'])
  await release.quiet()
  await load.stop()
  await rig.stop()
  const { answers } = load
  const versions = [...new Set(answers.map(({ version }) => version))]
  return { requests: answers.length, failed: answers.filter(isFailure).length, versions, ...ended }
}
